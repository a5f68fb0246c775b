"""The name somebody probably meant."""

from __future__ import annotations

import pytest

from fairuse.rules.nearest import suggestion

CASES = {
    "one letter off": ("adress", ["account", "address"], '; did you mean "address"?'),
    "letters swapped": ("winodw", ["window", "amount"], '; did you mean "window"?'),
    "nothing near": ("colour", ["window", "amount"], ""),
    "nothing known": ("window", [], ""),
    "nothing written": ("", ["window"], ""),
    "the nearest": ("limit-a", ["limit-bcd", "limit-ab"], '; did you mean "limit-ab"?'),
}


@pytest.mark.parametrize(("name", "known", "text"), CASES.values(), ids=CASES)
def test_the_nearest_name_is_shown(name: str, known: list[str], text: str) -> None:
    """A near name is suggested, and nothing where none is near, in any order of the known ones."""
    assert suggestion(name, known) == suggestion(name, reversed(known)) == text
