"""What the ledger knows of the past: usage of a span, snapshots, and breaches."""

from __future__ import annotations

from datetime import UTC, datetime
from fractions import Fraction
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest
from tests.support import NOON

from fairuse.rules.cohorts import CohortKey, Member, Snapshot
from fairuse.rules.windows import BillingDay, Span, months_before
from fairuse.stores import at_once
from fairuse.stores.grants import Forgiven, forgive
from fairuse.stores.history import (
    Breached,
    add_snapshot,
    breaches_in,
    breaches_since,
    latest_snapshot_id,
    latest_snapshots,
    note_judged,
    open_episodes,
    unjudged,
)
from fairuse.stores.rows import Batch, BreachRow, UsageKey
from fairuse.stores.usage import Use, first_usage, hourly_usage, total_usage, used_in

if TYPE_CHECKING:
    from fairuse.stores.ledger import Ledger

pytestmark = pytest.mark.anyio

HOUR, DAY = 3_600, 86_400
COHORT = CohortKey("booking", "basic", "calls")
BREACH = BreachRow(
    "salon", "anna", "month", (("location", "x"),), NOON, NOON + 60, NOON + 5, 11, 10
)


async def use(ledger: Ledger, account: str, *used: tuple[float, int], place: str = "") -> None:
    """Write what an account used, and when."""
    rows = [
        (UsageKey(account, place, "calls", int(moment // HOUR) * HOUR), units)
        for moment, units in used
    ]
    await ledger.write(Batch(usage=rows))


@pytest.mark.parametrize("billing", [BillingDay(), BillingDay(31, 3)])
@pytest.mark.parametrize(
    "zone", ["Etc/UTC", "Europe/Amsterdam", "America/New_York", "Pacific/Auckland"]
)
async def test_months_of_a_zone_share_no_hour(
    ledger: Ledger, zone: str, billing: BillingDay
) -> None:
    """S18: each hour is in one of an account's months, as its own zone and contract begin."""
    months = months_before(NOON, 14, ZoneInfo(zone), billing)
    edges = [moment for month in months for moment in (month.start, month.end - HOUR)]
    await use(ledger, "anna", *((edge, 10 ** (index % 2)) for index, edge in enumerate(edges)))
    await use(ledger, "anna", (months[0].end, 100), (months[-1].start - HOUR, 100), place="x")
    for month in months:
        assert await total_usage(ledger, "calls", month) == {"anna": 11}
    whole = Span(months[-1].start, months[0].end)
    assert await total_usage(ledger, "calls", whole) == {"anna": 11 * 14}


async def test_usage_is_added_up_over_places_and_kept_apart_by_account(ledger: Ledger) -> None:
    """B24: what an account used is the sum over its locations, and nobody else's."""
    await use(ledger, "anna", (NOON, 2), place="x")
    await use(ledger, "anna", (NOON, 3), (NOON + HOUR, 4), place="y")
    await use(ledger, "bert", (NOON - HOUR, 7))
    span = Span(int(NOON), int(NOON) + HOUR)
    assert await total_usage(ledger, "calls", span) == {"anna": 5}
    assert await total_usage(ledger, "other", span) == {}
    assert await first_usage(ledger, "calls") == {"anna": NOON, "bert": NOON - HOUR}
    wide = Span(int(NOON) - DAY, int(NOON) + DAY)
    whole = Use("anna", "calls", None, wide)
    assert await hourly_usage(ledger, whole) == [(NOON, 5), (NOON + HOUR, 4)]
    assert await hourly_usage(ledger, whole._replace(location="x")) == [(NOON, 2)]
    assert await hourly_usage(ledger, whole._replace(span=span)) == [(NOON, 5)]


async def test_snapshots_come_back_as_they_were_taken(ledger: Ledger) -> None:
    """B23: a snapshot keeps its date, its method, and each member's exact share."""
    members = {"anna": Member(Fraction(200, 3), 2), "bert": Member(Fraction(0), 1)}
    snapshots = [
        Snapshot(COHORT, NOON, "median", members),
        Snapshot(COHORT._replace(packages=""), NOON, "mean", {}),
        Snapshot(COHORT, NOON + DAY, "trimmed mean", members | {"carl": Member(Fraction(1))}),
    ]
    assert await latest_snapshot_id(ledger) == 0
    assert await latest_snapshots(ledger) == {}
    for number, snapshot in enumerate(snapshots, start=1):
        await add_snapshot(ledger, snapshot, Fraction(200, 9))
        assert await latest_snapshot_id(ledger) == number
    assert await latest_snapshots(ledger) == {
        COHORT: snapshots[2],
        COHORT._replace(packages=""): snapshots[1],
    }


async def test_breaches_are_found_by_when_they_began_and_end(ledger: Ledger) -> None:
    """B25, E32: breaches are given oldest first, of one account or all, open ones and closed."""
    later = BREACH._replace(starts_at=NOON + 100, ends_at=NOON + 160)
    other = BREACH._replace(account="bert", starts_at=NOON + 50, ends_at=NOON + 500, scope=())
    await ledger.write(Batch(breaches=[later, other, BREACH]))
    assert await breaches_since(ledger, NOON) == [BREACH, other, later]
    assert await breaches_since(ledger, NOON + 1, "anna") == [later]
    assert await open_episodes(ledger, NOON + 60) == [other, later]
    assert await unjudged(ledger, NOON + 160) == [BREACH, later]
    await note_judged(ledger, BREACH)
    assert await unjudged(ledger, NOON + 500) == [other, later]


def test_noon_is_in_november() -> None:
    """The tests of months rely on where the clock stands."""
    assert datetime.fromtimestamp(NOON, UTC).date().isoformat() == "2026-11-02"


async def test_many_questions_are_answered_at_once(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """S15: of many uses, and many limits, each has the answer that it would have by itself."""
    monkeypatch.setattr(at_once, "MOST_ASKED", 3)
    await use(ledger, "anna", (NOON, 2), (NOON + HOUR, 4), place="x")
    await use(ledger, "bert", (NOON, 7), place="y")
    spans = [Span(int(NOON), int(NOON) + hours * HOUR) for hours in (0, 1, 2)]
    uses = [
        Use(account, "calls", place, span)
        for account in ("anna", "bert", "carl")
        for place in (None, "x")
        for span in spans
    ]
    alone = [sum(units for _, units in await hourly_usage(ledger, each)) for each in uses]
    assert await used_in(ledger, uses) == alone
    assert sorted({*alone}) == [0, 2, 6, 7]
    assert await used_in(ledger, []) == []


async def test_breaches_of_many_limits_are_counted_at_once(ledger: Ledger) -> None:
    """C19, D24: by account, limit and scope, from a moment on; but for those forgiven."""
    scope = (("location", "x"),)
    rows = [
        BreachRow("salon", account, "month", where, start, start + DAY, start, 9, 8)
        for account, where in (("anna", ()), ("anna", scope), ("bert", ()))
        for start in (NOON, NOON + 10 * DAY)
    ]
    await ledger.write(Batch(breaches=rows))
    await forgive(ledger, Forgiven("bert", "month", (), NOON, "olga", "a fair"), NOON + DAY)
    asked = [
        Breached("anna", "month", scope, NOON),
        Breached("anna", "month", scope, NOON + 1),
        Breached("bert", "month", (), NOON),
        Breached("anna", "week", (), NOON),
    ]
    assert await breaches_in(ledger, asked) == [2, 1, 1, 0]
