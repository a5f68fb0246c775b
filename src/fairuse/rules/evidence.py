"""Evidence: from where, for what and by which programs an account was used (C16).

It helps a customer to explain an excess, or to find an attack. It is theirs: it goes to the
account's own contacts and to the operator, and is kept for `KEPT_SECONDS` only.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from fairuse.rules.windows import Calendar

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from fairuse.rules.ladder import Case
    from fairuse.rules.record import Value
    from fairuse.rules.terms import Terms

KEPT_SECONDS = 90 * 86_400
"""How long evidence is kept: a window of a month, and the case that comes of it."""

MOST_SHOWN = 5
LEAST_SHOWN = 0.01
EXPLAINS = 0.5
"""The share that the paths must come to, or what they begin with says more."""

Kind = Literal["address", "path", "prefix", "agent", "answer", "all"]
"""What is counted: units of the meter by address, path, path prefix and program; and requests by
class of answer (`4xx`). Under `all` are the sums."""

SUMS = UNITS, REQUESTS, SAMPLED = "units", "requests", "sampled"
"""The sums: all units, all requests, and how many of those stand for others like them."""

ERRORS = ("4xx", "5xx", "")


Counted = Mapping[tuple[Kind, str], int]
"""How much was counted of each value."""


class EvidenceKey(NamedTuple):
    """What evidence is kept by; `day` is the local day's start, in seconds since 1970."""

    account: str
    location: str
    meter: str
    day: int
    kind: Kind
    value: str


class About(NamedTuple):
    """What one wants to know where it came from: a meter, on local days from one to another.

    `location` is None for all of the account.
    """

    account: str
    location: str | None
    meter: str
    since: float
    until: float

    def covers(self, account: str, location: str, meter: str, day: int) -> bool:
        """Say whether what was counted on a day is a part of it."""
        there = self.location is None or location == self.location
        same = there and (account, meter) == (self.account, self.meter)
        return same and self.since <= day < self.until


class Share(NamedTuple):
    """A value, and its share of what was counted, from 0 to 1."""

    value: str
    share: float


Shares = tuple[Share, ...]


class Evidence(NamedTuple):
    """Where use came from since a day, the largest share first.

    Shares are of the units of the meter; those of `errors` of all `requests`. `sampled` says that
    some requests stood for others.
    """

    since: date
    requests: int
    sampled: bool
    addresses: Shares
    paths: Shares
    agents: Shares
    errors: Shares


def day_of(moment: float, zone: ZoneInfo) -> int:
    """Give the start of the local day that holds a moment."""
    return _DAY.span(moment, zone).start


_DAY = Calendar("day")


def about_case(case: Case, terms: Terms, moment: float) -> About | None:
    """Give what a case is about; None where it is about no meter, or nothing is kept of it."""
    limit = terms.limit(case.rule)
    if limit is None or limit.meter not in terms.evidence_of:
        return None
    since = max(case.starts_at, moment - KEPT_SECONDS)
    location = dict(case.scope).get("location")
    return About(case.account, location, limit.meter, day_of(since, terms.zone), case.ends_at)


def evidence_in(counted: Counted, since: float, zone: ZoneInfo) -> Evidence | None:
    """Read what was counted since a moment; None where nothing is known."""
    units, requests = counted.get(("all", UNITS), 0), counted.get(("all", REQUESTS), 0)
    if not units or not requests:
        return None
    paths = _shares(counted, "path", units)
    if sum(share.share for share in paths) < EXPLAINS:
        paths = _shares(counted, "prefix", units) or paths
    errors = [share for share in _shares(counted, "answer", requests) if share.value in ERRORS]
    return Evidence(
        since=datetime.fromtimestamp(since, zone).date(),
        requests=requests,
        sampled=counted.get(("all", SAMPLED), 0) > 0,
        addresses=_shares(counted, "address", units),
        paths=paths,
        agents=_shares(counted, "agent", units),
        errors=tuple(errors),
    )


def _shares(counted: Counted, kind: Kind, whole: int) -> Shares:
    found = [
        Share(value, round(min(1.0, count / whole), 4))
        for (of, value), count in counted.items()
        if of == kind and count >= whole * LEAST_SHOWN
    ]
    found.sort(key=lambda share: (-share.share, share.value))
    return tuple(found[:MOST_SHOWN])


def to_table(evidence: Evidence) -> dict[str, Value]:
    """Give evidence as programs read it."""
    lists = {name: getattr(evidence, name) for name in _LISTS}
    return {
        "since": evidence.since.isoformat(),
        "requests": evidence.requests,
        "sampled": evidence.sampled,
        **{name: [share._asdict() for share in shares] for name, shares in lists.items()},
    }


def to_text(evidence: Evidence | None) -> str:
    """Write evidence as a notice keeps it; "" for none."""
    return "" if evidence is None else json.dumps(to_table(evidence), separators=(",", ":"))


def from_text(text: str) -> Evidence | None:
    """Read what `to_text` wrote."""
    return from_table(json.loads(text)) if text else None


def from_table(table: Mapping[str, Any]) -> Evidence:
    """Read what `to_table` gave."""
    lists = {name: tuple(Share(**share) for share in table[name]) for name in _LISTS}
    return Evidence(
        date.fromisoformat(table["since"]), table["requests"], table["sampled"], **lists
    )


_LISTS = ("addresses", "paths", "agents", "errors")
