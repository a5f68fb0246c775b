"""What every customer is promised, whatever the policy; and which entry of the record breaks it.

Whoever writes into the record is asked here first, and `fairuse verify` asks again afterwards, of
the record alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from fairuse.base.texts import marked as _
from fairuse.rules.emergency import CLOSING, OVERLOAD
from fairuse.rules.read_entry import number, scope_of, text
from fairuse.rules.record import NO_CASE, OURSELVES

if TYPE_CHECKING:
    from collections.abc import Callable

    from fairuse.rules.record import Entry, Kind
    from fairuse.rules.recorded import SoFar, Told

    Check = Callable[[Entry, SoFar], str]


PROMISES = {
    "P1": _("Nothing is charged before you were told."),
    "P2": _("Nothing is suspended and no contract is ended before we were in contact with you."),
    "P3": _(
        "Overload never closes your account: addresses may be blocked, your account stays active."
    ),
    "P4": _("Where nothing is refused, going over an amount changes no answer you get."),
    "P5": _("Only what comes after our notice and above the agreed amount is charged."),
    "P6": _("Every measure ends by itself, or is looked at again on a day that you know."),
    "P7": _("A changed amount or policy never acts backwards."),
    "P8": _("Whatever you use counts once."),
    "P9": _("A measure hits what it is meant for and nothing else."),
    "P10": _("Every refusal says which rule, how much, until when, and whom to ask."),
}

LOWERING = frozenset({"reduce", "throttle"})
REFUSING = LOWERING | {"suspend", "degrade", "deny new users"}
"""What measures do that refuses requests: with a lower amount, or whatever the amount."""


class Broken(NamedTuple):
    """A promise that an entry breaks, and how."""

    promise: str
    why: str


def broken_by(entry: Entry, so_far: SoFar) -> list[Broken]:
    """Give the promises that an entry breaks after those so far."""
    checked = ((promise, check(entry, so_far)) for promise, check in CHECKS.get(entry.kind, ()))
    return [Broken(promise, why) for promise, why in checked if why]


def looks_back(entry: Entry) -> bool:
    """Say whether an entry is right or wrong by what came before it."""
    return entry.kind in _LOOKS_BACK or _terminates(entry)


def _untold_charge(entry: Entry, so_far: SoFar) -> str:
    if so_far.told_before(entry) is not None:
        return ""
    return "it is charged, and no notice of it was delivered before"


def _untold_measure(entry: Entry, so_far: SoFar) -> str:
    case = so_far.cases.get(entry.case)
    if case is not None and case.told is not None:
        return ""
    return f'"{_what(entry)}" begins, and no notice of its case was delivered before'


def _untold_end(entry: Entry, so_far: SoFar) -> str:
    if not _terminates(entry):
        return ""
    return _untold_measure(entry, so_far) or _without_a_talk(entry, so_far)


def _without_a_talk(entry: Entry, so_far: SoFar) -> str:
    """See that a contract is ended by a person, and after a talk that failed (E34)."""
    case = so_far.cases.get(entry.case)
    if case is None or not case.talk_failed:
        return "a contract is ended, and no talk about its terms failed before"
    return "a contract is ended, and nobody decided that" if entry.by in ("", OURSELVES) else ""


def _closes_by_overload(entry: Entry, so_far: SoFar) -> str:
    if _what(entry) not in CLOSING or so_far.rule_of(entry) != OVERLOAD:
        return ""
    return f'"{_what(entry)}" because of overload, which never closes an account'


def _without_a_case(entry: Entry, _so_far: SoFar) -> str:
    return "a measure begins without a case" if entry.case == NO_CASE else ""


def _too_many_units(entry: Entry, so_far: SoFar) -> str:
    """Compare with what comes after the notice; or above the limit, where the charge says so."""
    units, basis = number(entry, "units"), text(entry, "basis")
    if units is None or units < 0:
        return "it says no number of units"
    if units == 0:
        return ""
    reading, limit = number(entry, "to_reading"), number(entry, "limit")
    if reading is None or limit is None:
        return "it says no reading, or no limit"
    if basis == "limit":
        return _above(units, reading, limit, "limit")
    noticed, told = number(entry, "notice_reading"), so_far.told_before(entry)
    if basis not in ("notice", "switch") or noticed is None:
        return 'it says neither the reading at the notice nor that it counts from the "limit"'
    if told is not None:
        noticed = max(noticed, _reading_when_told(told, entry, reading))
    if basis == "switch":
        return _above(units, reading, noticed, "notice of the switch")
    return _above(units, reading, max(limit, noticed), "notice and limit")


def _reading_when_told(told: Told, charge: Entry, at_the_end: float) -> float:
    """Give the count of a charge's window at its notice, which may be of another window.

    Where nobody knew the count, nothing that was used can be shown to have come after the notice.
    """
    starts_at, ends_at = number(charge, "from"), number(charge, "until")
    if starts_at is not None and told.at < starts_at:
        return 0
    over = ends_at is not None and told.at >= ends_at
    return at_the_end if over or told.reading is None else told.reading


def _above(units: float, reading: float, start: float, what: str) -> str:
    allowed = max(0, reading - start)
    if units <= allowed:
        return ""
    return f"{units:,} units are charged, and {allowed:,} came after the {what}"


def _without_an_end(entry: Entry, _so_far: SoFar) -> str:
    ends = number(entry, "until") is not None or entry.data.get("until_under") is True
    if ends or number(entry, "review") is not None:
        return ""
    return f'"{_what(entry)}" has no end, and no day on which it is looked at again'


def _backwards(entry: Entry, _so_far: SoFar) -> str:
    starts_at = number(entry, "from")
    if starts_at is None or starts_at >= entry.at:
        return ""
    return f"it holds from {starts_at:.0f} on, and was made at {entry.at:.0f}"


def _again(entry: Entry, so_far: SoFar) -> str:
    return "it was recorded before" if so_far.again(entry) else ""


def _of_another_account(entry: Entry, so_far: SoFar) -> str:
    case = so_far.cases.get(entry.case)
    if case is None or case.account == entry.account:
        return ""
    return f"it is about {entry.account}, and its case about {case.account}"


def _beyond_its_scope(entry: Entry, so_far: SoFar) -> str:
    case = so_far.cases.get(entry.case)
    if case is None or case.scope.items() <= (scope_of(entry) or {}).items():
        return ""
    return f'"{_what(entry)}" hits more than its case is about'


def _without_its_reason(entry: Entry, so_far: SoFar) -> str:
    what = _what(entry)
    if what in REFUSING and not so_far.rule_of(entry):
        return f'"{what}" refuses, and names no rule'
    if what in LOWERING and not (text(entry, "limit") and text(entry, "amount")):
        return f'"{what}" refuses above an amount that it does not say'
    return ""


def _what(entry: Entry) -> str:
    return "terminate" if entry.kind == "case.moved" else text(entry, "do")


def _terminates(entry: Entry) -> bool:
    return entry.kind == "case.moved" and text(entry, "on") == "terminated"


def _ended_by_overload(entry: Entry, so_far: SoFar) -> str:
    return _closes_by_overload(entry, so_far) if _terminates(entry) else ""


_ONCE = ("P8", _again)
CHECKS: dict[Kind, tuple[tuple[str, Check], ...]] = {
    "case.opened": (_ONCE,),
    "notice.written": (_ONCE,),
    "notice.delivered": (_ONCE, ("P9", _of_another_account)),
    "case.moved": (("P2", _untold_end), ("P3", _ended_by_overload)),
    "measure.proposed": (("P3", _closes_by_overload), ("P9", _of_another_account)),
    "measure.begun": (
        ("P2", _untold_measure),
        ("P3", _closes_by_overload),
        ("P4", _without_a_case),
        ("P6", _without_an_end),
        ("P7", _backwards),
        _ONCE,
        ("P9", _of_another_account),
        ("P9", _beyond_its_scope),
        ("P10", _without_its_reason),
    ),
    "measure.due": (_ONCE,),
    "measure.reviewed": (("P6", _without_an_end),),
    "charge.made": (
        ("P1", _untold_charge),
        ("P5", _too_many_units),
        _ONCE,
        ("P9", _of_another_account),
    ),
    "charge.final": (_ONCE,),
    "grant.made": (("P7", _backwards), _ONCE),
    "policy.announced": (("P7", _backwards),),
}
"""What is asked of an entry, by its kind. What is not here can break no promise."""

_LOOKS_BACK: frozenset[Kind] = frozenset(
    {"notice.delivered", "measure.proposed", "measure.begun", "charge.made"}
)
