"""Statements: a month's charges, written for whoever sends the bill, as CSV, JSON and CloudEvents.

The same charges are the same bytes, whenever they are written.
"""

from __future__ import annotations

import csv
import io
import itertools
import json
import re
from datetime import UTC, date, datetime, time, timedelta
from fractions import Fraction
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from fairuse.base.texts import iso_time
from fairuse.rules.charges import arithmetic
from fairuse.rules.money import exact_text, to_minor_units

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from fairuse.rules.charges import Charge
    from fairuse.rules.record import Value

Table = dict[str, "Value"]

SOURCE = "/fairuse/charges"
TYPE = "fairuse.charge.final"

LAST_MIDNIGHT = time(12)
"""When a day is over in every zone, in UTC: the last is twelve hours behind."""
_MONTH = re.compile(r"([0-9]{4})-(0[1-9]|1[0-2])", re.ASCII)
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""What a spreadsheet may read as a formula, also in its full width."""


def parse_month(text: str) -> date:
    """Read a month, such as "2026-10", as its first day. Raises ValueError."""
    found = _MONTH.fullmatch(text)
    if not found or found[1] == "0000":
        raise ValueError(f'"{text}" is no month; write it like "2026-10"')
    return date(int(found[1]), int(found[2]), 1)


def is_over(month: date, moment: float) -> bool:
    """Say whether a month is over for every customer, so that its statement changes no more."""
    following = (month + timedelta(days=31)).replace(day=1)
    return datetime.combine(following, LAST_MIDNIGHT, UTC).timestamp() <= moment


def in_order(charges: Iterable[Charge]) -> list[Charge]:
    """Put charges in the order of a statement: by account, rule, scope and window."""
    return sorted(
        charges, key=lambda each: (each.account, each.rule, each.scope, each.starts_at, each.id)
    )


def charges_csv(charges: Iterable[Charge]) -> bytes:
    """Write a row a charge (RFC 4180, UTF-8), in which no cell is a formula."""
    return _csv(_CHARGE, [_row(charge) for charge in charges])


def lines_csv(charges: Iterable[Charge]) -> bytes:
    """Write a row a line of the charges' arithmetic."""
    return _csv(_LINE, [row for charge in charges for row in _lines(charge)])


def statement_json(month: date, charges: Sequence[Charge], *, complete: bool) -> bytes:
    """Write the charges by account and rule, with their arithmetic and their sums.

    It is complete once the month is over for every customer.
    """
    accounts: list[Value] = []
    for account, of_account in itertools.groupby(charges, key=lambda each: each.account):
        rules: list[Value] = []
        for rule, group in itertools.groupby(of_account, key=lambda each: each.rule):
            of_rule = list(group)
            listed: list[Value] = [_whole(charge) for charge in of_rule]
            rules.append({"rule": rule, "charges": listed, "sums": _sums(of_rule)})
        accounts.append({"account": account, "rules": rules})
    about: Table = {"month": f"{month:%Y-%m}", "complete": complete}
    return _json({**about, "accounts": accounts, "sums": _sums(charges)})


def events_json(charges: Iterable[Charge]) -> bytes:
    """Write a CloudEvents 1.0 batch: an event for each charge that is final.

    An event is told once and never again in another way, so what can still be waived has none.
    """
    return _json([_event(charge) for charge in charges if charge.final])


def _event(charge: Charge) -> Table:
    return {
        "specversion": "1.0",
        "id": f"charge-{charge.id}",
        "source": SOURCE,
        "type": TYPE,
        "subject": charge.account,
        "time": iso_time(charge.final_at, UTC),
        "datacontenttype": "application/json",
        "data": _whole(charge),
    }


def _row(charge: Charge) -> Table:
    """Give a charge's figures; units as people count them, moments in the tenant's zone."""
    zone, one = ZoneInfo(charge.zone), 10**charge.decimals
    shown: Table = {
        name: exact_text(Fraction(counts, one)) for name, counts in charge.figures._asdict().items()
    }
    moments = {
        "from": charge.starts_at,
        "until": charge.ends_at,
        "notified_at": charge.notified_at,
        "made_at": charge.made_at,
        "final_at": charge.final_at,
    }
    return {
        "charge": charge.id,
        "case": charge.case,
        "tenant": charge.tenant,
        "account": charge.account,
        "rule": charge.rule,
        "scope": " ".join(f"{name}={value}" for name, value in charge.scope),
        "kind": charge.kind,
        "state": "final" if charge.final else "open",
        **{name: iso_time(moment, zone) for name, moment in moments.items()},
        "basis": charge.basis,
        **shown,
        "units": exact_text(Fraction(charge.units, one)),
        "currency": charge.currency,
        "amount": f"{charge.amount:f}",
        "waived": f"{charge.waived:f}",
        "due": f"{charge.due:f}",
        "text": charge.text,
        "reason": charge.reason,
    }


def _lines(charge: Charge) -> list[Table]:
    return [
        {
            "charge": charge.id,
            "line": number,
            "units": exact_text(Fraction(line.units, 10**charge.decimals)),
            "per": line.per,
            "currency": charge.currency,
            "price": f"{line.price:f}",
            "from": None if line.from_ == date.min else line.from_.isoformat(),
            "subtotal": _decimal(line.subtotal),
        }
        for number, line in enumerate(charge.lines, 1)
    ]


def _decimal(value: Fraction) -> str:
    """Write a number to its last digit, or to twelve: spreadsheets take 7/3 for a day in March."""
    text = exact_text(value)
    return exact_text(Fraction(round(value * 10**12), 10**12)) if "/" in text else text


def _whole(charge: Charge) -> Table:
    scope: Table = dict(charge.scope)
    return {**_row(charge), "scope": scope, "arithmetic": arithmetic(charge)}


def _sums(charges: Sequence[Charge]) -> list[Value]:
    """Add up the charges, each currency by itself."""
    sums: list[Value] = []
    for currency in sorted({charge.currency for charge in charges}):
        same = [charge for charge in charges if charge.currency == currency]
        found: Table = {"currency": currency}
        for name in ("amount", "waived", "due"):
            exact = sum((Fraction(getattr(charge, name)) for charge in same), Fraction(0))
            found[name] = f"{to_minor_units(exact, currency):f}"
        sums.append(found)
    return sums


_CHARGE = (
    *("charge", "case", "tenant", "account", "rule", "scope", "kind", "state", "from", "until"),
    *("basis", "limit", "notified_at", "notice_reading", "from_reading", "to_reading", "units"),
    *("currency", "amount", "waived", "due", "made_at", "final_at", "text", "reason"),
)
_LINE = ("charge", "line", "units", "per", "currency", "price", "from", "subtotal")


def _csv(columns: Sequence[str], rows: Iterable[Table]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(columns)
    writer.writerows([_cell(row[name]) for name in columns] for row in rows)
    return text.getvalue().encode()


def _cell(value: Value) -> str:
    """Write a cell; a quote keeps a spreadsheet from calculating what somebody wrote."""
    text = "" if value is None else str(value)
    return f"'{text}" if text.startswith(_FORMULA) else text


def _json(value: Value) -> bytes:
    return json.dumps(value, indent=2, ensure_ascii=False).encode() + b"\n"
