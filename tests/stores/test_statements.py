"""Statements of months: each charge is in one, and one of a month that is over never changes."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import suppress
from datetime import UTC, date, datetime
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.stores.bills import charge_of, make
from tests.stores.recording import DAY, case_from, delivered, opened
from tests.support import NOON

from fairuse.base.errors import ChargeError
from fairuse.rules.statement import charges_csv, events_json, in_order, is_over, statement_json
from fairuse.stores.charges import charges_of, charges_of_month, finalise, waive
from fairuse.stores.ledger import Ledger

if TYPE_CHECKING:
    from collections.abc import Sequence

MONTHS = [date(2026 + number // 12, number % 12 + 1, 1) for number in range(10, 34)]
ZONES = ("Pacific/Kiritimati", "Europe/Amsterdam", "Asia/Kolkata", "Etc/GMT+12")


class Event(NamedTuple):
    """What happens after so many days: a charge is made, one is waived, or upkeep runs."""

    days: float
    what: str
    zone: str
    share: int


EVENTS = st.builds(
    Event,
    st.floats(0, 20),
    st.sampled_from(["make", "make", "waive", "upkeep"]),
    st.sampled_from(ZONES),
    st.integers(1, 100),
)


async def statement(ledger: Ledger, month: date, moment: float) -> tuple[bytes, ...]:
    """Give a month's statement as it is written at a moment."""
    found = in_order(await charges_of_month(ledger, month, moment))
    complete = is_over(month, moment)
    return charges_csv(found), statement_json(month, found, complete=complete), events_json(found)


async def happens(ledger: Ledger, event: Event, number: int, moment: float) -> None:
    """Have something happen; a charge that is final is not waived."""
    if event.what == "upkeep":
        await finalise(ledger, moment)
    elif event.what == "make":
        case = await delivered(ledger, await opened(ledger, case_from(account=f"account-{number}")))
        assert await make(ledger, charge_of(case)._replace(zone=event.zone), moment)
    else:
        with suppress(ChargeError):
            latest = len(await charges_of(ledger))
            await waive(ledger, latest, f"{event.share}%", "a fair", moment, "olga")


async def history(events: Sequence[Event]) -> None:
    """Play a history, and compare each month's statement with what it was once it was over."""
    with TemporaryDirectory() as folder:
        ledger = await Ledger.open(f"sqlite:///{folder}/fairuse.db")
        known: dict[date, tuple[bytes, ...]] = {}
        moment = NOON + 30 * DAY
        for number, event in enumerate([*events, Event(60, "upkeep", "", 0)]):
            moment += event.days * DAY
            await happens(ledger, event, number, moment)
            for month in (each for each in MONTHS if is_over(each, moment)):
                now = await statement(ledger, month, moment)
                assert known.setdefault(month, now) == now
        listed = [await charges_of_month(ledger, month, moment) for month in MONTHS]
        times = Counter(charge.id for found in listed for charge in found)
        assert times == Counter(charge.id for charge in await charges_of(ledger))
        await ledger.close()


@settings(max_examples=12)
@given(st.lists(EVENTS, min_size=4, max_size=14))
def test_statements_of_past_months_never_change(events: list[Event]) -> None:
    """A21, D15, E36: whenever a charge is made, waived or final, it is in one month's statement."""
    asyncio.run(history(events))


@pytest.mark.parametrize(
    ("moment", "over"),
    [("2026-12-01T11:59:59", False), ("2026-12-01T12:00:00", True), ("2027-05-01T00:00", True)],
)
def test_a_month_is_over_once_it_is_for_everybody(moment: str, *, over: bool) -> None:
    """E36: the last zone is twelve hours behind, and a bill is not to be written before it."""
    at = datetime.fromisoformat(moment).replace(tzinfo=UTC).timestamp()
    assert is_over(date(2026, 11, 1), at) is over
