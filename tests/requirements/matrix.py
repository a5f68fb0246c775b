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
LATER = {
    "ladder": "to come: the ladder of notice, choice, measure and charge",
    "operator": "to come: an operator decides",
    "text": "to come: a published text",
}

_ID = re.compile(r"(?<![\w-])(?:[A-E][0-9]{2}|[SP][0-9]{1,2})(?![\w-])")
_RANGE = re.compile(r"(?<![\w-])([A-E])([0-9]{2})\s?[-\u2013]\s?\1?([0-9]{2})(?![\w-])")


class Row(NamedTuple):
    """A row; `later` or `rest` say what is still to come of it."""

    id: str
    kind: str
    says: str
    later: str
    rest: str

    @property
    def needs_proof(self) -> bool:
        """Say whether the gateway itself has something to do."""
        return "M" in self.kind.split("+")


class Proof(NamedTuple):
    """A test that names an id."""

    id: str
    test: str


def rows() -> list[Row]:
    """Read the rows."""
    tables = tomllib.loads((HERE / "rows.toml").read_text())
    return [
        Row(letter + number, row["class"], row["says"], row.get("later", ""), row.get("rest", ""))
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
    """Give the tests of each id."""
    found: dict[str, list[str]] = {}
    for proof in proofs():
        found.setdefault(proof.id, []).append(proof.test)
    return found


def matrix() -> str:
    """Write the matrix."""
    tests = proven()
    table = [f"| {row.id} | {row.kind} | {row.says} | {_proof(row, tests)} |" for row in rows()]
    return "\n".join([HEAD, *table, ""])


def _proof(row: Row, tests: dict[str, list[str]]) -> str:
    if row.id not in tests:
        return LATER.get(row.later, "")
    shown = "<br>".join(f"`{test}`" for test in tests[row.id][:SHOWN])
    return f"{shown}<br>to come: {row.rest}" if row.rest else shown
