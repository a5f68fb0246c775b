"""Averages of cohorts: taken when due from months that are over, and frozen until the next."""

from __future__ import annotations

from datetime import UTC, datetime
from fractions import Fraction
from typing import TYPE_CHECKING

import pytest
from tests.stores.office import OCTOBER, OF_ALL, POLICY, contract
from tests.stores.support import DAY
from tests.support import NOON

from fairuse.rules.cohorts import Member
from fairuse.stores.averages import take_all
from fairuse.stores.history import latest_snapshots

if TYPE_CHECKING:
    from tests.stores.office import Office

pytestmark = pytest.mark.anyio

NEW_YEAR, NEXT_YEAR = (datetime(year, 1, 1, 12, tzinfo=UTC).timestamp() for year in (2027, 2028))


async def test_the_average_is_over_all_users_also_those_who_use_nothing(office: Office) -> None:
    """B21, B22: known use gives a known mean per user, with n and those at zero counted in."""
    office.agree(a=contract("a", 3), b=contract("b", 1), c=contract("c", 0), d=contract("d", 4))
    await office.use("a", 1_000, OCTOBER)
    await office.use("d", 600, OCTOBER)
    assert office.amount("a", NOON) is None
    assert await office.renew(NOON)
    snapshot = office.averages.history.snapshots[OF_ALL]
    assert (snapshot.n, snapshot.day, snapshot.method) == (3, "2026-11-02", "mean")
    assert snapshot.average_for("a") == 200
    assert office.members()["b"] == Member(Fraction(0), 1)
    assert {name: office.amount(name, NOON) for name in "abd"} == {"a": 2_400, "b": 800, "d": 3_200}


async def test_an_average_is_taken_once_a_year_and_frozen(office: Office) -> None:
    """B23, S4: what is used after a snapshot changes no limit until the next year's one."""
    office.agree(a=contract("a"), b=contract("b"))
    await office.use("a", 200, OCTOBER)
    assert await office.renew(NOON)
    await office.use("a", 9_999, NOON)
    await office.use("b", 9_999, OCTOBER)
    for moment in (NOON + 60, NOON + DAY, NOON + 50 * DAY):
        await office.renew(moment)
        assert office.amount("a", moment) == 4 * 100
        assert office.averages.history.snapshots[OF_ALL].taken_at == NOON
    assert await office.renew(NEW_YEAR)
    # October to December: (200 + 9,999 + 9,999) / 3 months / 2 users.
    assert office.amount("a", NEW_YEAR) == 4 * (200 + 2 * 9_999) // 6
    await office.renew(NEXT_YEAR - DAY)
    assert office.averages.history.snapshots[OF_ALL].taken_at == NEW_YEAR
    assert await office.renew(NEXT_YEAR)
    assert office.averages.history.snapshots[OF_ALL].taken_at == NEXT_YEAR


@pytest.mark.parametrize(
    ("refresh", "taken"),
    [("yearly", [0, 3]), ("monthly", [0, 2, 3]), ("manual", [])],
)
async def test_an_average_is_taken_when_it_is_due(
    office: Office, refresh: str, taken: list[int]
) -> None:
    """B23 (ambiguity C3): yearly, monthly, or by hand only."""
    office.agree(POLICY.replace('"yearly"', f'"{refresh}"'), a=contract("a"), b=contract("b"))
    await office.use("a", 200, OCTOBER)
    moments = [NOON, NOON + 20 * DAY, NOON + 40 * DAY, NEW_YEAR]
    found = []
    for index, moment in enumerate(moments):
        await office.renew(moment)
        snapshot = office.averages.history.snapshots.get(OF_ALL)
        found += [index] if snapshot is not None and snapshot.taken_at == moment else []
    assert found == taken


async def test_an_average_can_be_taken_by_hand(office: Office) -> None:
    """B23: what another process takes is taken up by the one that runs, once."""
    office.agree(POLICY.replace('"yearly"', '"manual"'), a=contract("a"), b=contract("b"))
    await office.use("a", 200, OCTOBER)
    assert not await office.renew(NOON)
    [snapshot] = await take_all(office.ledger, office.configuration.current, NOON + 60)
    assert await latest_snapshots(office.ledger) == {OF_ALL: snapshot}
    assert await office.renew(NOON + 120)
    assert office.amount("a", NOON + 120) == 400
    assert not await office.renew(NOON + 180)


@pytest.mark.parametrize("cohort", ["package", "policy"])
async def test_packages_have_averages_of_their_own(office: Office, cohort: str) -> None:
    """C05, C07: accounts of two packages are compared with their own, unless all are one cohort."""
    policy = POLICY.replace('"policy"', f'"{cohort}"')
    names = {"a": "basic", "b": "basic", "c": "plus", "d": "plus"}
    office.agree(policy, **{name: contract(name, package=held) for name, held in names.items()})
    await office.use("a", 100, OCTOBER)
    await office.use("c", 5_000, OCTOBER)
    await office.renew(NOON)
    snapshots = office.averages.history.snapshots
    apart = {
        key.packages: (snapshot.n, int(snapshot.average_for("")))
        for key, snapshot in snapshots.items()
    }
    assert apart == (
        {"basic": (2, 50), "plus": (2, 2_500)} if cohort == "package" else {"": (4, 1_275)}
    )


async def test_only_months_that_are_over_count_and_only_those_it_was_there(office: Office) -> None:
    """C07: a young account's average is over its own months, and this month is in nobody's."""
    office.agree(
        a=contract("a"), b=contract("b", since="2026-10-20"), c=contract("c", since="2026-11-01")
    )
    for months in range(12):
        await office.use("a", 120, OCTOBER - months * 30.4 * DAY)
    await office.use("b", 70, OCTOBER + 10 * DAY)
    for name in "abc":
        await office.use(name, 9_999, NOON - 3_600)
    await office.renew(NOON)
    assert office.members() == {"a": Member(Fraction(120)), "b": Member(Fraction(70))}


async def test_months_before_anything_was_counted_are_in_no_average(office: Office) -> None:
    """B22, C07: a gateway that is two months old divides by two, however old the contracts are."""
    office.agree(a=contract("a"), b=contract("b"), c=contract("c", since="2026-10-01"))
    await office.use("a", 300, OCTOBER - 30 * DAY)
    await office.use("c", 90, OCTOBER)
    await office.renew(NOON)
    zero = Member(Fraction(0))
    assert office.members() == {"a": Member(Fraction(150)), "b": zero, "c": Member(Fraction(90))}


@pytest.mark.parametrize("used", [False, True])
async def test_there_is_no_average_before_a_month_is_over(office: Office, *, used: bool) -> None:
    """B22: with nothing counted, or this month only, there is nothing to be an average of."""
    office.agree(a=contract("a"), b=contract("b"))
    if used:
        await office.use("a", 500, NOON - 3_600)
    assert not await office.renew(NOON)
    assert office.averages.history.snapshots == {}
    assert office.amount("a", NOON) is None
    if used:
        assert await office.renew(NOON + 30 * DAY)
        assert office.amount("a", NOON + 30 * DAY) == 4 * 250
