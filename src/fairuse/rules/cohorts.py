"""Cohorts: the accounts on the same packages, and their frozen average (B21-B24, C05-C07).

An average is taken from months that are over and then frozen until the next one is due, so that
nobody's limit moves while they use it. It says how many accounts it was taken over, and when.
"""

from __future__ import annotations

from datetime import UTC, datetime
from fractions import Fraction
from functools import cached_property
from statistics import median
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
from dataclasses import dataclass

Method = Literal["mean", "mean excluding self", "trimmed mean", "median"]
Refresh = Literal["yearly", "monthly", "manual"]

TRIMMED = Fraction(1, 10)
"""The share that a trimmed mean leaves out at either end."""


class CohortKey(NamedTuple):
    """Names a cohort: a policy, its packages ("" for all of the policy), and a meter."""

    policy: str
    packages: str
    meter: str


class Member(NamedTuple):
    """An account of a cohort: its monthly use, and how many users or packs that is spread over."""

    monthly: Fraction
    shares: int = 1


@dataclass(frozen=True)
class Snapshot:
    """A cohort's average, frozen: `n` members at `taken_at` (seconds since 1970)."""

    cohort: CohortKey
    taken_at: float
    method: Method
    members: Mapping[str, Member]

    @property
    def n(self) -> int:
        """Give the number of members."""
        return len(self.members)

    @property
    def day(self) -> str:
        """Give the day it was taken, in UTC."""
        return datetime.fromtimestamp(self.taken_at, UTC).date().isoformat()

    @cached_property
    def average(self) -> Fraction:
        """Give the average over all members, per account or share."""
        return _average([*self.members.values()], self.method)

    @cached_property
    def _total(self) -> Member:
        monthly = sum((member.monthly for member in self.members.values()), Fraction(0))
        return Member(monthly, sum(member.shares for member in self.members.values()))

    def average_for(self, account: str) -> Fraction:
        """Give the average that an account is compared with."""
        own = self.members.get(account)
        if self.method != "mean excluding self" or own is None or self.n == 1:
            return self.average
        total = self._total
        return (total.monthly - own.monthly) / (total.shares - own.shares)


def _average(members: Sequence[Member], method: Method) -> Fraction:
    if method == "median":
        return Fraction(median([member.monthly / member.shares for member in members]))
    if method == "trimmed mean":
        in_order = sorted(members, key=lambda member: member.monthly / member.shares)
        out = int(len(members) * TRIMMED)
        members = in_order[out : len(members) - out]
    shares = sum(member.shares for member in members)
    return sum((member.monthly for member in members), Fraction(0)) / shares


def due(refresh: Refresh, latest: float | None, moment: float) -> bool:
    """Say whether a new average is due: once a UTC year or month, or only by hand (B23)."""
    if refresh == "manual":
        return False
    if latest is None:
        return True
    now, then = (datetime.fromtimestamp(at, UTC) for at in (moment, latest))
    if refresh == "yearly":
        return now.year > then.year
    return (now.year, now.month) > (then.year, then.month)


def enough(snapshot: Snapshot | None, at_least: int) -> bool:
    """Say whether a cohort is large enough for its average to mean something."""
    return snapshot is not None and snapshot.n >= at_least
