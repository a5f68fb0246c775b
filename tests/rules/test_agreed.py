"""What a contract's amounts come to, from when until when, and why."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.rules.support import DOCUMENTS, PAGES, agreement, at_most, utc

from fairuse.rules.agreed import Agreement, DatedAmount, History, MedianKey
from fairuse.rules.amounts import Amount
from fairuse.rules.cohorts import CohortKey, Member, Snapshot
from fairuse.rules.meters import CohortAverage

TAKEN = utc("2026-01-01T05:00")
KEY = CohortKey("documents", "advanced", "pages")
FOREVER = (float("-inf"), float("inf"))
ADVANCED = {"advanced": {"users": 3}}
PACKS = {"standard": {"packs": 4}}
USERS: dict[str, Any] = {"advanced": {"users": 10}}


def _agreed(
    amount: object, history: History | None = None, meter: dict[str, Any] = PAGES, **changes: Any
) -> Agreement:
    rules = DOCUMENTS | {"meters": {"pages": meter}, "limits": {"pages": at_most(amount)}}
    return agreement(rules, history, **{"policy": "documents", "packages": ADVANCED} | changes)


def _only(agreed: Agreement, limit: str = "pages") -> Amount | None:
    [dated] = agreed.timeline(limit)
    assert (dated.starts_at, dated.ends_at) == FOREVER
    return dated.amount


def _value(agreed: Agreement, limit: str = "pages") -> int | None:
    amount = _only(agreed, limit)
    return amount and amount.value


AMOUNTS: dict[str, tuple[str, dict[str, Any], int]] = {
    "E05: 2,500 a pack": ("sum(included * packs)", PACKS, 10_000),
    "E06: 1,250 a user": ("1250 * users", USERS, 12_500),
    "E07: 250 a user": ("sum(together * users)", USERS, 2_500),
    "E04: packages are added up": (
        "sum(included * packs + together * users)",
        PACKS | USERS,
        12_500,
    ),
    "E09: none is included": ("sum(included * users)", USERS, 0),
    "E11: 5% of the users": ("ceil(5% of users)", {"advanced": {"users": 100}}, 5),
    "E11: one at least": ("ceil(5% of users)", USERS, 1),
    "E11: none of none": ("ceil(5% of users)", {"advanced": {"users": 0}}, 0),
    "E24: 20 views a page": ("20 * sum(together * users)", USERS, 50_000),
    "less than nothing": ("users - 11", USERS, 0),
    "less than one is one": ("0.01% of users", USERS, 1),
    "rounded down": ("199% of 1", USERS, 1),
    "more than can be counted": ("9007199254740991 * users", USERS, 2**53 - 1),
}


@pytest.mark.parametrize(("amount", "packages", "value"), AMOUNTS.values(), ids=AMOUNTS)
def test_what_an_amount_comes_to(amount: str, packages: dict[str, Any], value: int) -> None:
    """E04, E05, E06, E07, E09, E11, E24: exact, rounded down in the end, but never to nothing."""
    assert _value(_agreed(amount, packages=packages)) == value


THROUGHPUT = {
    0: {"pages": 0, "per-day": 0, "per-hour": 0, "per-minute": 0},
    1: {"pages": 2_500, "per-day": 375, "per-hour": 75, "per-minute": 2},
    4: {"pages": 10_000, "per-day": 1_500, "per-hour": 300, "per-minute": 10},
}


@pytest.mark.parametrize(("packs", "amounts"), THROUGHPUT.items(), ids=map(str, THROUGHPUT))
def test_percentages_are_of_the_whole(packs: int, amounts: dict[str, int]) -> None:
    """E15, E16, E17, E09: 15% a day, 3% an hour, 0.1% a minute of what is included; 0 of 0."""
    agreed = agreement(DOCUMENTS, packages={"standard": {"packs": packs}})
    assert {limit: _value(agreed, limit) for limit in amounts} == amounts
    assert agreed.units("per-minute") == packs * Fraction("2.5")
    tenths = DOCUMENTS | {"meters": {"pages": PAGES | {"decimals": 1}}}
    exact = agreement(tenths, packages={"standard": {"packs": packs}})
    assert _value(exact, "per-minute") == packs * 25


def test_users_share_four_times_the_average() -> None:
    """B21, B24: 3 users of an average of 200 share 2,400 minutes, counted in hundredths."""
    minutes = {"unit": "minute", "count": ["event call.ended"], "decimals": 2}
    members = {f"a{number}": Member(Fraction(200_00)) for number in range(10)}
    history = History({KEY: Snapshot(KEY, TAKEN, "mean", members)})
    agreed = _agreed("users * average * 4", history, minutes | {"average": {"per": "users"}})
    why = "policy documents: users * average * 4, average 200 (mean of 10, 2026-01-01)"
    assert _only(agreed) == Amount(2_400_00, why)


SOURCES: dict[str, tuple[str, str]] = {
    "a number": ("5000", "policy documents"),
    "bytes": ("5 GB", "policy documents"),
    "arithmetic": ("1250 * users", "policy documents: 1250 * users"),
}


@pytest.mark.parametrize(("amount", "source"), SOURCES.values(), ids=SOURCES)
def test_an_amount_says_where_it_comes_from(amount: str, source: str) -> None:
    """P10 (the figures), C13: who reads an amount reads how it was worked out."""
    found = _only(_agreed(amount))
    assert found is not None
    assert found.source == source


def test_an_override_says_so() -> None:
    """A27: an override says until when, and how it was worked out; then the policy speaks again."""
    changed = {"amount": "2 * users", "reason": "exams", "until": date(2026, 12, 31)}
    ends = utc("2026-12-31T23:00")
    assert _agreed("5000", override={"pages": changed}).timeline("pages") == (
        DatedAmount(-FOREVER[1], ends, Amount(6, "override until 2026-12-31: 2 * users"), True),
        DatedAmount(ends, FOREVER[1], Amount(5_000, "policy documents"), False),
    )


def test_an_override_changes_what_follows_from_it() -> None:
    """E15 (of the allowance), A27: a percentage is of the amount in force, overridden or not."""
    changed = {"amount": 20_000, "reason": "exams"}
    agreed = agreement(DOCUMENTS, packages=PACKS, override={"pages": changed})
    assert [_value(agreed, limit) for limit in ("pages", "per-day")] == [20_000, 3_000]
    [per_day] = agreed.timeline("per-day")
    assert not per_day.overridden


def test_a_purchase_adds_from_its_moment() -> None:
    """E10, E20: pages bought at 14:00 count from 14:00; users bought for a year, for that year."""
    at = datetime(2026, 11, 10, 13, tzinfo=UTC)
    bought = {"package": "standard", "adds": {"packs": 1}, "at": at}
    year = {"package": "standard", "adds": {"packs": 2}, "from": date(2027, 1, 1)}
    agreed = agreement(
        DOCUMENTS,
        packages=PACKS,
        purchases=[bought, year | {"until": date(2027, 12, 31)}],
    )
    edges = [utc("2026-11-10T13:00"), utc("2026-12-31T23:00"), utc("2027-12-31T23:00")]
    timeline = agreed.timeline("pages")
    assert [dated.starts_at for dated in timeline[1:]] == edges
    values = [dated.amount.value for dated in timeline if dated.amount]
    assert values == [10_000, 12_500, 17_500, 12_500]


def test_a_purchase_of_another_count_changes_nothing() -> None:
    """E10: what is bought of something else leaves an amount in one piece."""
    bought = {"package": "advanced", "adds": {"users": 5}, "from": date(2026, 1, 1)}
    agreed = agreement(DOCUMENTS, packages=PACKS | ADVANCED, purchases=[bought])
    assert _value(agreed) == 10_000
    assert agreed.shares(CohortAverage()) == 1


def test_shares_are_counted_at_a_moment() -> None:
    """B22 (per user): use is spread over the users there are then, or in the end."""
    bought = {"package": "advanced", "adds": {"users": 5}, "from": date(2026, 6, 1)}
    meter = PAGES | {"average": {"per": "users"}}
    agreed = _agreed("average", None, meter, purchases=[bought])
    rule = CohortAverage(per="users")
    assert agreed.shares(rule) == 8
    assert agreed.shares(rule, utc("2026-05-31T21:59:59")) == 3
    assert agreed.shares(rule, utc("2026-05-31T22:00:00")) == 8


def test_a_cohort_has_a_name() -> None:
    """C05: accounts on the same packages are compared, or all accounts of the policy."""
    both = {"standard": {"packs": 1}, "advanced": {"users": 3}}
    packaged = _agreed("average", None, PAGES | {"average": {}}, packages=both)
    assert packaged.cohort("pages") == CohortKey("documents", "advanced+standard", "pages")
    everybody = _agreed("average", None, PAGES | {"average": {"cohort": "policy"}})
    assert everybody.cohort("pages") == CohortKey("documents", "", "pages")


def test_nothing_is_known_before_the_first_average() -> None:
    """C07: an average that nobody took yet gives no amount, not one of nothing."""
    agreed = _agreed("5 * average", None, PAGES | {"average": {}})
    assert (_only(agreed), agreed.units("pages")) == (None, None)


def _known(n: int, **average: Any) -> Amount | None:
    members = {f"a{number}": Member(Fraction(100)) for number in range(n)}
    history = History({KEY: Snapshot(KEY, TAKEN, "mean", members)})
    return _only(_agreed("5 * average", history, PAGES | {"average": average}))


def test_a_cohort_too_small_means_nothing() -> None:
    """C07 (min_cohort): nine accounts are not ten; until then the policy says what holds."""
    shown = "policy documents: 5 * average, average 100 (mean of 10, 2026-01-01)"
    waiting = "policy documents: 5 * average, average 40 until 10 accounts are known"
    assert _known(10) == Amount(500, shown)
    assert _known(9) is None
    assert _known(9, otherwise=40) == Amount(200, waiting)
    assert _known(10, otherwise=40) == Amount(500, shown)
    assert _known(2, at_least=2) is not None


MEDIANS = [("calendar day", "day", 70), ("calendar month", "month", 2_000)]


@pytest.mark.parametrize(("window", "unit", "usual"), MEDIANS)
def test_an_own_median_is_of_the_same_window(window: str, unit: Any, usual: int) -> None:
    """A24 (10x its own day), A (ambiguity 4): ten times what the account itself usually uses."""
    rules = DOCUMENTS | {
        "limits": {"pages": at_most("10 * own median", window=window)},
        "meters": {"pages": PAGES | {"decimals": 1}},
    }
    medians = {
        MedianKey("salon", "pages", "day"): Fraction(700),
        MedianKey("salon", "pages", "month"): Fraction(20_000),
        MedianKey("other", "pages", unit): Fraction(1),
    }
    agreed = agreement(rules, History({}, medians), packages=PACKS)
    source = f"policy booking: 10 * own median, own median {usual}"
    assert _only(agreed) == Amount(100 * usual, source)
    assert _only(agreement(rules, packages=PACKS)) is None


DAYS = st.dates(date(2026, 1, 1), date(2026, 12, 1))


@given(st.lists(st.tuples(DAYS, st.integers(0, 60), st.integers(1, 5)), max_size=6), st.booleans())
def test_a_timeline_has_no_gaps(bought: list[tuple[date, int, int]], changed: bool) -> None:
    """P7: at every moment one amount holds: as many packs as there are, or the override."""
    purchases = [
        {"package": "standard", "adds": {"packs": packs}}
        | {"from": day, "until": day + timedelta(days=length)}
        for day, length, packs in bought
    ]
    override = {"pages": {"amount": 7, "reason": "x", "from": date(2026, 7, 1)}} if changed else {}
    agreed = agreement(DOCUMENTS, packages=PACKS, purchases=purchases, override=override)
    timeline = agreed.timeline("pages")
    assert (timeline[0].starts_at, timeline[-1].ends_at) == FOREVER
    for one, other in pairwise(timeline):
        assert one.ends_at == other.starts_at
        assert (one.amount, one.overridden) != (other.amount, other.overridden)
    for month in range(1, 13):
        noon = date(2026, month, 10)
        moment = utc(f"{noon}T12:00")
        [dated] = [each for each in timeline if each.starts_at <= moment < each.ends_at]
        packs = sum(n for day, length, n in bought if day <= noon <= day + timedelta(days=length))
        assert dated.amount is not None
        expected = 7 if changed and month >= 7 else 2_500 * (4 + packs)
        assert dated.amount.value == expected
