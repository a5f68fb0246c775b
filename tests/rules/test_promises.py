"""The promises: which entry of the record breaks which, after those before it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from tests.rules.entries import (
    AT_X,
    HOUR,
    begun,
    broken,
    charge,
    ended_contract,
    entry,
    opened,
    talk_failed,
    told,
)
from tests.support import NOON

from fairuse.rules.promises import CHECKS, PROMISES, broken_by
from fairuse.rules.record import NO_CASE
from fairuse.rules.recorded import SoFar

if TYPE_CHECKING:
    from fairuse.rules.record import Entry, Kind


def test_what_keeps_all_promises_is_fine() -> None:
    """P1-P10: a notice, then a measure and a charge of the units after it, break nothing."""
    assert broken(opened(), told(), begun()) == []
    assert broken(opened(), told(), charge()) == []
    assert broken(opened(), told(), talk_failed(), ended_contract()) == []


def test_a_charge_needs_a_notice_that_was_delivered() -> None:
    """P1: written is not delivered, and another case's notice is not its own."""
    written = entry("notice.written", notice=1, rule="month")
    assert broken(opened(), charge()) == ["P1"]
    assert broken(opened(), written, charge()) == ["P1"]
    assert broken(opened(), told(case=2), charge()) == ["P1"]
    assert broken(charge()) == ["P1"]


def test_nothing_is_charged_after_a_notice_of_which_nobody_knows_the_count() -> None:
    """P5: it can't be shown that anything came after it; before the window, it need not be."""
    untold = told(reading=None)
    assert broken(opened(), untold, charge(units=1)) == ["P5"]
    later = {"from": NOON + 2 * HOUR, "notice_reading": 0, "units": 1_500}
    assert broken(opened(), untold, charge(**later)) == []


def warning(hours: float = -1, **data: Any) -> tuple[Entry, Entry]:
    """Give a warning that names the price, before the case, and its delivery."""
    about = {"notice": 9, "prices": True, "scope": AT_X, "rule": "month"} | data
    written = entry("notice.written", hours, NO_CASE, **about)
    account = data.get("account", "anna")
    reading = data.get("at", 4_500)
    delivery = told(hours, NO_CASE, reading, notice=9, rule=about["rule"], account=account)
    return written, delivery


def test_a_warning_that_named_the_price_counts_as_the_notice() -> None:
    """P1, P5: told of the price before the limit, what is above the limit is charged."""
    all_above = charge(notice_reading=4_500, units=1_500)
    assert broken(opened(), *warning(), all_above) == []
    assert broken(opened(), *warning(), charge(notice_reading=4_500, units=1_501)) == ["P5"]


@pytest.mark.parametrize(
    "other",
    [
        {"prices": False},
        {"rule": "day"},
        {"scope": {"location": "y"}},
        {"account": "bert"},
        {"hours": -3},
        {"hours": 50},
        {"at": 5_001},
        {"at": None},
    ],
    ids=[
        *("no price", "another rule", "another place", "another account", "earlier", "later"),
        *("above the limit", "at an unknown count"),
    ],
)
def test_a_warning_of_something_else_is_no_notice(other: dict[str, Any]) -> None:
    """P1, D10: only a warning of the same rule, scope and window, below the limit, announces it."""
    assert broken(opened(), *warning(**other), charge()) == ["P1"]


@pytest.mark.parametrize(
    ("figures", "kept"),
    [
        ({"units": 1_100}, True),
        ({"units": 1_101}, False),
        ({"units": 0}, True),
        ({"units": -1}, False),
        ({"units": None}, False),
        ({"notice_reading": 5_399}, True),
        ({"notice_reading": 5_399, "units": 1_101}, False),
        ({"notice_reading": None}, False),
        ({"to_reading": None}, False),
        ({"limit": None}, False),
        ({"limit": 6_000}, False),
        ({"limit": 6_000, "units": 500}, True),
        ({"basis": "limit", "units": 1_500}, True),
        ({"basis": "limit", "units": 1_501}, False),
        ({"basis": ""}, False),
        ({"to_reading": 4_000, "units": 1}, False),
        ({"from": NOON + 2 * HOUR, "notice_reading": 0, "units": 1_500}, True),
        ({"until": NOON + HOUR, "units": 1}, False),
    ],
)
def test_only_units_after_the_notice_and_above_the_limit_are_charged(
    figures: dict[str, Any], kept: bool
) -> None:
    """P5, A09: 6,500 units, 5,400 at the notice: 1,100; or 1,500, where the charge says "limit".

    In a window that began after the notice all units above the limit; in one that was over, none.
    """
    assert broken(opened(), told(), charge(**figures)) == ([] if kept else ["P5"])


