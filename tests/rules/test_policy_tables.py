"""A policy file: rates, names that are free, and the policy's own words."""

from __future__ import annotations

from typing import Any

import pytest
from tests.rules.support import LIMIT, POLICY, policy, wrong

from fairuse.rules.policy import DAY, Limit, Policy
from fairuse.rules.windows import Calendar, Rolling

BARE = {key: value for key, value in LIMIT.items() if key not in {"amount", "window"}}
RATES = {
    "100/minute": (100, "1 minute", 60),
    "100 / 5 minutes": (100, "5 minutes", 300),
    "5/1day": (5, "1 day", DAY),
}
NO_RATE = '"{}" is no rate; write it like "100/minute"'
OPEN = '"{}" leaves open when a {} begins; write window = "calendar {}"'
WRONG_RATES = {
    "100/week": ": " + NO_RATE.format("100/week"),
    "100/users": ": " + NO_RATE.format("100/users"),
    "100/month": ": " + OPEN.format("100/month", "month", "month"),
    "5/2 years": ": " + OPEN.format("5/2 years", "year", "year"),
    "100/0 minutes": 'amount: "100/0 minutes" may divide by a number that is not 0 only',
}


@pytest.mark.parametrize(
    ("text", "amount", "window", "seconds"), [(k, *v) for k, v in RATES.items()]
)
def test_rates_are_read(text: str, amount: int, window: str, seconds: int) -> None:
    """A rate, as `limits` writes it, is an amount and its rolling window."""
    limit = Limit.model_validate(BARE | {"amount": text})
    assert limit.amount.fixed == amount
    assert limit.window == Rolling(seconds, window)


@pytest.mark.parametrize(("text", "message"), WRONG_RATES.items(), ids=WRONG_RATES)
def test_what_is_no_rate(text: str, message: str) -> None:
    """A rate whose window nobody can tell is an error that shows how to write one."""
    assert message in wrong(Limit, BARE | {"amount": text})


def test_a_rate_has_its_window_in_it() -> None:
    """A limit has one window; a division in an amount is no rate and has none."""
    both = wrong(Limit, LIMIT | {"amount": "100/minute"})
    assert both == [': "100/minute" has a window in it already; leave window out']
    divided = Limit.model_validate(LIMIT | {"amount": "100 / 2 * users"})
    assert (str(divided.amount), divided.window) == ("100 / 2 * users", Calendar("month"))


TITLE = {"title": "Standard"}
RESERVED = '"{}" is a word of the language of amounts; take another name'
NO_NAME = '"{}" is no name; write up to 64 of a-z, 0-9 and -'
TABLES: dict[str, tuple[dict[str, Any], str]] = {
    "a count like a word": (
        {"counts": {"sum": "sums"}},
        "counts.sum.[key]: " + RESERVED.format("sum"),
    ),
    "a limit like a word": (
        {"limits": {"average": LIMIT}},
        "limits.average.[key]: " + RESERVED.format("average"),
    ),
    "a figure like a word": (
        {"packages": {"a": TITLE | {"figures": {"of": 1}}}},
        "packages.a.figures.of.[key]: " + RESERVED.format("of"),
    ),
    "a count without a label": (
        {"counts": {"users": " "}},
        'counts: "users" needs words that say what it counts',
    ),
    "a count in capitals": (
        {"counts": {"Users": "users"}},
        "counts.Users.[key]: " + NO_NAME.format("Users"),
    ),
    "a package without a title": (
        {"packages": {"a": {"title": ""}}},
        "packages.a.title: String should have at least 1 character",
    ),
    "a figure that depends": (
        {"packages": {"a": TITLE | {"figures": {"pages": "2 * users"}}}},
        'packages.a.figures.pages: "2 * users" must be a number',
    ),
    "English words": (
        {"words": {"en": {}}},
        'words: "en" is no language to translate to; write nl or de',
    ),
    "a date as text": (
        {"applies": {"contracts_from": "2014-01-01"}},
        "applies.contracts_from: Input should be a valid date",
    ),
}


@pytest.mark.parametrize(("change", "found"), TABLES.values(), ids=TABLES)
def test_what_is_no_policy(change: dict[str, Any], found: str) -> None:
    """F-50 (words): what a policy may not say is an error at its key."""
    assert wrong(Policy, POLICY | change) == [found]


def test_a_policy_brings_its_words() -> None:
    """A policy's words are its own in each language; what it has no word for stays as it is."""
    read = policy()
    words = [read.word("appointment", language) for language in ("en", "nl", "de")]
    assert words == ["appointment", "afspraak", "Termin"]
    assert read.word("page", "nl") == "page"
