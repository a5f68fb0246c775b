"""Every construct of a policy has words in its customers' text, in each language."""

from __future__ import annotations

import re
from functools import reduce
from typing import Any

import pytest
from tests.rules.support import BURST, DOCUMENTS, THEN, at_most

from fairuse.base.texts import LANGUAGES, window_text
from fairuse.rules.policy import Policy
from fairuse.rules.render import render
from fairuse.rules.render_amount import SIGNS


def section(text: str, number: int) -> list[str]:
    """Give the lines below a heading."""
    return text.split("\n## ")[number].splitlines()[2:]


WORDS = {
    "nl": {
        "users": "gebruikers",
        "volume packs": "volumepakketten",
        "pages": "pagina's",
        "included": "inbegrepen",
    },
    "de": {
        "users": "Nutzer",
        "volume packs": "Mengenpakete",
        "pages": "Seiten",
        "included": "inbegriffen",
    },
}
AMOUNTS = {
    "number": ("1_250_000", "1,250,000", "1.250.000", "1.250.000"),
    "decimals": ("0.000125", "0.000125", "0,000125", "0,000125"),
    "bytes": ("1.5 GiB", "1.5 GiB", "1,5 GiB", "1,5 GiB"),
    "count": (
        "users",
        "the number of users",
        "het aantal gebruikers",
        "die Anzahl der Nutzer",
    ),
    "average": ("5 * average", "5 * the average", "5 * het gemiddelde", "5 * Durchschnitt"),
    "own median": (
        "10 * own median - 1",
        "10 * your own median - 1",
        "10 * uw eigen mediaan - 1",
        "10 * Ihr eigener Median - 1",
    ),
    "min": (
        "min(100, users)",
        "the smaller of 100 and the number of users",
        "het kleinste van 100 en het aantal gebruikers",
        "der kleinere Wert: 100 oder die Anzahl der Nutzer",
    ),
    "max": (
        "max(100, users)",
        "the larger of 100 and the number of users",
        "het grootste van 100 en het aantal gebruikers",
        "der größere Wert: 100 oder die Anzahl der Nutzer",
    ),
    "floor": (
        "floor(users / 3)",
        "the number of users / 3, rounded down",
        "het aantal gebruikers / 3, naar beneden afgerond",
        "die Anzahl der Nutzer / 3, abgerundet",
    ),
    "ceil of a percentage": (
        "ceil(0.5% of sum(users))",
        "0.5% of the number of users, rounded up",
        "0,5% van het aantal gebruikers, naar boven afgerond",
        "die Anzahl der Nutzer * 0,5 %, aufgerundet",
    ),
    "functions in functions": (
        "max(1, floor(min(packs, 7) / 2))",
        "the larger of 1 and ((the smaller of the number of volume packs and 7) / 2, rounded down)",
        "het grootste van 1 en"
        " ((het kleinste van het aantal volumepakketten en 7) / 2, naar beneden afgerond)",
        "der größere Wert: 1 oder"
        " ((der kleinere Wert: die Anzahl der Mengenpakete oder 7) / 2, abgerundet)",
    ),
    "sum over packages": (
        "sum((included + 1) * packs) + 5",
        "(the sum over your packages of (“included” + 1) * the number of volume packs) + 5",
        "(de som over uw pakketten van (“inbegrepen” + 1) * het aantal volumepakketten) + 5",
        "(die Summe über Ihre Pakete: („inbegriffen“ + 1) * die Anzahl der Mengenpakete) + 5",
    ),
    "percentage of a sum": (
        "15% of (pages + users * 2)",
        "15% of (the agreed pages + the number of users * 2)",
        "15% van (de afgesproken pagina's + het aantal gebruikers * 2)",
        "(die vereinbarten Seiten + die Anzahl der Nutzer * 2) * 15 %",
    ),
    "brackets before a sign": (
        "(users + 1) * 2 - (packs + 1) / 4",
        "(the number of users + 1) * 2 - (the number of volume packs + 1) / 4",
        "(het aantal gebruikers + 1) * 2 - (het aantal volumepakketten + 1) / 4",
        "(die Anzahl der Nutzer + 1) * 2 - (die Anzahl der Mengenpakete + 1) / 4",
    ),
    "brackets after a minus": (
        "100 - (users - (packs - 1)) + 3",
        "100 - (the number of users - (the number of volume packs - 1)) + 3",
        "100 - (het aantal gebruikers - (het aantal volumepakketten - 1)) + 3",
        "100 - (die Anzahl der Nutzer - (die Anzahl der Mengenpakete - 1)) + 3",
    ),
}


