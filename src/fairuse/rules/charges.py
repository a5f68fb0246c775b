"""Charges: what a customer is charged for a case, with everything it was worked out from."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Literal, NamedTuple
from zoneinfo import ZoneInfo

from fairuse.base.errors import ChargeError
from fairuse.rules.money import ROUNDING, exact_text, is_in_minor_units, to_minor_units
from fairuse.rules.rating import Line, Rated
from fairuse.rules.tariffs import Price, parse_price

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fairuse.rules.record import Value
    from fairuse.rules.tally import ScopeKey

Kind = Literal["usage", "cost"]
Basis = Literal["notice", "limit", "switch"]
"""From where on units are charged: those after the notice, or all above the limit; or every unit
since the tariff was switched, whatever the limit."""

UNNUMBERED = 0
"""The id of a charge before the ledger gives it one."""


class Figures(NamedTuple):
    """What a charge of use was measured by, as it was counted.

    The units are among those from `from_reading` to `to_reading`; `limit` is the amount in force
    when the first of them was used. Nothing was measured for a cost.
    """

    limit: int = 0
    notice_reading: int = 0
    from_reading: int = 0
    to_reading: int = 0


class Charge(NamedTuple):
    """A charge of a case, for one window and scope. Times are wall time, `units` counts.

    A cost has no units of use, and one line.

    `waived` is the part of the amount that the provider bears (D23), and `reason` says why; `text`
    says what a cost was for. `zone` is whose days the tariffs hold by.
    """

    id: int
    case: int
    tenant: str
    account: str
    rule: str
    scope: ScopeKey
    kind: Kind
    starts_at: float
    ends_at: float
    notified_at: float
    basis: Basis
    figures: Figures
    units: int
    decimals: int
    currency: str
    amount: Decimal
    lines: tuple[Line, ...]
    zone: str
    made_at: float = 0.0
    final_at: float = 0.0
    waived: Decimal = Decimal(0)
    reason: str = ""
    text: str = ""
    final: bool = False

    @property
    def total(self) -> Fraction:
        """Give the exact sum of its lines."""
        return Rated(self.currency, self.lines).total

    @property
    def due(self) -> Decimal:
        """Give what is to be paid."""
        return to_minor_units(Fraction(self.amount) - Fraction(self.waived), self.currency)

    @property
    def month(self) -> date:
        """Give the first day of the month it is billed in: the local one in which it is final.

        Nothing about it changes any more then, and nothing that is made later is in that month.
        """
        return datetime.fromtimestamp(self.final_at, ZoneInfo(self.zone)).date().replace(day=1)


def measured(charge: Charge) -> dict[str, Value]:
    """Give what a charge was measured by, as the record and the ledger keep it."""
    return {
        "basis": charge.basis,
        "notified_at": charge.notified_at,
        **charge.figures._asdict(),
    }


def arithmetic(charge: Charge) -> dict[str, Value]:
    """Give how a charge's amount was worked out, for everybody to check; money is text.

    The units of a line are counts: `10 ** decimals` of them are one.
    """
    return {
        "decimals": charge.decimals,
        "zone": charge.zone,
        "lines": [_line_table(line) for line in charge.lines],
        "total": exact_text(charge.total),
        "rounding": ROUNDING,
    }


def line_of(table: Mapping[str, str | int | None]) -> Line:
    """Read a line as `arithmetic` writes it."""
    units, per, day = table["units"], table["per"], table["from"]
    return Line(
        int(units or 0),
        None if per is None else int(per),
        Decimal(str(table["price"])),
        date.min if day is None else date.fromisoformat(str(day)),
        Fraction(str(table["subtotal"])),
    )


def _line_table(line: Line) -> dict[str, Value]:
    return {
        "units": line.units,
        "per": line.per,
        "price": f"{line.price:f}",
        "from": None if line.from_ == date.min else line.from_.isoformat(),
        "subtotal": exact_text(line.subtotal),
    }


def waived_by(charge: Charge, what: str) -> Decimal:
    """Give how much of a charge is waived by "all", "50%" or "EUR 5.00".

    Raises ChargeError for anything else, nothing, and more than is left.
    """
    if what == "all":
        waived = Fraction(charge.due)
    elif what.endswith("%"):
        waived = Fraction(charge.amount) * _share(what)
    else:
        waived = _part(charge, what)
    part = to_minor_units(waived, charge.currency)
    if part <= 0 or part > charge.due:
        left = Price(charge.currency, charge.due)
        raise ChargeError(f"charge {charge.id} has {left} left to waive, and not {what}")
    return part


def _share(what: str) -> Fraction:
    number = what.removesuffix("%")
    if not (number.isascii() and number.isdecimal()):
        raise ChargeError(f'"{what}" is no share; write it like "50%"')
    return Fraction(int(number), 100)


def _part(charge: Charge, what: str) -> Fraction:
    try:
        price = parse_price(what)
    except ValueError as error:
        raise ChargeError(str(error)) from None
    if price.currency != charge.currency or not is_in_minor_units(price.value, price.currency):
        raise ChargeError(
            f"charge {charge.id} is in {charge.currency}; {price} can't be part of it"
        )
    return Fraction(price.value)
