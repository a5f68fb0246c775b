"""The catalogues and the policies' own words hold every text that a customer reads."""

from __future__ import annotations

import ast
import tomllib
from functools import cache
from pathlib import Path
from string import Formatter
from typing import TYPE_CHECKING, get_args

import pytest
from babel.messages.pofile import read_po
from jinja2 import Environment
from jinja2.ext import extract_from_ast

import fairuse
from fairuse.base.texts import LANGUAGES
from fairuse.rules import measure_texts, notice
from fairuse.rules.policy import Policy
from fairuse.rules.refusal import PROBLEMS
from fairuse.rules.units import REQUEST
from fairuse.rules.windows import Unit

if TYPE_CHECKING:
    from babel.messages.catalog import Catalog

SOURCE = Path(fairuse.__file__).parent
POLICIES = {
    file.stem: Policy.model_validate(tomllib.loads(file.read_text("utf-8")))
    for file in (Path(__file__).parents[2] / "config" / "policies").glob("*.toml")
}
NOTICES = [
    template
    for module in (notice, measure_texts)
    for template in vars(module).values()
    if isinstance(template, notice.Notice)
]


def _marked(file: Path) -> set[str]:
    """Give the texts that a file marks with `_`."""
    return {
        ast.literal_eval(node.args[0])
        for node in ast.walk(ast.parse(file.read_text("utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "_"
    }


def _shown_by(template: Path) -> set[str]:
    """Give the texts that a template marks with `_`."""
    tree = Environment(autoescape=True).parse(template.read_text("utf-8"))
    found = [text for _, _, text in extract_from_ast(tree, ("_",), babel_style=False)]
    return {text[0] for text in found if isinstance(text, tuple) and text[0] is not None}


MARKED = set().union(
    *map(_marked, SOURCE.rglob("*.py")), *map(_shown_by, SOURCE.rglob("templates/*.html"))
)
WORDS = {REQUEST.one} | {f"calendar {unit}" for unit in get_args(Unit)}
TEXTS = sorted(MARKED | WORDS)


@cache
def _catalogue(language: str) -> Catalog:
    with (SOURCE / "locale" / f"{language}.po").open("rb") as file:
        return read_po(file, locale=language, abort_invalid=True)


def _gaps(text: str) -> list[str]:
    return sorted(name for _, name, _, _ in Formatter().parse(text) if name is not None)


def _shown(policy: Policy) -> set[str]:
    """Give the words of a policy that its customers read."""
    units = {word for meter in policy.meters.values() for word in (meter.unit, meter.plural)}
    packages = {package.title for package in policy.packages.values()}
    figures = {name for package in policy.packages.values() for name in package.figures}
    return {policy.title, *units, *policy.counts.values(), *packages, *figures}


def test_every_text_of_a_customer_is_marked() -> None:
    """What refusals and notices say is marked for translation, all of it."""
    told = {text for problem in PROBLEMS.values() for text in (problem.title, problem.detail)}
    told |= {text for template in NOTICES for text in template}
    assert len(NOTICES) == 18
    assert told | {" (location {location})", "the agreed price"} <= MARKED


@pytest.mark.parametrize("language", LANGUAGES[1:])
@pytest.mark.parametrize("text", TEXTS, ids=lambda text: text[:30])
def test_every_text_is_translated(language: str, text: str) -> None:
    """Every marked text and window has a finished translation with the same gaps."""
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


@pytest.mark.parametrize("language", LANGUAGES[1:])
@pytest.mark.parametrize("name", sorted(POLICIES))
def test_a_policy_brings_its_own_words(name: str, language: str) -> None:
    """A shipped policy translates all that its customers read of it, and nothing else."""
    words = POLICIES[name].words[language]
    assert words.keys() == _shown(POLICIES[name])
    assert all(word.strip() == word != "" for word in words.values())