@pytest.mark.parametrize("kind", ["grant.made", "policy.announced"])
def test_nothing_holds_from_before_it_was_made(kind: Kind) -> None:
    """P7: a grant or a policy begins when it was made, or later."""
    assert broken(entry(kind, **{"from": NOON})) == []
    assert broken(entry(kind, **{"from": NOON - 1})) == ["P7"]


def test_the_same_thing_is_recorded_once() -> None:
    """P8: a second charge of a window, notice, delivery, grant or beginning is refused."""
    case = (opened(), told())
    assert broken(*case, charge(), charge()) == ["P8"]
    assert broken(*case, charge(), charge(charge=2)) == ["P8"]
    assert broken(*case, charge(), charge(charge=2, kind="cost", units=0)) == []
    another = (*case, opened()._replace(case=2), told(case=2, notice=2))
    again = charge(charge=2)._replace(case=2)
    assert broken(*another, charge(), again) == ["P8"]
    elsewhere = charge(charge=2, scope={"location": "y"})._replace(case=2)
    assert broken(*another, charge(), elsewhere) == []
    cost = charge(charge=1, kind="cost", units=0)
    assert broken(*another, cost, charge(charge=2, kind="cost", units=0)._replace(case=2)) == []
    assert broken(*case, begun(), begun()) == ["P8"]
    assert broken(*case, told()) == ["P8"]
    assert broken(*case, told(channel="tel:+31")) == []
    named: tuple[tuple[Kind, str], ...] = (("notice.written", "notice"), ("grant.made", "grant"))
    for kind, name in named:
        first, same, other = (entry(kind, **{name: n, "once": o}) for n, o in _TWICE)
        assert broken(first, same) == ["P8"]
        assert broken(first, other) == []
    nothing = entry("grant.made", grant=1, once=None)
    assert broken(nothing, entry("grant.made", grant=2, once=None)) == []


_TWICE = ((1, "80% of month"), (2, "80% of month"), (3, "90% of month"))


def test_every_promise_is_checked() -> None:
    """P1-P10: what customers read is what entries are asked, each of them."""
    assert {promise for asked in CHECKS.values() for promise, _ in asked} == set(PROMISES)


@pytest.mark.parametrize("value", [None, True, "x", [], {}, 1e300, float("inf")])
def test_an_entry_that_somebody_spoiled_is_read_all_the_same(value: Any) -> None:
    """S20: whatever stands where a figure was, the promises can be asked."""
    so_far = SoFar()
    for sound in (opened(), told(), begun(), charge(), entry("charge.waived", charge=1)):
        for name in sound.data:
            spoiled = sound._replace(data={**sound.data, name: value})
            broken_by(spoiled, so_far)
            so_far.add(spoiled)


def switched(at: int | None = 5_400) -> tuple[Entry, Entry]:
    """Give the notice of a switched tariff, and its delivery two hours after noon."""
    about = {"notice": 2, "kind": "measure", "prices": True, "scope": AT_X, "rule": "month"}
    return entry("notice.written", 1.5, **about), told(2, reading=at, notice=2)


def test_what_a_switched_tariff_charges_was_told_with_its_price() -> None:
    """B18, P1: the case's own notice is none of the switch, and another one's neither."""
    case, by_unit = (opened(), told()), charge(basis="switch", limit=0)
    assert broken(*case, by_unit) == ["P1"]
    assert broken(*case, switched()[0], by_unit) == ["P1"]
    assert broken(*case, *switched(), by_unit) == []


def test_a_switched_tariff_charges_what_came_after_its_notice() -> None:
    """B18, P5: every unit after it, whatever the limit; none before it, or by nobody knows when."""
    case, by_unit = (opened(), told()), charge(basis="switch", limit=9_000, to_reading=6_500)
    assert broken(*case, *switched(), by_unit) == []
    assert broken(*case, *switched(5_401), by_unit) == ["P5"]
    assert broken(*case, *switched(None), by_unit) == ["P5"]
    later: dict[str, Any] = {"from": NOON + 3 * HOUR, "notice_reading": 0, "to_reading": 1_100}
    assert broken(*case, *switched(None), charge(basis="switch", **later)) == []


def test_a_review_is_due_once() -> None:
    """P6, P8: of one day it is said once; of the next one again; and there is a next one."""
    due: dict[str, Any] = {"measure": 1, "review": NOON + HOUR}
    assert broken(opened(), entry("measure.due", 1, **due), entry("measure.due", 2, **due)) == [
        "P8"
    ]
    again = entry("measure.due", 3, **due | {"review": NOON + 2 * HOUR})
    assert broken(opened(), entry("measure.due", 1, **due), again) == []
    assert broken(opened(), told(), entry("measure.reviewed", 2, measure=1, until=None)) == ["P6"]
