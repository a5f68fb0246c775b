"""Usage events: what they move, as of when, and what is wrong with them."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.rules.support import POLICY, tenant, utc

from fairuse.base.keys import bounded
from fairuse.rules.agreed import History
from fairuse.rules.amounts import MAX_AMOUNT
from fairuse.rules.events import FUTURE, UsageEvent, counts_as_of, moved_units
from fairuse.rules.policy import Policy
from fairuse.rules.terms import Terms

NOW = utc("2026-11-02T12:00:00")
THREE_DAYS = 3 * 86_400.0
MINUTES: dict[str, Any] = {
    "unit": "minute",
    "decimals": 2,
    "count": ["event call.ended"],
    "cost": {"event_field": "call.minutes"},
}
SHORT: dict[str, Any] = {
    "unit": "short call",
    "count": ["event call.ended"],
    "shorter_than": "10 seconds",
}
LONG = SHORT | {"unit": "long call", "longer_than": "1 hour"}
OPEN: dict[str, Any] = {
    "unit": "open page",
    "measure": "open items",
    "count": ["event page.opened"],
    "release": ["event page.finished"],
}


def _event(
    kind: str = "call.ended", data: dict[str, Any] | None = None, at: float = NOW
) -> UsageEvent:
    return UsageEvent("exchange", "/calls", "1", kind, "salon", at, data or {})


def _moved(event: UsageEvent, **meters: dict[str, Any]) -> list[tuple[str, int, bool]]:
    rules = POLICY | {"meters": POLICY["meters"] | meters}
    terms = Terms("anna", "salon", tenant(), Policy.model_validate(rules), History())
    return [(each.meter.name, each.units, each.releases) for each in moved_units(event, terms)]


WHEN = {
    "just now": (0.0, 0.0),
    "an hour ago": (3_600.0, 3_600.0),
    "exactly three days ago": (THREE_DAYS, THREE_DAYS),
    "a moment too late": (THREE_DAYS + 0.001, 0.0),
    "a year too late": (365 * 86_400.0, 0.0),
    "the sender's clock is ahead": (-1.0, 0.0),
    "as far ahead as it may": (-FUTURE, 0.0),
}


@pytest.mark.parametrize(("before", "counts"), WHEN.values(), ids=WHEN)
def test_when_an_event_counts(before: float, counts: float) -> None:
    """S16 (late): within three days an event counts when it happened, later it counts now."""
    assert counts_as_of(_event(at=NOW - before), THREE_DAYS, NOW) == NOW - counts


def test_an_event_of_the_future_is_refused() -> None:
    """S16: what has not happened yet is no usage, beyond what clocks may differ."""
    with pytest.raises(ValueError, match=r"^time lies in the future$"):
        counts_as_of(_event(at=NOW + FUTURE + 0.001), THREE_DAYS, NOW)


@given(st.floats(0, 2**33), st.floats(0, 7 * 86_400), st.floats(0, 2**33))
def test_an_event_never_counts_in_the_future(at: float, late: float, now: float) -> None:
    """S16, P7: an event counts at its own moment or now, and never rewrites what is closed."""
    if at > now + FUTURE:
        return
    moment = counts_as_of(_event(at=at), late, now)
    assert moment in (at, now)
    assert now - late <= moment <= now


def test_the_same_event_is_known_by_three_names() -> None:
    """P8: the sender, its source and the event's id make it the same, whatever else it says."""
    one = _event(data={"minutes": 1})
    assert one.key == ("exchange", "/calls", "1")
    assert one._replace(kind="x", account="y", happened_at=0.0, data={}).key == one.key
    others = (one._replace(sender="x"), one._replace(source="x"), one._replace(id="x"))
    assert len({one.key, *(other.key for other in others)}) == 4


