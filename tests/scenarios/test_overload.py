"""Overload: once is nothing, twice by the same account is a case, and no account is closed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.scenarios.process import delivered
from tests.scenarios.support import contract, opened, upkeep, written
from tests.scenarios.support_documents import TARIFFS
from tests.scenarios.support_overload import BOUGHT, ROOM, platform
from tests.support import told

from fairuse.entry.case_tables import cases_of
from fairuse.rules.emergency import OVERLOAD
from fairuse.stores.casebook import measures_of
from fairuse.stores.history import breaches_since
from fairuse.stores.record import entries_of
from fairuse.stores.rows import Batch, BreachRow

if TYPE_CHECKING:
    from pathlib import Path

    from tests.scenarios.support_overload import Platform

    from fairuse.base.clock import ManualClock

pytestmark = pytest.mark.anyio


async def rules(under: Platform, account: str = "salon") -> list[str]:
    """Give the rules of an account's cases."""
    return [case.rule for case in await opened(under.fair, account)]


async def test_once_is_nothing_and_twice_is_a_case(tmp_path: Path, clock: ManualClock) -> None:
    """A12, A15: the first episode is noted; the second of the same account opens a case."""
    async with platform(tmp_path, clock) as under:
        await under.overload(salon=9, dentist=1)
        ledger = await told(under.fair.service)
        [noted] = await breaches_since(ledger, 0, "salon")
        assert (noted.rule, noted.reading, noted.amount) == (OVERLOAD, 90, 50)
        assert await rules(under) == []
        assert await written(under.fair, "salon") == []

        await under.rest(29)
        await under.overload(salon=9, dentist=1)
        [case] = await opened(under.fair, "salon")
        assert (case.rule, case.scope, case.reading, case.amount) == (OVERLOAD, (), 2, 1)
        assert await rules(under, "dentist") == []
        [notice] = await written(under.fair, "salon")
        assert notice.kind == "overload"
        assert notice.body.count("90% of the load") == 2
        assert "Nothing is switched off and nothing is charged" in notice.body

        await under.overload(salon=9, dentist=1)
        assert await rules(under) == [OVERLOAD]


async def test_the_evidence_is_with_the_case(tmp_path: Path, clock: ManualClock) -> None:
    """A12: an operator sees each episode, from when until when, and the share."""
    async with platform(tmp_path, clock) as under:
        await under.overload(salon=9, dentist=1)
        await under.rest(1)
        await under.overload(salon=8, dentist=2)
        configuration = under.fair.service.configuration
        [listed] = await cases_of(configuration, None, "salon", closed=False)
        shown = await cases_of(configuration, listed["case"], "", closed=False)
        assert shown["episodes"] == [
            {
                "from": "2026-11-02T12:00:01+00:00",
                "until": "2026-11-02T12:01:01+00:00",
                "share": "90%",
            },
            {
                "from": "2026-11-03T12:02:32+00:00",
                "until": "2026-11-03T12:03:32+00:00",
                "share": "80%",
            },
        ]


async def test_another_account_has_its_own_count(tmp_path: Path, clock: ManualClock) -> None:
    """A12: an episode each of two accounts is a case of neither."""
    async with platform(tmp_path, clock) as under:
        await under.overload(salon=9, dentist=1)
        await under.rest(1)
        await under.overload(barber=9, dentist=1)
        assert await rules(under) == await rules(under, "barber") == []


async def test_what_lies_further_apart_is_no_repetition(tmp_path: Path, clock: ManualClock) -> None:
    """A12: of two episodes 31 days apart the second is a first one again."""
    async with platform(tmp_path, clock) as under:
        await under.overload(salon=9, dentist=1)
        await under.rest(31)
        await under.overload(salon=9, dentist=1)
        assert await rules(under) == []


