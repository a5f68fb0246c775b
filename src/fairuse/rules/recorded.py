"""What the record says so far: of each case its notices, its choice, its measures, its charges.

A pure fold: entries go in one after another, in their order. Whatever they hold, it raises nothing:
a record that somebody changed is read, too.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from fairuse.rules.identities import identities
from fairuse.rules.read_entry import count, number, scope_of, text
from fairuse.rules.record import NO_CASE

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from fairuse.rules.measures import MeasureState
    from fairuse.rules.record import Entry, Kind

_STATES: dict[Kind, MeasureState] = {
    "measure.proposed": "proposed",
    "measure.begun": "in force",
    "measure.rejected": "rejected",
    "measure.reviewed": "in force",
    "measure.ended": "ended",
}


class Told(NamedTuple):
    """A notice that reached its customer: when, over which channel, and the count at that moment.

    The count is None where nobody knew it. `prices` says that it named what more costs, and from
    which point on (D11).
    """

    notice: int
    at: float
    channel: str
    reading: float | None
    prices: bool
    scope: dict[str, str] | None


class Window(NamedTuple):
    """What may be charged: the count of one window, rule and scope of an account, above `limit`."""

    account: str
    rule: str
    scope: dict[str, str]
    starts_at: float
    ends_at: float
    limit: float


class MeasureSoFar(NamedTuple):
    """A measure: its state, and the entry that said so last."""

    state: MeasureState
    entry: Entry


class ChargeSoFar(NamedTuple):
    """A charge, the notice that came before it, and the customer's choice: its proof (A21).

    `waived` is the part of its amount that the provider bears.
    """

    entry: Entry
    told: Told | None
    choice: str
    waived: str = "0"
    final: bool = False


@dataclass(slots=True)
class CaseSoFar:
    """A case: `told` is its first delivered notice, `priced` that of a switched tariff.

    `talk_failed` says that both talked about the terms and came to no agreement.
    """

    account: str
    rule: str = ""
    scope: dict[str, str] = field(default_factory=dict)
    state: str = "open"
    told: Told | None = None
    priced: Told | None = None
    choice: str = ""
    talk_failed: bool = False


@dataclass(slots=True)
class SoFar:
    """What the entries so far come to.

    `warnings` are delivered notices that belong to no case, by account and rule; `priced` has the
    notices that named a price, and the scope they are about.
    """

    cases: dict[int, CaseSoFar] = field(default_factory=dict)
    measures: dict[int, MeasureSoFar] = field(default_factory=dict)
    charges: dict[int, ChargeSoFar] = field(default_factory=dict)
    grants: dict[int, Entry] = field(default_factory=dict)
    warnings: dict[tuple[str, str], list[Told]] = field(default_factory=dict)
    seen: set[Hashable] = field(default_factory=set)
    priced: dict[int, dict[str, str] | None] = field(default_factory=dict)

    def add(self, entry: Entry) -> None:
        """Take the next entry."""
        self.seen.update(identities(entry))
        fold = _FOLDS.get(entry.kind)
        if fold is not None:
            fold(self, entry)

    def again(self, entry: Entry) -> bool:
        """Say whether an entry says once more what was said already."""
        return not self.seen.isdisjoint(identities(entry))

    def told_before(self, charge: Entry) -> Told | None:
        """Give the first notice that announced a charge: the case's, or a warning (D10).

        Units that are charged because the tariff was switched are announced by that alone (B18).
        """
        case, window = self.cases.get(charge.case), _window_of(charge)
        if text(charge, "basis") == "switch":
            return case.priced if case is not None else None
        of_case = case.told if case is not None else None
        warning = self.warned_of(window) if window is not None else None
        found = [told for told in (of_case, warning) if told is not None]
        return min(found, key=lambda told: told.at, default=None)

    def warned_of(self, window: Window) -> Told | None:
        """Give the first warning that counts as the notice of a charge, if there is one (D10, P1).

        It named the price and the point from which on it is asked, was about the same rule and
        scope, and was delivered in the same window before the limit was gone over. Where nobody
        knew the count when it came, it announces nothing.
        """
        found = (
            told
            for told in self.warnings.get((window.account, window.rule), ())
            if told.prices
            and told.scope == window.scope
            and window.starts_at <= told.at < window.ends_at
            and told.reading is not None
            and told.reading <= window.limit
        )
        return min(found, key=lambda told: told.at, default=None)

    def rule_of(self, entry: Entry) -> str:
        """Give the rule that an entry is about."""
        case = self.cases.get(entry.case)
        return text(entry, "rule") or (case.rule if case is not None else "")


def _window_of(charge: Entry) -> Window | None:
    starts_at, ends_at = number(charge, "from"), number(charge, "until")
    scope, limit = scope_of(charge), number(charge, "limit")
    if starts_at is None or ends_at is None or scope is None or limit is None:
        return None
    return Window(charge.account, text(charge, "rule"), scope, starts_at, ends_at, limit)


def _case(so_far: SoFar, entry: Entry) -> CaseSoFar:
    return so_far.cases.setdefault(entry.case, CaseSoFar(entry.account))


def _opened(so_far: SoFar, entry: Entry) -> None:
    known = CaseSoFar(entry.account, text(entry, "rule"), scope_of(entry) or {})
    so_far.cases.setdefault(entry.case, known)


def _moved(so_far: SoFar, entry: Entry) -> None:
    case = _case(so_far, entry)
    case.state = text(entry, "to")
    case.talk_failed = case.talk_failed or case.state == "failed"


def _written(so_far: SoFar, entry: Entry) -> None:
    if entry.data.get("prices") is True:
        so_far.priced[count(entry, "notice")] = scope_of(entry)


def _delivered(so_far: SoFar, entry: Entry) -> None:
    notice = count(entry, "notice")
    told = Told(
        notice,
        entry.at,
        text(entry, "channel"),
        number(entry, "reading"),
        notice in so_far.priced,
        so_far.priced.get(notice),
    )
    if entry.case == NO_CASE:
        so_far.warnings.setdefault((entry.account, text(entry, "rule")), []).append(told)
    else:
        case = _case(so_far, entry)
        case.told = case.told or told
        case.priced = case.priced or (told if told.prices else None)


def _chosen(so_far: SoFar, entry: Entry) -> None:
    _case(so_far, entry).choice = text(entry, "choice")


def _measured(so_far: SoFar, entry: Entry) -> None:
    so_far.measures[count(entry, "measure")] = MeasureSoFar(_STATES[entry.kind], entry)


def _charged(so_far: SoFar, entry: Entry) -> None:
    case = so_far.cases.get(entry.case)
    choice = case.choice if case is not None else ""
    charge = ChargeSoFar(entry, so_far.told_before(entry), choice)
    so_far.charges[count(entry, "charge")] = charge


def _waived(so_far: SoFar, entry: Entry) -> None:
    _of_charge(so_far, entry, waived=text(entry, "waived"))


def _final(so_far: SoFar, entry: Entry) -> None:
    _of_charge(so_far, entry, final=True)


def _of_charge(so_far: SoFar, entry: Entry, **changes: Any) -> None:
    charge = so_far.charges.get(count(entry, "charge"))
    if charge is not None:
        so_far.charges[count(entry, "charge")] = charge._replace(**changes)


def _granted(so_far: SoFar, entry: Entry) -> None:
    so_far.grants[count(entry, "grant")] = entry


_FOLDS: dict[Kind, Callable[[SoFar, Entry], None]] = {
    "case.opened": _opened,
    "case.moved": _moved,
    "notice.written": _written,
    "notice.delivered": _delivered,
    "choice.made": _chosen,
    "charge.made": _charged,
    "charge.waived": _waived,
    "charge.final": _final,
    "grant.made": _granted,
    **dict.fromkeys(_STATES, _measured),
}
FOLDED = frozenset(_FOLDS)
"""The kinds of entries that later ones depend on."""