def _line(language: str, **limit: Any) -> str:
    """Give the line of a limit on pages, in a policy about pages."""
    rules = {**DOCUMENTS, "words": WORDS}
    emergency = {"allowed": ["block address"]}
    rules |= {"limits": {**DOCUMENTS["limits"], "asked": limit}, "emergency": emergency}
    return section(render(Policy.model_validate(rules), language), 1)[-1]


def _typeset(text: str) -> str:
    """Write the signs as the texts do."""
    return reduce(lambda so_far, sign: so_far.replace(f" {sign} ", f" {SIGNS[sign]} "), SIGNS, text)


@pytest.mark.parametrize("case", AMOUNTS.values(), ids=AMOUNTS)
def test_every_amount_can_be_read(case: tuple[str, str, str, str]) -> None:
    """Each construct of the language of amounts reads as arithmetic in words, brackets and all."""
    amount, english, dutch, german = case
    for language, text, most in (
        ("en", english, "at most"),
        ("nl", dutch, "hoogstens"),
        ("de", german, "höchstens"),
    ):
        line = _line(language, **at_most(amount, window="calendar day"))
        assert line.split("**: ")[1].startswith(f"{most} {_typeset(text)}. ")


WINDOWS = {
    "rolling": ("90 seconds", "Pages, within any 90 seconds", "Seiten, gleitend über 90 Sekunden"),
    "day": ("calendar day", "Pages, per calendar day", "Seiten, pro Kalendertag"),
    "year": ("calendar year", "Pages, per calendar year", "Seiten, pro Kalenderjahr"),
    "always": ("always", "Pages, at any time", "Seiten, jederzeit"),
}


@pytest.mark.parametrize(("window", "english", "german"), WINDOWS.values(), ids=WINDOWS)
def test_every_window_can_be_read(window: str, english: str, german: str) -> None:
    """A rolling window, a calendar window and none at all read differently."""
    limit = at_most(10, window=window, over="refuse", scope="account, location, user, address")
    parts = "for each location, for each user, for each address"
    assert _line("en", **limit).startswith(f"- **{english}, {parts}**: ")
    assert _line("de", **limit).startswith(f"- **{german}, je Standort, je Nutzer, je Adresse**: ")


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_happens_beyond_a_limit_is_said(language: str) -> None:
    """E31: each of the five things that can happen beyond a limit reads differently."""
    month = at_most(10, tariff=None)
    said = {
        _line(language, **(month | {"over": over, "tariff": "page" if over == "charge" else None}))
        for over in ("refuse", "deny user", "case", "charge", "signal")
    }
    said.add(_line(language, **month, case_after="3 breaches in 6 months"))
    assert len(said) == 6


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_block_says_whom_it_hits(language: str) -> None:
    """P9, A30: a block of one account and a block of everybody at an address read differently."""
    burst = BURST | {"meter": "pages"}
    one = _line(language, **burst)
    everybody = _line(language, **(burst | {"then": THEN | {"block": "address"}}))
    assert one != everybody
    for span in ("1 minute", "15 minutes", "1 day"):
        assert window_text(span, language) in one
        assert window_text(span, language) in everybody


def _counted(language: str, **meter: Any) -> str:
    """Say how the pages of a policy are counted."""
    table = {"unit": "page", "count": ["POST /documents"], **meter}
    policy = Policy.model_validate(DOCUMENTS | {"meters": {"pages": table}, "words": WORDS})
    return section(render(policy, language), 3)[0]


AVERAGES = {
    "mean of a package": (
        {"per": "users"},
        "The average is the mean of all accounts with the same packages, per month over 12 months,"
        " divided by the number of users; it is fixed once a year and holds as soon as there are 10"
        " such accounts. Until then limits that rest on it are not in force.",
    ),
    "mean of the others": (
        {"method": "mean excluding self", "cohort": "policy", "refresh": "monthly"},
        "The average is the mean of all accounts, your own left out, per month over 12 months; it"
        " is fixed at the beginning of each month and holds as soon as there are 10 such accounts.",
    ),
    "trimmed mean": (
        {"method": "trimmed mean", "cohort": "policy", "over": "3 months", "refresh": "manual"},
        "The average is the mean of all accounts, the highest and the lowest tenth left out, per"
        " month over 3 months; it is fixed by us from time to time and holds",
    ),
    "median": (
        {"method": "median", "at_least": 4, "otherwise": 2_500},
        "The average is the median of all accounts with the same packages, per month over 12"
        " months; it is fixed once a year and holds as soon as there are 4 such accounts. Until"
        " then it is taken as 2,500.",
    ),
}