async def test_what_follows_within_an_hour_is_the_same_episode(
    tmp_path: Path, clock: ManualClock
) -> None:
    """A12: on and off for a while, or seen by several nodes, is once."""
    async with platform(tmp_path, clock) as under:
        await under.overload(salon=9, dentist=1)
        await under.overload(salon=9, dentist=1)
        ledger = await told(under.fair.service)
        moment = clock.wall
        elsewhere = ("salon", "salon", OVERLOAD, (), moment - 200, moment - 20, moment - 20, 70, 50)
        await ledger.write(Batch(breaches=[BreachRow(*elsewhere)]))
        await upkeep(under.fair)
        assert await rules(under) == []


async def test_three_times_normal_is_nobodys_overload(tmp_path: Path, clock: ManualClock) -> None:
    """A03: whoever it is of, load within what the platform is sized for touches no account."""
    async with platform(tmp_path, clock) as under:
        for _ in range(3):
            await under.overload(salon=ROOM - 1, dentist=1)
            await under.rest(1)
        ledger = await told(under.fair.service)
        assert await breaches_since(ledger, 0) == []
        assert await rules(under) == []


async def test_when_everybody_asks_for_more_it_is_nobodys(
    tmp_path: Path, clock: ManualClock
) -> None:
    """A03: the largest customer of always has most of any overload, and did nothing for it."""
    async with platform(tmp_path, clock) as under:
        for _ in range(3):
            await under.overload(dentist=8, salon=1, barber=1)
            await under.rest(1)
        assert await rules(under, "dentist") == []


async def test_who_overloads_no_more_has_no_case_any_more(
    tmp_path: Path, clock: ManualClock
) -> None:
    """A12, A17: a grace without another episode closes the case, and it was the last of those."""
    async with platform(tmp_path, clock) as under:
        for _ in range(2):
            await under.overload(salon=9, dentist=1)
            await under.rest(1)
        await delivered(under.fair, clock)
        await under.rest(15)
        [case] = await opened(under.fair, "salon")
        assert (case.state, case.outcome) == ("closed", "resolved")
        await under.overload(salon=9, dentist=1)
        assert len(await opened(under.fair, "salon")) == 1


async def test_who_goes_on_is_an_operators_to_decide_and_stays_active(
    tmp_path: Path, clock: ManualClock
) -> None:
    """A12, A29, A31, P3: after the grace the policy's step waits; nothing is ever suspended."""
    async with platform(tmp_path, clock) as under:
        for _ in range(2):
            await under.overload(salon=9, dentist=1)
            await under.rest(1)
        await delivered(under.fair, clock)
        await under.rest(7)
        await under.overload(salon=9, dentist=1)
        await under.rest(7)
        ledger = await told(under.fair.service)
        [case] = await ledger.cases("salon", closed=False)
        [measure] = await measures_of(ledger, case.id)
        assert (case.state, measure.kind, measure.state) == ("proposed", "degrade", "proposed")
        done = {entry.data.get("do") for entry in await entries_of(ledger)}
        assert done <= {None, "degrade"}
        await under.ask("salon")
        assert await under.answer() == [200]


async def test_documents_talk_about_the_fee(tmp_path: Path, clock: ManualClock) -> None:
    """E33: twice in a calendar month; the month after begins anew, and no talk ends a contract."""
    prices = "\n".join(
        f'[[tariffs.{name}]]\nprice = "EUR {price}"' for name, price in TARIFFS["documents"].items()
    )
    pack = "[packages.sales-standard]\npacks = 1"
    documents = contract("salon", "documents", pack, extra=prices)
    tenants = {"salon": documents, "dentist": contract("dentist", "booking", BOUGHT)}
    async with platform(tmp_path, clock, tenants) as under:
        await under.overload(salon=9, dentist=1)
        await under.rest(29)
        await under.overload(salon=9, dentist=1)
        assert await rules(under) == []
        await under.rest(1)
        await under.overload(salon=9, dentist=1)
        [case] = await opened(under.fair, "salon")
        assert (case.rule, case.reading) == (OVERLOAD, 2)
        await delivered(under.fair, clock)
        await under.rest(1)
        [case] = await opened(under.fair, "salon")
        assert case.state == "renegotiating"
