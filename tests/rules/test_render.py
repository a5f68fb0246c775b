"""The customer's text of a policy: all that is agreed and promised, in each language."""

from __future__ import annotations

import ast
import copy
import inspect
import re
import shutil
from datetime import date, timedelta
from functools import reduce
from typing import TYPE_CHECKING, Any

import pytest
from tests.rendered.__main__ import FOLDER, POLICIES, texts
from tests.support import REPOSITORY
from typer.testing import CliRunner

from fairuse.base.texts import LANGUAGES, translate, window_text
from fairuse.entry.cli import app
from fairuse.rules import promises, render_amount, render_counting, render_ladder
from fairuse.rules import render as renderer
from fairuse.rules.policy import Policy
from fairuse.rules.promises import PROMISES
from fairuse.rules.render import render
from fairuse.rules.render_ladder import BY_THE_UNIT, FROM_THE_LIMIT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from typer.testing import Result

NUMBERED = {
    "amount",
    "figures",
    "otherwise",
    "window",
    "after",
    "for",
    "at_most",
    "at_least",
    "over",
    "warn",
    "case_after",
    "shorter_than",
    "longer_than",
    "contracts_from",
    "grace",
    "persists",
    "until",
    "review",
    "price",
    "per",
}
"""The keys of a policy whose numbers are agreed with its customers."""
_NUMBER = re.compile(r"[0-9]+(?:\.[0-9]+)?")
OTHER_WINDOWS = {"calendar day": "calendar month", "calendar month": "calendar year"}

CONFIG = REPOSITORY / "config"
TEXTS = [*texts()]

NOBODY_WAITS = [("credits", ["ladder", "grace"]), ("documents", ["ladder", "grace"])]
"""Where what is done needs no more than the notice, the grace is for cases opened by hand alone."""
CHARGES_FROM_THE_LIMIT = {"documents", "hosting", "telephony"}
SWITCHES_THE_TARIFF = {"telephony"}

Change = tuple[list[str | int], Any]


def _changed(value: Any) -> Iterator[Any]:
    """Give a value with one of its numbers one higher, for each of them."""
    if isinstance(value, date):
        yield value + timedelta(days=1)
    elif isinstance(value, int):
        yield value + 1
    elif value in OTHER_WINDOWS:
        yield OTHER_WINDOWS[value]
    else:
        for found in _NUMBER.finditer(value):
            yield value[: found.start()] + f"{float(found[0]) + 1:g}" + value[found.end() :]


def _changes(value: Any, path: list[str | int]) -> Iterator[Change]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _changes(inner, [*path, key])
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from _changes(inner, [*path, number])
    elif NUMBERED & {*path[-2:]}:
        for other in _changed(value):
            yield path, other


CHANGES = {
    f"{name}: {'.'.join(map(str, path))} = {other}": (name, path, other)
    for name, table in POLICIES.items()
    for path, other in _changes(table, [])
    if (name, path) not in NOBODY_WAITS
}


@pytest.mark.parametrize(("path", "text"), TEXTS, ids=lambda part: getattr(part, "name", ""))
def test_a_policy_reads_as_it_was_last_read(path: Path, text: str) -> None:
    """C01, E03: what customers read of a shipped policy changes only where somebody meant it to."""
    same = path.is_file() and path.read_text("utf-8") == text
    assert same, f"{path.name} is out of date: run `python -m tests.rendered`, then read the diff"


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_command_writes_the_text(language: str, tmp_path: Path) -> None:
    """`fairuse render` needs the policy's own file alone, and writes it for its customers."""
    (tmp_path / "policies").mkdir()
    shutil.copy(CONFIG / "policies/hosting.toml", tmp_path / "policies")
    result = run("hosting", "--lang", language, "--config", str(tmp_path))
    text = (FOLDER / f"hosting.{language}.md").read_text("utf-8")
    assert (result.exit_code, result.stdout) == (0, text)


def test_a_policy_that_is_not_there_is_said() -> None:
    """A policy that nobody wrote is 1, with the one that was probably meant; so is a broken one."""
    result = run("bookings", "--config", str(CONFIG))
    assert result.exit_code == 1
    assert 'policies/bookings.toml: is not there; did you mean "booking"?' in result.stderr


def test_a_policy_that_is_broken_is_said(tmp_path: Path) -> None:
    """What is wrong with the file is said as `check` says it, and nothing is written."""
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies/booking.toml").write_text('title = "Booking"\n')
    result = run("booking", "--config", str(tmp_path))
    assert (result.exit_code, result.stdout) == (1, "")
    assert "policies/booking.toml: meters: is missing" in result.stderr


def run(*options: str) -> Result:
    """Run the command."""
    return CliRunner().invoke(app, ["render", *options])


def test_no_text_is_left_over() -> None:
    """Each kept text belongs to a shipped policy, three to each."""
    kept = set(FOLDER.glob("*.md"))
    assert kept == {path for path, _ in TEXTS}
    assert len(kept) == 3 * len(POLICIES) == 15


@pytest.mark.parametrize(("name", "path", "other"), CHANGES.values(), ids=CHANGES)
def test_a_changed_number_changes_the_text(name: str, path: list[str], other: Any) -> None:
    """What is promised and what is enforced can't drift apart: the text has each agreed number."""
    table = copy.deepcopy(POLICIES[name])
    inside: dict[str, Any] = reduce(lambda part, key: part[key], path[:-1], table)
    inside[path[-1]] = other
    before, after = Policy.model_validate(POLICIES[name]), Policy.model_validate(table)
    for language in LANGUAGES:
        assert render(before, language) != render(after, language)


