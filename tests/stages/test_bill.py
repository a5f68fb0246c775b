"""Bill: what is charged was used in the window, whatever zone its midnights are in."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import UTC, datetime
from itertools import count
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, NamedTuple
from zoneinfo import ZoneInfo, available_timezones

from hypothesis import example, given, settings
from hypothesis import strategies as st
from tests.rules.support import LIMIT, policy, tenant
from tests.rules.support_charges import CENTS, RULE, a_case

from fairuse.rules.agreed import History
from fairuse.rules.terms import Terms
from fairuse.rules.windows import Calendar, hour_of
from fairuse.stages.bill import charges_of, reading_so_far
from fairuse.stores.ledger import Ledger
from fairuse.stores.rows import Batch, UsageKey

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fairuse.rules.ladder import Case

HOUR = 3_600
AMOUNT = 5
HARD = ("Asia/Kolkata", "Asia/Kathmandu", "Australia/Lord_Howe", "America/St_Johns", "Etc/UTC")
ZONES = (st.sampled_from(HARD) | st.sampled_from(sorted(available_timezones()))).map(ZoneInfo)
MONTHS = st.dates(datetime(2024, 1, 1).date(), datetime(2036, 1, 1).date())  # noqa: DTZ001
NEAR = st.tuples(st.sampled_from(["start", "told", "end"]), st.integers(-2 * HOUR, 2 * HOUR))


class Month(NamedTuple):
    """A month of an account, and what it used: near its bounds or near its notice.

    `before` is the zone that the account was in until `changed`.
    """

    zone: ZoneInfo
    before: ZoneInfo
    changed: int
    start: int
    told: int
    end: int
    used: Sequence[tuple[int, int]]


@st.composite
def months(draw: st.DrawFn) -> Month:
    """Give a month in any zone, which may have been another one until some moment."""
    zone, day = draw(ZONES), draw(MONTHS)
    noon = datetime(day.year, day.month, 15, 12, tzinfo=UTC).timestamp()
    start, end = Calendar("month").span(noon, zone)
    told = draw(st.integers(start, end - 1))
    edges = {"start": start, "told": told, "end": end}
    near = st.tuples(NEAR.map(lambda at: edges[at[0]] + at[1]), st.integers(1, 9))
    used = draw(st.lists(near, max_size=12))
    before = draw(st.just(zone) | ZONES)
    changed = edges[draw(st.sampled_from([*edges]))] + draw(st.integers(-HOUR, 3 * HOUR))
    return Month(zone, before, changed, start, told, end, used)


class Office:
    """A ledger, and bills of what is in it."""

    def __init__(self) -> None:
        self._folder = TemporaryDirectory()
        self._runner = asyncio.Runner()
        self._places = count()
        url = f"sqlite:///{self._folder.name}/fairuse.db"
        self.ledger = self._runner.run(Ledger.open(url))

    def billed(self, month: Month) -> tuple[int, int | None]:
        """Give the units that are charged for a month, and the count of it by its hours."""
        return self._runner.run(self._billed(month))

    async def _billed(self, month: Month) -> tuple[int, int | None]:
        place = f"place-{next(self._places)}"
        rows: Counter[UsageKey] = Counter()
        for moment, units in month.used:
            zone = month.before if moment < month.changed else month.zone
            rows[UsageKey("salon", place, "appointments", hour_of(moment, zone))] += units
        await self.ledger.write(Batch(usage=[*rows.items()]))
        limits = {RULE: LIMIT | {"amount": str(AMOUNT), "over": "charge", "tariff": "extra"}}
        contract = tenant(timezone=month.zone.key, tariffs={"extra": CENTS})
        terms = Terms("salon-anna", "salon", contract, policy(limits=limits), History())
        case = _case(month, place)
        charges = await charges_of(case, None, None, terms, self.ledger)
        reading = await reading_so_far(case, terms, self.ledger)
        return sum(charge.units for charge in charges), reading

    def close(self) -> None:
        """Close the ledger."""
        self._runner.run(self.ledger.close())
        self._runner.close()
        self._folder.cleanup()


def _case(month: Month, place: str) -> Case:
    return a_case(
        scope=(("location", place),),
        starts_at=month.start,
        ends_at=month.end,
        amount=AMOUNT,
        notified_at=month.told,
        notified_reading=_used(month, month.start, month.told),
    )


def _used(month: Month, since: int, until: int) -> int:
    return sum(units for moment, units in month.used if since <= moment < until)


KOLKATA = ZoneInfo("Asia/Kolkata")
OCTOBER = Calendar("month").span(1_792_000_000, KOLKATA)
LATE = Month(
    *(KOLKATA, KOLKATA, OCTOBER.end + HOUR, OCTOBER.start, OCTOBER.start + HOUR, OCTOBER.end),
    [(OCTOBER.end - HOUR // 4, 9), (OCTOBER.end + HOUR // 4, 9)],
)
EARLY = LATE._replace(
    told=OCTOBER.start + HOUR,
    used=[(OCTOBER.start - HOUR // 4, 9), (OCTOBER.start + HOUR // 4, 9), (OCTOBER.end - 1, 9)],
)


def test_no_unit_is_charged_that_was_not_used_in_the_window() -> None:
    """P5, A22, F-35: in zones at half hours, too, and after a change of zone."""
    office = Office()

    @settings(max_examples=150)
    @example(LATE)
    @example(EARLY)
    @example(LATE._replace(before=ZoneInfo("Etc/UTC")))
    @given(months())
    def bill(month: Month) -> None:
        charged, reading = office.billed(month)
        in_window = _used(month, month.start, month.end)
        after = _used(month, month.told, month.end)
        assert charged <= max(0, min(in_window - AMOUNT, after))
        if month.before == month.zone:
            assert reading == in_window

    try:
        bill()
    finally:
        office.close()
