"""Which test proves which row: the rows stand in rows.toml, the proofs in the tests' docstrings."""

from __future__ import annotations

import ast
import re
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = Path(__file__).parent
TESTS = HERE.parent
MATRIX = HERE / "matrix.md"
SHOWN = 2
SCENARIOS = {f"S{number}" for number in range(1, 21)}
PROMISES = {f"P{number}" for number in range(1, 11)}
HEAD = """\
# What is proven

Written by `python -m tests.requirements` from rows.toml and the tests' docstrings.

| id | class | what is asked | proof |
|---|---|---|---|"""
FIRST = "scenarios/"
"""The tests that are shown before others: they prove a row as it is written."""

_ID = re.compile(r"(?<![\w-])(?:[A-E][0-9]{2}|[SP][0-9]{1,2})(?![\w-])")
_RANGE = re.compile(r"(?<![\w-])([A-E])([0-9]{2})\s?[-\u2013]\s?\1?([0-9]{2})(?![\w-])")


class Row(NamedTuple):
    """A row; `later` or `rest` say what is still to come of it.

    `place` is the page where people read it, or what an operator decides it with.
    """

    id: str
    kind: str
    says: str
    later: str
    rest: str
    place: str

    @property
    def is_for_people(self) -> bool:
        """Say whether an operator or a reader has something to do."""
        return not {"O", "T"}.isdisjoint(self.kind.split("+"))


class Proof(NamedTuple):
    """A test that names an id."""

    id: str
    test: str


def rows() -> list[Row]:
    """Read the rows."""
    tables = tomllib.loads((HERE / "rows.toml").read_text())
    return [
        Row(
            letter + number,
            row["class"],
            row["says"],
            *(row.get(key, "") for key in ("later", "rest", "place")),
        )
        for letter, table in tables.items()
        for number, row in table.items()
    ]


def proofs() -> list[Proof]:
    """Find the ids that the tests name, in the order of the files."""
    return [
        Proof(name, f"{file.relative_to(TESTS)}::{test.name}")
        for file in sorted(TESTS.rglob("test_*.py"))
        for test in _tests(ast.parse(file.read_text("utf-8")))
        for name in sorted(named(test.name.replace("_", " ").upper()) | named(_docstring(test)))
    ]


def _tests(module: ast.Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(module):
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                if name.startswith("test_"):
                    yield node


def _docstring(test: ast.FunctionDef | ast.AsyncFunctionDef) -> str:
    return ast.get_docstring(test) or ""


def named(text: str) -> set[str]:
    """Give the ids in a text; "E15-E17" names three."""
    found = set(_ID.findall(text))
    for letter, first, last in _RANGE.findall(text):
        found |= {f"{letter}{number:02}" for number in range(int(first), int(last) + 1)}
    return found


def proven() -> dict[str, list[str]]:
    """Give the tests of each id, scenarios first."""
    found: dict[str, list[str]] = {}
    for proof in sorted(proofs(), key=lambda proof: not proof.test.startswith(FIRST)):
        found.setdefault(proof.id, []).append(proof.test)
    return found


def matrix() -> str:
    """Write the matrix."""
    tests = proven()
    table = [f"| {row.id} | {row.kind} | {row.says} | {_proof(row, tests)} |" for row in rows()]
    return "\n".join([HEAD, *table, ""])


def _proof(row: Row, tests: dict[str, list[str]]) -> str:
    shown = [f"`{test}`" for test in tests.get(row.id, [])[:SHOWN]]
    if row.place:
        shown.append(f"`{row.place}`")
    if row.later or row.rest:
        shown.append(f"to come: {row.later or row.rest}")
    return "<br>".join(shown)
