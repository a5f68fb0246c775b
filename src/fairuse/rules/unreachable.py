"""Amounts that nobody can go over, because whoever tries lifts the average they follow from."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

from fairuse.rules.agreed import Agreement, History
from fairuse.rules.amounts import MAX_AMOUNT
from fairuse.rules.cohorts import Member, Snapshot

if TYPE_CHECKING:
    from collections.abc import Mapping


def never_over(agreement: Agreement, limit: str, members: Mapping[str, int]) -> bool:
    """Say whether no use could take an account over a limit, because it lifts its own average.

    `members` are the cohort's accounts with their shares. With a plain mean, an account that is
    the only one to use anything has an average of its use divided by all shares.
    """
    rule = agreement.policy.meters[agreement.policy.limits[limit].meter].average
    if rule is None or rule.method != "mean" or agreement.account not in members:
        return False
    use = Fraction(MAX_AMOUNT)
    alone = {name: (use if name == agreement.account else Fraction(0)) for name in members}
    return not _over(agreement, limit, members, alone)


def _over(
    agreement: Agreement, limit: str, shares: Mapping[str, int], use: Mapping[str, Fraction]
) -> bool:
    meter = agreement.policy.limits[limit].meter
    members = {name: Member(use[name], shares[name]) for name in shares}
    key = agreement.cohort(meter)
    history = History({key: Snapshot(key, 0.0, "mean", members)})
    imagined = Agreement(agreement.account, agreement.tenant, agreement.policy, history)
    amount = imagined.timeline(limit)[-1].amount
    return amount is None or use[agreement.account] > amount.value
