"""`fairuse suggest`: amounts to agree on with an account, from recorded use; nothing is changed."""

from __future__ import annotations

from contextlib import aclosing
from fractions import Fraction
from typing import TYPE_CHECKING, NamedTuple

from fairuse.base.errors import NotPossible
from fairuse.rules.reach import untold
from fairuse.rules.suggesting import Comparable, Load, Size, suggest
from fairuse.rules.windows import Calendar, months_before
from fairuse.stores.forces import Forces
from fairuse.stores.ledger import Ledger
from fairuse.stores.spans import used_in_spans

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fairuse.rules.suggesting import Suggestion
    from fairuse.rules.terms import LimitTerms, Terms
    from fairuse.stores.configuration import Configuration

MONTHS = 6


class Suggested(NamedTuple):
    """What is suggested for one limit, with the three inputs; None where no use is known."""

    limit: LimitTerms
    size: Size
    comparable: Comparable | None
    load: Load
    found: Suggestion | None


def suggestable(terms: Terms) -> list[str]:
    """Name the limits that an amount can be suggested for: recorded use by calendar month."""
    return [
        limit.name
        for limit in terms.limits
        if limit.over != "signal"
        and limit.window == Calendar("month")
        and not untold(terms.rules.limits[limit.name], terms.rules.meters[limit.meter])
    ]


async def suggestions(
    configuration: Configuration, account: str, limits: Sequence[str], moment: float
) -> list[Suggested]:
    """Work out what could be agreed on with an account, one query a limit.

    Raises KeyError where there is no such account, LedgerError, and NotPossible where there is no
    ledger.
    """
    ledger = await Ledger.look_into(configuration.current.settings.ledger.url)
    if ledger is None:
        raise NotPossible("there is no ledger yet, so nobody's use is recorded")
    try:
        await Forces().look(ledger, configuration, moment)
        accounts = configuration.current.accounts
        return [
            await _suggested(ledger, accounts, accounts[account], limit, moment)
            for limit in accounts[account].limits
            if limit.name in limits
        ]
    finally:
        await ledger.close()


class _Everybody:
    """Adds up what everybody used in some months, to see one account beside them."""

    def __init__(self, terms: Terms, accounts: Mapping[str, Terms], months: int) -> None:
        self._terms = terms
        self._accounts = accounts
        self._whole = [0] * months
        self._own: list[list[int]] = []
        self.alike = 0
        self.used_by_alike = 0

    def add(self, account: str, units: list[int]) -> None:
        """Add an account, or one location of it."""
        self._whole = [a + b for a, b in zip(self._whole, units, strict=True)]
        if account == self._terms.account:
            self._own.append(units)
        elif _alike(self._terms, self._accounts.get(account)):
            self.alike += 1
            self.used_by_alike += sum(units)

    @property
    def load(self) -> Load:
        """Give the load in the months since anybody's first use.

        Where it is counted by location, the account's own is that of its busiest one.
        """
        months = max((number for number, units in enumerate(self._whole, 1) if units), default=0)
        own = max(self._own, key=sum, default=[0] * months)
        return Load(tuple(own[:months]), tuple(self._whole[:months]))


async def _suggested(
    ledger: Ledger, accounts: Mapping[str, Terms], terms: Terms, limit: LimitTerms, moment: float
) -> Suggested:
    spans = months_before(moment, MONTHS, terms.zone, terms.agreement.tenant.billing)
    everybody = _Everybody(terms, accounts, len(spans))
    by_location = bool(limit.scope)
    found = used_in_spans(ledger, limit.meter, spans, by_location=by_location)
    async with aclosing(found) as rows:
        async for used in rows:
            everybody.add(used.account, [used.within(span) for span in spans])
    load = everybody.load
    if by_location:
        size = Size(1, "location", terms.agreement.packages)
        n = shares = everybody.alike
    else:
        size = _size(terms, limit.meter)
        others = [each for each in accounts.values() if each is not terms and _alike(terms, each)]
        n, shares = len(others), sum(_size(each, limit.meter).number for each in others)
    spread = shares * len(load.whole)
    comparable = Comparable(n, Fraction(everybody.used_by_alike, spread)) if spread else None
    one = terms.rules.meters[limit.meter].one
    return Suggested(limit, size, comparable, load, suggest(size, comparable, load, one))


def _alike(terms: Terms, other: Terms | None) -> bool:
    """Say whether another account is comparable: it has the same policy and packages."""
    if other is None or other.policy != terms.policy:
        return False
    return other.agreement.packages == terms.agreement.packages


def _size(terms: Terms, meter: str) -> Size:
    """Give how large an account is: by what its average is spread over, or what it is sold by."""
    agreement, rules = terms.agreement, terms.rules
    average, held = rules.meters[meter].average, agreement.tenant.packages
    counts = [
        average.per if average is not None else None,
        *(package.sold_by for name, package in rules.packages.items() if name in held),
    ]
    count = next((each for each in counts if each is not None), None)
    number = 1 if count is None else agreement.count(count)
    return Size(number, count or "account", agreement.packages)
