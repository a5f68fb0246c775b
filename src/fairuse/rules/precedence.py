"""What wins where several say something about an account, and what it beats (C02).

A measure that is in force comes first, then what an operator agreed on with the account, then the
account's own contract (its tenant's file), then the policy, and last what is built in. General
terms are in no file: where they differ from the policy, the policy holds, for nothing else is
enforced.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from fairuse.base.texts import span_text
from fairuse.rules.grants import CAPS, text_of
from fairuse.rules.process_problems import tariffs_of
from fairuse.rules.tariffs import tariff_on
from fairuse.rules.timelines import dated_at

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from fairuse.rules.grants import Grant
    from fairuse.rules.tally import ScopeKey
    from fairuse.rules.tariffs import Tariff
    from fairuse.rules.terms import Terms

BUILT_IN = "built in"
LEDGER = "the ledger"


class Rule(NamedTuple):
    """Something that says what holds: the file (or the ledger), the key in it, its value, why."""

    file: str
    key: str
    value: str
    reason: str = ""


class Ruling(NamedTuple):
    """What holds of one thing, such as "limits.sms.amount": the rule that won, and those it beat.

    `scope` is the part of the account it is about, () for all of it.
    """

    about: str
    scope: ScopeKey
    won: Rule
    beat: tuple[Rule, ...]


def rulings(terms: Terms, moment: float) -> list[Ruling]:
    """Give what holds for an account at a moment, each with the rule it holds by."""
    return [
        *_whether(terms, moment),
        *_of_limits(terms, moment),
        *_tariffs(terms, moment),
        *_process(terms),
    ]


def _whether(terms: Terms, moment: float) -> Iterator[Ruling]:
    """Say what keeps the whole policy from holding, if anything does."""
    if terms.applies_at(moment):
        return
    policy = Rule(_policy_file(terms), "limits", "all")
    if terms.agreement.tenant.contract.own_policy:
        won = Rule(_tenant_file(terms), "contract.own_policy", "nothing is limited")
    else:
        won = Rule(_policy_file(terms), "applies", "not for this contract")
    yield Ruling("policy", (), won, (policy,))


def _of_limits(terms: Terms, moment: float) -> Iterator[Ruling]:
    for name in terms.rules.limits:
        parts = {grant.scope for grant in terms.agreement.grants if grant.limit == name}
        for scope in sorted({(), *parts}):
            won, *beat = _amounts(terms, name, moment, scope)
            yield Ruling(f"limits.{name}.amount", scope, won, tuple(beat))


def _amounts(terms: Terms, name: str, moment: float, scope: ScopeKey) -> Iterator[Rule]:
    """Give the rules that say an amount, the one that wins first."""
    agreement = terms.agreement
    granted = [
        grant for grant in agreement.grants if grant.holds_at(moment) and grant.is_for(name, scope)
    ]
    yield from _caps(terms, name, moment, scope, granted)
    made = [grant for grant in granted if grant.kind == "override"]
    for grant in sorted(made, key=lambda each: (each.made_at, each.id), reverse=True):
        yield Rule(LEDGER, f"override by {grant.by}", grant.amount, grant.reason)
    override = agreement.tenant.override.get(name)
    if override is not None and override.holds_at(moment, terms.zone):
        key = f"override.{name}.amount"
        yield Rule(_tenant_file(terms), key, str(override.amount), override.reason)
    amount = str(terms.rules.limits[name].amount)
    yield Rule(_policy_file(terms), f"limits.{name}.amount", amount)


def _caps(
    terms: Terms, name: str, moment: float, scope: ScopeKey, granted: Sequence[Grant]
) -> Iterator[Rule]:
    """Give the measure that lowers an amount; one that would not is no rule that wins."""
    dated = dated_at(terms.agreement.timeline(name, scope), moment)
    if dated.amount is None:
        return
    text = dated.granted.source(*dated.amount)
    for grant in granted:
        if grant.kind in CAPS and text_of(grant, terms.zone) == text:
            yield Rule(LEDGER, f"measure, {text}", grant.amount, grant.reason)
            return


def _tariffs(terms: Terms, moment: float) -> Iterator[Ruling]:
    day = terms.day(moment)
    for name in tariffs_of(terms.rules):
        lists = (
            (_tenant_file(terms), terms.agreement.tenant.tariffs.get(name)),
            (_policy_file(terms), terms.rules.tariffs.get(name)),
        )
        found = [
            Rule(file, f"tariffs.{name}", _price(tariff_on(prices, day)))
            for file, prices in lists
            if prices
        ]
        if found:
            yield Ruling(f"tariffs.{name}", (), found[0], tuple(found[1:]))


def _price(tariff: Tariff | None) -> str:
    if tariff is None:
        return "none yet"
    if tariff.flat is not None:
        return f"{tariff.flat} in a window"
    tiers = [
        f"{tier.price}{f' for {tier.per:,}' if tier.per > 1 else ''}"
        f"{f' up to {tier.up_to:,}' if tier.up_to else ''}"
        for tier in tariff.graduated
    ]
    return ", ".join(tiers)


def _process(terms: Terms) -> Iterator[Ruling]:
    ladder, key = terms.rules.ladder, "ladder.grace"
    written = "grace" in ladder.model_fields_set
    file = _policy_file(terms) if written else BUILT_IN
    yield Ruling(key, (), Rule(file, key, span_text(ladder.grace, "en")), ())


def _policy_file(terms: Terms) -> str:
    return f"policies/{terms.policy}.toml"


def _tenant_file(terms: Terms) -> str:
    return f"tenants/{terms.tenant}.toml"
