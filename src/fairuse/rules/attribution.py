"""Whose overload it was: shares of the load, and the account that stood out, if one did (A12).

An account stands out where more than a set share of the load was its own, and where it grew more
than the headroom times as much as all others did. So three times one's usual use is nobody's
overload (A03), nor is an upstream that got slow for everybody.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from fairuse.rules.windows import months_back

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from fairuse.rules.emergency import Episodes
    from fairuse.rules.overload import Overload
    from fairuse.rules.terms import Terms

TOP = 5
"""Accounts that are named, those with the most load."""
USUAL_SECONDS = 28 * 86_400
"""What is usual is what was so in the four weeks before."""
KNOWN_AFTER_SECONDS = 86_400
"""Seconds after which what is usual is known; until then nobody stands out."""
ONE_INCIDENT_SECONDS = 3_600
"""Episodes less than so far apart are one, whichever node saw them."""


class Share(NamedTuple):
    """An account's share of the load, in whole per cent, rounded down."""

    account: str
    per_cent: int


class Usual(NamedTuple):
    """Milliseconds of work of an account and of everybody; the first is known from `since` on."""

    account: int
    everybody: int
    since: float


class Incident(NamedTuple):
    """Overload that was mostly one account's, from when until when, and its share of the load."""

    starts_at: float
    ends_at: float
    per_cent: int


def shares(busy: Mapping[str, int], most: int = TOP) -> list[Share]:
    """Give the shares of the accounts with the most load, the largest first."""
    everybody = sum(busy.values())
    if everybody == 0:
        return []
    largest = sorted(busy.items(), key=lambda each: (-each[1], each[0]))[:most]
    return [Share(account, units * 100 // everybody) for account, units in largest]


def stands_out(
    top: Share, busy: Mapping[str, int], usual: Usual, rules: Overload, moment: float
) -> bool:
    """Say whether the account with the most load is the one whose overload it was."""
    if moment - usual.since < KNOWN_AFTER_SECONDS:
        return False
    own, others = busy[top.account], sum(busy.values()) - busy[top.account]
    before, others_before = usual.account, usual.everybody - usual.account
    grew = own * others_before > rules.headroom * before * others
    return grew and own * 100 > rules.top_share * (own + others)


def incidents(found: Iterable[Incident]) -> list[Incident]:
    """Join what overlaps or is close: nodes see the same overload, each its part of it."""
    joined: list[Incident] = []
    for each in sorted(found):
        last = joined[-1] if joined else None
        if last is not None and each.starts_at - last.ends_at < ONE_INCIDENT_SECONDS:
            ends_at = max(last.ends_at, each.ends_at)
            joined[-1] = Incident(last.starts_at, ends_at, max(last.per_cent, each.per_cent))
        else:
            joined.append(each)
    return joined


def counts_since(needed: Episodes, moment: float, terms: Terms) -> float:
    """Give the moment from which episodes count together with one of a moment."""
    if needed.months:
        return months_back(needed.months, moment, terms.zone, terms.agreement.tenant.billing)
    return moment - needed.seconds


def fair_share(capacity: int, accounts: int) -> int:
    """Give how many requests each of so many accounts may have under way, of what there is room."""
    return max(1, capacity // max(1, accounts))