@pytest.mark.parametrize(("average", "text"), AVERAGES.values(), ids=AVERAGES)
def test_every_average_can_be_read(average: dict[str, Any], text: str) -> None:
    """B22, B23, C05: an average says of whom, how, over how long, since when, what until then."""
    assert text in _counted("en", average=average)
    for language in LANGUAGES[1:]:
        said = _counted(language, average=average)
        assert "average" not in said
        assert "accounts" not in said or language == "nl"


def test_an_own_median_is_explained_once() -> None:
    """A median is explained where a meter's limits use it, once for each kind of window."""
    median = at_most("2 * own median", over="signal")
    limits = {
        "day": median | {"window": "calendar day"},
        "other-day": median | {"window": "calendar day", "amount": "3 * own median"},
        "month": median,
    }
    policy = Policy.model_validate(DOCUMENTS | {"limits": limits})
    [line] = section(render(policy, "en"), 3)[:1]
    assert re.findall(r"what you used per ([a-z ]+) before", line) == [
        "calendar day",
        "calendar month",
    ]


COUNTED = {
    "accepted": ({}, "What the service accepted counts once"),
    "any answer": ({"when": "any"}, "Every request counts, whatever the answer."),
    "bytes": ({"measure": "bytes"}, "also of broken answers."),
    "accepted bytes": (
        {"measure": "bytes", "when": "2xx"},
        "Only what the service accepted counts.",
    ),
    "short": ({"shorter_than": "90 seconds"}, "Only what is shorter than 90 seconds counts."),
    "long": ({"longer_than": "2 hours"}, "Only what is longer than 2 hours counts."),
}


@pytest.mark.parametrize(("meter", "text"), COUNTED.values(), ids=COUNTED)
def test_what_counts_is_said(meter: dict[str, Any], text: str) -> None:
    """Which answers count, and how long they must take, is in the text."""
    assert text in _counted("en", **meter)
    assert text not in _counted("en", measure="in flight")


AGEING = {
    "item": ("item", "What is still open after 12 months counts as finished pages then"),
    "contract year": (
        "contract year",
        "What is still open after the end of the contract year counts as finished pages then",
    ),
}


@pytest.mark.parametrize(("by", "text"), AGEING.values(), ids=AGEING)
def test_ageing_is_said(by: str, text: str) -> None:
    """E29: when an open item counts as finished, as what, and how long before that we warn."""
    ageing = {"after": "12 months", "into": "finished", "by": by, "warn": "2 months"}
    route = ["PUT /pages/{item}"]
    meters = {
        "pages": {"unit": "open page", "measure": "open items", "count": route, "release": route}
        | {"ageing": ageing},
        "finished": {"unit": "finished page", "count": ["POST /pages"]},
    }
    limits = {"finished": at_most(10, meter="finished")}
    policy = Policy.model_validate({"title": "Pages", "meters": meters, "limits": limits})
    assert f"{text}; we warn you 2 months before." in section(render(policy, "en"), 2)[0]


EMERGENCIES = {
    "nothing": ([], None),
    "one": (
        ["throttle"],
        "may we refuse what an account asks above its fair share; you hear of it",
    ),
    "two": (
        ["block address", "throttle"],
        "may we block addresses or refuse what an account asks above its fair share; you hear",
    ),
}


@pytest.mark.parametrize(("allowed", "text"), EMERGENCIES.values(), ids=EMERGENCIES)
def test_what_overload_may_do_is_said(allowed: list[str], text: str | None) -> None:
    """A29: what may happen without a notice first is named, and nothing where nothing may."""
    policy = Policy.model_validate(DOCUMENTS | {"emergency": {"allowed": allowed}})
    said = render(policy, "en")
    assert text in said if text else "Only where the load" not in said


def test_a_figure_that_a_package_has_not_is_a_dash() -> None:
    """The table of packages has a column a figure; what a package has not stays empty."""
    text = render(Policy.model_validate(DOCUMENTS), "en")
    assert section(text, 2)[:4] == [
        "| package | sold by the number of | included | together |",
        "| --- | --- | --- | --- |",
        "| Standard | volume packs | 2,500 | – |",  # noqa: RUF001
        "| Advanced | users | – | 250 |",  # noqa: RUF001
    ]


def test_a_policy_without_packages_has_no_table() -> None:
    """Where nothing is sold in packages, the text has no section for them."""
    limits = {"pages": at_most(5)}
    policy = Policy.model_validate(DOCUMENTS | {"packages": {}, "counts": {}, "limits": limits})
    assert [part.splitlines()[0] for part in render(policy, "en").split("\n## ")[1:]] == [
        "What is agreed",
        "How it is counted",
        "If you use more than is agreed",
        "What we do, and what we don't",
    ]