def test_every_number_is_changed_once() -> None:
    """The changes tried above reach every limit, and the terms that stand elsewhere."""
    tried = "\n".join(CHANGES)
    for name, table in POLICIES.items():
        for limit in table["limits"]:
            assert f"{name}: limits.{limit}." in tried
    for key in (
        "booking: applies.contracts_from",
        "booking: limits.appointments-burst.then.at_most",
        "telephony: limits.minutes-per-month.case_after = 3 breaches in 7 months",
        "telephony: meters.minutes.average.over = 13 months",
        "telephony: meters.minutes.average.at_least = 11",
        "telephony: meters.long-calls.longer_than",
        "documents: meters.unfinished-pages.ageing.warn",
        "documents: packages.sales-standard.figures.storage = 501 MB",
        "documents: case_after",
        "hosting: meters.traffic.average.at_least",
        "booking: ladder.warn.0 = 81%",
        "booking: ladder.grace = 15 days",
        "booking: ladder.steps.1.review = 31 days",
        "booking: tariffs.extra-appointment.0.price",
        "hosting: ladder.persists = 3",
        "hosting: tariffs.traffic.0.per",
        "telephony: ladder.grace = 25 hours",
    ):
        assert key in tried


def _shipped(name: str, language: str) -> tuple[Policy, str]:
    policy = Policy.model_validate(POLICIES[name])
    return policy, render(policy, language)


def _lines(text: str, section: int) -> list[str]:
    """Give the paragraphs below a heading."""
    return text.split("\n## ")[section].splitlines()[2:]


def _named(policy: Policy, word: str, language: str) -> str:
    word = policy.word(word, language)
    return f"- **{word[0].upper()}{word[1:]}"


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", POLICIES)
def test_all_that_is_agreed_is_in_the_text(name: str, language: str) -> None:
    """B03, B10: each limit, package and meter has its own line, by its own name and window."""
    policy, text = _shipped(name, language)
    limits, counted = _lines(text, 1), _lines(text, 3)
    for limit, line in zip(policy.limits.values(), limits, strict=True):
        assert line.startswith(_named(policy, policy.meters[limit.meter].plural, language))
        if str(limit.window) != "always":
            assert window_text(str(limit.window), language) in line.split("**")[1]
    for meter, line in zip(policy.meters.values(), counted, strict=True):
        assert line.startswith(f"{_named(policy, meter.plural, language)}**: ")
    for package, line in zip(policy.packages.values(), _lines(text, 2)[2:], strict=True):
        assert line.startswith(f"| {policy.word(package.title, language)} |")


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", POLICIES)
def test_all_promises_are_in_the_text(name: str, language: str) -> None:
    """P1-P10: every customer is promised all ten, whatever the policy."""
    _, text = _shipped(name, language)
    assert list(PROMISES) == [f"P{number}" for number in range(1, 11)]
    promised = dict(PROMISES)
    if name in CHARGES_FROM_THE_LIMIT:
        promised["P5"] = FROM_THE_LIMIT
    lines = [f"- {translate(language, each)}" for each in promised.values()]
    if name in SWITCHES_THE_TARIFF:
        lines.insert(5, f"- {translate(language, BY_THE_UNIT)}")
    assert _lines(text, 5)[-len(lines) :] == lines


def test_what_a_policy_charges_is_no_more_than_it_promises() -> None:
    """P5: whose policy charges what came before the notice, too, is not promised otherwise."""
    charging = {
        name
        for name, table in POLICIES.items()
        for step in table["ladder"].get("steps", ())
        if step["do"] == "charge" and step.get("from") == "limit"
    }
    assert charging == CHARGES_FROM_THE_LIMIT


@pytest.mark.parametrize(("path", "text"), TEXTS, ids=lambda part: getattr(part, "name", ""))
def test_no_gap_is_left_open(path: Path, text: str) -> None:
    """Every gap of a sentence is filled: no braces, no None, no brackets that don't match."""
    assert not set("{}[]") & set(text), path.name
    assert "None" not in text.replace("“None of these”", "")
    assert text.count("(") == text.count(")")
    assert "  " not in text


def _marked() -> set[str]:
    """Give the pieces of English sentences that the code marks for translation."""
    found = set()
    for module in (renderer, render_amount, render_counting, render_ladder, promises):
        for node in ast.walk(ast.parse(inspect.getsource(module))):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Name)
                and node.func.id == "_"
            ):
                found |= set(re.split(r"\{\w+\}", ast.literal_eval(node.args[0])))
    return {piece.strip(" ,.;:()") for piece in found if " " in piece.strip(" ,.;:()")}


@pytest.mark.parametrize("language", LANGUAGES[1:])
@pytest.mark.parametrize("name", POLICIES)
def test_nothing_english_is_left(name: str, language: str) -> None:
    """A Dutch or German text holds no piece of an English sentence, and no untranslated word."""
    policy, text = _shipped(name, language)
    text = re.sub(r"\(GET [^)]+\)", "", text)  # a route is what it is in every language
    words = {word for word, other in policy.words[language].items() if word != other}
    english = _marked() | words
    assert len(english) > 50 + len(words)
    assert [
        each for each in english if re.search(rf"(?<![\w-]){re.escape(each)}(?![\w-])", text)
    ] == []
