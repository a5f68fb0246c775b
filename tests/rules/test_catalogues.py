"""The catalogues hold every text that a customer reads, with the same gaps."""

from __future__ import annotations

import ast
import tomllib
from functools import cache
from pathlib import Path
from string import Formatter
from typing import TYPE_CHECKING, get_args

import pytest
from babel.messages.pofile import read_po

import fairuse
from fairuse.base.texts import LANGUAGES
from fairuse.rules import notice
from fairuse.rules.refusal import PROBLEMS
from fairuse.rules.windows import Unit

if TYPE_CHECKING:
    from babel.messages.catalog import Catalog

SOURCE = Path(fairuse.__file__).parent
POLICIES = Path(__file__).parents[2] / "config" / "policies"


def _marked(file: Path) -> set[str]:
    """Give the texts that a file marks with `_`."""
    return {
        ast.literal_eval(node.args[0])
        for node in ast.walk(ast.parse(file.read_text("utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "_"
    }


def _units() -> set[str]:
    """Give the unit words of the shipped policies, and of unknown callers."""
    policies = [tomllib.loads(file.read_text("utf-8")) for file in POLICIES.glob("*.toml")]
    return {meter["unit"] for policy in policies for meter in policy["meters"].values()} | {
        "request"
    }


MARKED = set().union(*map(_marked, SOURCE.rglob("*.py")))
WORDS = _units() | {f"calendar {unit}" for unit in get_args(Unit)}
TEXTS = sorted(MARKED | WORDS)


@cache
def _catalogue(language: str) -> Catalog:
    with (SOURCE / "locale" / f"{language}.po").open("rb") as file:
        return read_po(file, locale=language, abort_invalid=True)


def _gaps(text: str) -> list[str]:
    return sorted(name for _, name, _, _ in Formatter().parse(text) if name is not None)


def test_every_text_of_a_customer_is_marked() -> None:
    """What refusals and notices say is marked for translation, all of it."""
    told = {text for problem in PROBLEMS.values() for text in (problem.title, problem.detail)}
    assert told | {*notice.OVER_LIMIT, *notice.BLOCKED, " (location {location})"} <= MARKED


@pytest.mark.parametrize("language", LANGUAGES[1:])
@pytest.mark.parametrize("text", TEXTS, ids=lambda text: text[:30])
def test_every_text_is_translated(language: str, text: str) -> None:
    """Every marked text, unit and window has a finished translation with the same gaps."""
    message = _catalogue(language).get(text)
    assert message is not None
    assert not message.fuzzy
    assert isinstance(message.string, str)
    assert message.string.strip()
    assert _gaps(message.string) == _gaps(text)


@pytest.mark.parametrize("language", LANGUAGES[1:])
def test_no_text_is_left_over(language: str) -> None:
    """A catalogue holds no text that the code doesn't show any more."""
    assert {str(message.id) for message in _catalogue(language) if message.id} == set(TEXTS)
