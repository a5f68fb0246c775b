"""`fairuse verify`: says whether the promises were kept, and proves it charge by charge (A21)."""

from __future__ import annotations

import re
from datetime import UTC
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape

from fairuse.base.texts import iso_time
from fairuse.entry.calls import counted
from fairuse.rules.promises import PROMISES
from fairuse.rules.read_entry import count, number, text
from fairuse.stores.ledger import Ledger
from fairuse.stores.verify import CHAIN, STEPS, TABLES, Verified, Violation
from fairuse.stores.verify import verify as verify_record

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fairuse.rules.recorded import ChargeSoFar, Told

_HASH = re.compile(r"[0-9a-f]{64}")
_WHOLE = {
    CHAIN: "Nothing was changed, removed or added afterwards.",
    STEPS: "Every case went from one state to the next.",
    TABLES: "The ledger's tables say what was recorded.",
}


def head_hash(head: str) -> str:
    """Take the hash of a head that was kept elsewhere. Raises ValueError where it is none."""
    if not _HASH.fullmatch(head):
        raise ValueError(f'"{head}" is no hash: 64 of 0-9 and a-f')
    return head


async def verify(url: str, kept_head: str | None = None) -> Verified:
    """Verify the record of the ledger at a URL, beside whoever uses it. Raises LedgerError.

    `kept_head` is the hash that an earlier `verify` gave. Where there is no ledger yet nothing is
    wrong, unless there was one.
    """
    ledger = await Ledger.look_into(url)
    if ledger is None:
        gone = Violation(CHAIN, None, "there is no ledger")
        return Verified(violations=[gone] if kept_head else [])
    try:
        return await verify_record(ledger, kept_head)
    finally:
        await ledger.close()


def as_json(verified: Verified) -> dict[str, Any]:
    """Give what was verified, as `--output json` writes it; times are seconds since 1970."""
    return {
        "fine": not verified.violations,
        "entries": verified.entries,
        "head": verified.head,
        "findings": [violation._asdict() for violation in verified.violations],
        "promises": {promise: not _against(verified, promise) for promise in PROMISES},
        "charges": [_charge(charge) for charge in verified.charges],
    }


def show(verified: Verified, console: Console | None = None) -> None:
    """Print it for people: promise by promise, then the proof of each charge, then the sum."""
    console = console or Console(soft_wrap=True, highlight=False, emoji=False)
    for of, promised in {**_WHOLE, **PROMISES}.items():
        against = _against(verified, of)
        said = "[bold red]broken[/]" if against else "kept  "
        console.print(f"{of:7}{said}  {escape(promised)}")
        for violation in against:
            console.print(escape(f"         {violation}"))
    for line in _charge_lines(verified):
        console.print(escape(line))
    found = len(verified.violations)
    sum_ = counted(found, "finding") if found else "fine"
    console.print(f"\n{verified.entries:,} entries: {sum_}")
    if verified.head:
        console.print(f"keep this head elsewhere: {escape(str(verified.head))}")


def _against(verified: Verified, of: str) -> list[Violation]:
    return [violation for violation in verified.violations if violation.of == of]


def _charge_lines(verified: Verified) -> Iterator[str]:
    if verified.charges:
        yield "\nCharges"
    for charge in verified.charges:
        entry = charge.entry
        money = f"{text(entry, 'currency')} {text(entry, 'amount')}"
        waived = f", of which {charge.waived} is waived" if charge.waived != "0" else ""
        yield (
            f"  {count(entry, 'charge')} of {entry.account}, {text(entry, 'rule')},"
            f" case {entry.case}: {count(entry, 'units'):,} units from the"
            f" {text(entry, 'basis')} on, {money}{waived}"
        )
        yield f"      {_told_text(charge.told)}"
        yield f"      charged {_time(entry.at)}; choice: {charge.choice or 'none'}"


def _told_text(told: Told | None) -> str:
    if told is None:
        return "no notice was delivered before"
    at = "at an unknown count" if told.reading is None else f"at {told.reading:,}"
    return f"notice {told.notice} was delivered {_time(told.at)} by {told.channel}, {at}"


def _time(moment: float) -> str:
    try:
        return iso_time(moment, UTC)
    except (ValueError, OverflowError, OSError):  # somebody changed it
        return f"{moment} seconds after 1970"


def _charge(charge: ChargeSoFar) -> dict[str, Any]:
    entry, told = charge.entry, charge.told
    return {
        "charge": count(entry, "charge"),
        "case": entry.case,
        "account": entry.account,
        "rule": text(entry, "rule"),
        "kind": text(entry, "kind"),
        "from": number(entry, "from"),
        "until": number(entry, "until"),
        "made_at": entry.at,
        "basis": text(entry, "basis"),
        "units": count(entry, "units"),
        "currency": text(entry, "currency"),
        "amount": text(entry, "amount"),
        "waived": charge.waived,
        "choice": charge.choice or None,
        "notice": None
        if told is None
        else {
            "notice": told.notice,
            "delivered_at": told.at,
            "channel": told.channel,
            "reading": told.reading,
        },
    }
