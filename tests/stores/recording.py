"""A whole fair process in a ledger, step by step, as the casebook writes it."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING

from tests.support import NOON

from fairuse.rules.charges import Charge, Figures
from fairuse.rules.grants import Grant
from fairuse.rules.ladder import Case
from fairuse.rules.measures import Measure
from fairuse.rules.rating import Line
from fairuse.rules.record import Entry
from fairuse.stores.casebook import add_measure, change_measure, move, open_case
from fairuse.stores.charges import add_charge, charges_of, waive
from fairuse.stores.grants import add
from fairuse.stores.record import append
from fairuse.stores.rows import NoticeRow

if TYPE_CHECKING:
    from fairuse.rules.ladder import Happening
    from fairuse.rules.record import Value
    from fairuse.stores.ledger import Ledger

HOUR = 3_600
DAY = 24 * HOUR
MAIL = "mailto:anna@salon.example"
SCOPE = (("location", "x"),)
NOTICE = NoticeRow("salon", "anna", "month", NOON, 5_001, 5_000, "policy", "nl", (MAIL,), "s", "b")


def case_from(starts_at: float = NOON - DAY, account: str = "anna") -> Case:
    """Give a case that is to be opened, of a window of thirty days."""
    ends_at = starts_at + 30 * DAY
    return Case(0, "salon", account, "month", SCOPE, starts_at, ends_at, NOON, "open", 5_001, 5_000)


async def opened(ledger: Ledger, case: Case | None = None) -> Case:
    """Open a case, and give it with its number."""
    case = case or case_from()
    notice = NOTICE._replace(account=case.account)
    assert await open_case(ledger, case, lambda _: notice, [MAIL])
    return (await ledger.cases(case.account))[-1]


async def delivered(ledger: Ledger, case: Case, reading: int = 5_400) -> Case:
    """Deliver the notice of a case, an hour after noon."""
    at = NOON + HOUR
    data: dict[str, Value] = {
        "notice": case.id,
        "channel": MAIL,
        "rule": case.rule,
        "reading": reading,
    }
    told = Entry(at, "notice.delivered", case.account, case.id, "fairuse", data)
    async with ledger.transaction() as connection:
        await append(connection, [told])
        moved = await move(
            connection, case, "delivered", at, notified_at=at, notified_reading=reading
        )
    assert moved is not None
    return moved


async def moved(ledger: Ledger, case: Case, happening: Happening, moment: float) -> Case:
    """Move a case."""
    async with ledger.transaction() as connection:
        now = await move(connection, case, happening, moment)
    assert now is not None
    return now


async def measured(ledger: Ledger, case: Case, what: str = "suspend") -> Measure:
    """Propose a measure for a day and begin it, two hours after noon."""
    at = NOON + 2 * HOUR
    wanted = Measure(
        id=0,
        case=case.id,
        account=case.account,
        kind=what,  # type: ignore[arg-type]
        scope=case.scope,
        routes=("GET /exports",),
        limit="",
        amount="",
        reason="still over",
        state="proposed",
    )
    async with ledger.transaction() as connection:
        proposed = await add_measure(connection, case, wanted, at, "fairuse")
        begun = proposed._replace(state="in force", starts_at=at, ends_at=at + DAY, by="olga")
        await change_measure(connection, case, begun, "measure.begun", at, "olga")
    return begun


def charge_of(case: Case, units: int = 1_100) -> Charge:
    """Give the charge of a case's window: what came after 5,400 of 6,500 units, of 5,000."""
    return Charge(
        id=0,
        case=case.id,
        tenant=case.tenant,
        account=case.account,
        rule=case.rule,
        scope=case.scope,
        kind="usage",
        starts_at=case.starts_at,
        ends_at=case.ends_at,
        notified_at=case.notified_at or 0.0,
        basis="notice",
        figures=Figures(5_000, 5_400, 5_400, 6_500),
        units=units,
        decimals=0,
        currency="EUR",
        amount=Decimal("55.00"),
        lines=(Line(units, 1, Decimal("0.05"), date.min, Fraction(55)),),
        zone="Europe/Amsterdam",
    )


async def chosen(ledger: Ledger, case: Case, choice: str) -> None:
    """Record a choice."""
    at = NOON + 2 * HOUR
    entry = Entry(at, "choice.made", case.account, case.id, "anna", {"choice": choice})
    async with ledger.transaction() as connection:
        await append(connection, [entry])


async def charged(ledger: Ledger, case: Case, units: int = 1_100) -> None:
    """Charge a case, once its window is over."""
    at = case.ends_at + HOUR
    async with ledger.transaction() as connection:
        assert await move(connection, case, "charged", at) is not None
        assert await add_charge(connection, charge_of(case, units), at, "olga")


async def whole_process(ledger: Ledger) -> None:
    """Have anna's case end in a measure that is over, and bert's in a charge, and a grant."""
    anna = await delivered(ledger, await opened(ledger))
    bert = await delivered(ledger, await opened(ledger, case_from(account="bert")))
    anna = await moved(ledger, anna, "persisted", NOON + 2 * HOUR)
    anna = await moved(ledger, anna, "approved", NOON + 2 * HOUR)
    measure = await measured(ledger, anna)
    await chosen(ledger, bert, "accept charges")
    bert = await moved(ledger, bert, "accepted", NOON + 2 * HOUR)
    ended = measure._replace(state="ended")
    async with ledger.transaction() as connection:
        at = NOON + 26 * HOUR
        assert await move(connection, anna, "ended", at) is not None
        await change_measure(connection, anna, ended, "measure.ended", at, "fairuse")
    await charged(ledger, bert)
    [charge] = await charges_of(ledger)
    at = bert.ends_at + DAY
    await waive(ledger, charge.id, "EUR 5.00", "a good customer", at, "olga")
    grant = Grant(0, "bert", "month", "extra", "500", SCOPE, at, at, at + DAY, "olga", "a fair")
    await add(ledger, grant)
