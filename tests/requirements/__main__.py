"""Writes the matrix: python -m tests.requirements."""

from tests.requirements.matrix import MATRIX, matrix

MATRIX.write_text(matrix(), "utf-8")