COSTS: dict[str, tuple[object, int]] = {
    "a whole number": (3, 300),
    "a fraction": (2.5, 250),
    "rounded up": (0.001, 1),
    "what a float can't say": (0.07, 7),
    "as text": ("2.50", 250),
    "none": (0, 0),
    "the most that is counted": (MAX_AMOUNT // 100, MAX_AMOUNT // 100 * 100),
}


@pytest.mark.parametrize(("value", "units"), COSTS.values(), ids=COSTS)
def test_an_event_says_how_much(value: object, units: int) -> None:
    """D06: minutes count in hundredths, rounded up, from where the policy says they stand."""
    event = _event(data={"call": {"minutes": value}})
    assert _moved(event, minutes=MINUTES) == [("minutes", units, False)]


BAD: dict[str, object] = {
    "negative": -1,
    "not a number": math.nan,
    "infinite": math.inf,
    "not a number, as text": "nan",
    "words": "many",
    "too many": 10**18,
    "far too many, as text": "1e999999",
    "too long": "9" * 5_000,
    "true": True,
    "a list": [1],
}


@pytest.mark.parametrize("value", BAD.values(), ids=BAD)
def test_what_is_no_number_of_units(value: object) -> None:
    """F-27, S16: an event that tells no number of units is refused, with what it told."""
    with pytest.raises(ValueError, match="is no number of units") as caught:
        _moved(_event(data={"call": {"minutes": value}}), minutes=MINUTES)
    assert str(caught.value).startswith(f"{value!r:.40} is no number of units")


@pytest.mark.parametrize(
    "data", [{}, {"call": {}}, {"call": 5}, {"minutes": 5}, {"call": {"minutes": None}}], ids=str
)
def test_a_missing_number_is_named(data: dict[str, Any]) -> None:
    """S16: an event without its number is refused with the name of the field, and not counted."""
    with pytest.raises(ValueError, match=r"^data\.call\.minutes is missing$"):
        _moved(_event(data=data), minutes=MINUTES)


def test_an_event_without_a_cost_is_one_unit() -> None:
    """D06 (unit: call): where the policy asks for no number each event is one unit."""
    calls = {"unit": "call", "count": ["event call.ended"]}
    found = _moved(_event(), calls=calls, exact=calls | {"decimals": 2})
    assert found == [("calls", 1, False), ("exact", 100, False)]


LENGTHS: dict[str, tuple[float, list[str]]] = {
    "nothing": (0, ["short"]),
    "just short": (9.999, ["short"]),
    "neither": (10, []),
    "an hour": (3_600, []),
    "more than an hour": (3_600.001, ["long"]),
}


@pytest.mark.parametrize(("seconds", "moved"), LENGTHS.values(), ids=LENGTHS)
def test_short_and_long_events_are_told_apart(seconds: float, moved: list[str]) -> None:
    """B08, B09: a call shorter than ten seconds is short, one longer than an hour is long."""
    long = {key: value for key, value in LONG.items() if key != "shorter_than"}
    found = _moved(_event(data={"seconds": seconds}), short=SHORT, long=long)
    assert [name for name, _, _ in found] == moved


@pytest.mark.parametrize("seconds", [None, "5", True, [5]], ids=repr)
def test_a_length_is_asked_for(seconds: object) -> None:
    """B09: an event whose length matters and that does not tell it is refused."""
    data = {} if seconds is None else {"seconds": seconds}
    with pytest.raises(ValueError, match=r"^data\.seconds is missing: how long it took$"):
        _moved(_event(data=data), short=SHORT)


def test_items_are_opened_and_closed() -> None:
    """E28: an event opens or closes the item it names; one that names none is refused."""
    for kind, releases in (("page.opened", False), ("page.finished", True)):
        assert _moved(_event(kind, {"item": "7"}), pages=OPEN) == [("pages", 1, releases)]
        with pytest.raises(ValueError, match=r"^data\.item is missing: which item"):
            _moved(_event(kind), pages=OPEN)


def test_an_event_that_nobody_counts_is_refused() -> None:
    """S16: a type that no meter names is an error that the sender sees, not a silent nothing."""
    message = r'^no meter of policy booking counts events of type "call\.made"$'
    with pytest.raises(ValueError, match=message):
        _moved(_event("call.made"), minutes=MINUTES)


def test_names_in_an_event_are_texts() -> None:
    """F-21: a location, a user or an item is a text of bounded length, or nothing."""
    event = _event(data={"user": "anna", "item": "x" * 5_000, "location": 5, "other": None})
    assert (event.text("user"), event.text("absent")) == ("anna", "")
    assert event.text("item") == bounded("x" * 5_000)
    for name in ("location", "other"):
        with pytest.raises(ValueError, match=rf"^data\.{name} must be a text$"):
            event.text(name)
