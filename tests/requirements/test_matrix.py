"""Every row of the policies is proven by a test or promised for later, and none is forgotten."""

from __future__ import annotations

import re

import pytest
from tests.requirements.matrix import (
    MATRIX,
    PROMISES,
    SCENARIOS,
    matrix,
    named,
    proofs,
    proven,
    rows,
)
from tests.support import REPOSITORY

ROWS = rows()
COUNTS = {"A": 32, "B": 30, "C": 24, "D": 27, "E": 37}


def test_every_row_is_there_once() -> None:
    """The rows are numbered without a gap, and of a class that we know."""
    expected = [
        f"{letter}{number:02}" for letter, last in COUNTS.items() for number in range(1, last + 1)
    ]
    assert [row.id for row in ROWS] == expected
    assert {row.kind for row in ROWS} == {"M", "M+O", "M+T", "O", "T"}


def test_what_the_gateway_does_is_proven_or_promised() -> None:
    """A row has a test, a place where people read or decide it, or says what will bring it."""
    tests = proven()
    missing = [row.id for row in ROWS if row.id not in tests and not (row.later or row.place)]
    assert missing == []


def test_what_is_proven_is_promised_no_longer() -> None:
    """A row with a test is not for later; what is still to come of it, its `rest` says."""
    tests = proven()
    assert [row.id for row in ROWS if row.id in tests and row.later] == []
    assert [row.id for row in ROWS if row.id not in tests and row.rest] == []


def test_what_people_do_has_a_place() -> None:
    """A place is for a row that people read or decide about, and it is there, heading and all."""
    placed = [row for row in ROWS if row.place]
    assert [row.id for row in placed if not row.is_for_people] == []
    assert [row.id for row in ROWS if row.kind in {"O", "T"} and not (row.place or row.later)] == []
    for page, _, anchor in {row.place.partition("#") for row in placed}:
        titles = re.findall(r"^##+ (.*)$", (REPOSITORY / page).read_text("utf-8"), re.MULTILINE)
        assert anchor in {
            re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles
        }


def test_tests_name_what_exists() -> None:
    """An id in a docstring is a row, a scenario or a promise."""
    known = {row.id for row in ROWS} | SCENARIOS | PROMISES
    assert [proof for proof in proofs() if proof.id not in known] == []


def test_the_matrix_is_up_to_date() -> None:
    """The matrix is what `python -m tests.requirements` writes."""
    assert MATRIX.read_text("utf-8") == matrix()


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("A05, A06, P4: 5,000 are within", {"A05", "A06", "P4"}),
        ("E15-E17 and S8", {"E15", "E16", "E17", "S8"}),
        ("B21\u201324", {"B21", "B22", "B23", "B24"}),
        ("F-24, HTTP-13, SHA256, A4, X-E05, E501", set()),
    ],
)
def test_ids_are_found(text: str, ids: set[str]) -> None:
    """Ids stand alone or as a range; numbers of faults and other words are none."""
    assert named(text) == ids
