"""What the pages show of a case, in the words, the numbers and the time of their reader."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, NamedTuple

from fairuse.base.texts import local_time, money, translate, window_text
from fairuse.rules.choice_texts import STATES, meaning
from fairuse.rules.choices import POLICY_PATH, TITLES, open_options
from fairuse.rules.evidence_texts import basis, groups
from fairuse.rules.notice import where
from fairuse.rules.standing import standing
from fairuse.stores.rows import FOREVER

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fairuse.rules.charges import Charge
    from fairuse.rules.choices import Choice, Portal
    from fairuse.rules.evidence import Evidence
    from fairuse.rules.evidence_texts import Group
    from fairuse.rules.ladder import Case
    from fairuse.rules.standing import Standing
    from fairuse.rules.terms import LimitTerms, Terms


POLICY = POLICY_PATH.rsplit("/", 1)[1]


class Figures(NamedTuple):
    """What was used of which amount; `share` is the part of the bar that is filled, in percent."""

    used: str
    amount: str
    unit: str
    window: str
    share: float
    standing: Standing


class CaseView(NamedTuple):
    """A case as its customer reads it; "" for what is not known or not to be said."""

    account: str
    rule: str
    where: str
    state: str
    figures: Figures | None
    begins: str
    ends: str
    told_at: str
    told_reading: str
    answer_by: str
    so_far: str
    policy: str
    policy_page: str


class EvidenceView(NamedTuple):
    """Where use came from, kind by kind, and what the shares are of."""

    basis: str
    groups: list[Group]


class OptionView(NamedTuple):
    """An option: what it is called, what it means, and the page that chooses it."""

    title: str
    meaning: str
    page: str


class Reading(NamedTuple):
    """Whose contract it is, when they read, in which language, and what signs their links.

    `beside` leads from the page that they read to the folder of all pages.
    """

    terms: Terms
    moment: float
    language: str
    portal: Portal | None
    beside: str = "../"

    def at(self, seconds: float | None) -> str:
        """Write a moment in the tenant's zone."""
        if seconds is None or seconds >= FOREVER:
            return ""
        return local_time(seconds, self.terms.zone, self.language)

    def policy_page(self, account: str, version: str) -> str:
        """Give the page of a version of the policy, from where they read; "" without a portal."""
        if self.portal is None:
            return ""
        return f"{self.beside}{POLICY}/{self.portal.policy_token(account, version)}"


def case_view(case: Case, so_far: Sequence[Charge], reading: Reading) -> CaseView:
    """Give a case as its customer reads it; `so_far` is what it would be charged now."""
    language = reading.language
    limit = reading.terms.limit(case.rule)
    told, version = case.notified_reading, case.policy or reading.terms.version
    return CaseView(
        account=case.account,
        rule=case.rule,
        where=where(dict(case.scope), language),
        state=translate(language, STATES[case.state]),
        figures=None if limit is None else figures(limit, case.latest, case.amount, language),
        begins=reading.at(case.starts_at),
        ends=reading.at(case.ends_at),
        told_at=reading.at(case.notified_at),
        told_reading="" if limit is None or told is None else limit.unit.number(told, language),
        answer_by=reading.at(case.answer_by),
        so_far=_total(so_far, language),
        policy=version,
        policy_page=reading.policy_page(case.account, version),
    )


def evidence_view(evidence: Evidence | None, language: str) -> EvidenceView | None:
    """Give where use came from, as far as that is known."""
    if evidence is None:
        return None
    return EvidenceView(basis(evidence, language), groups(evidence, language))


def figures(limit: LimitTerms, used: int, amount: int, language: str) -> Figures:
    """Give what was used of an amount, both as they are counted."""
    return Figures(
        used=limit.unit.number(used, language),
        amount=limit.unit.number(amount, language),
        unit=limit.unit.names(amount, language),
        window=window_text(limit.window_text, language),
        share=bar_share(used, amount),
        standing=standing(used, amount),
    )


def bar_share(used: float, amount: float) -> float:
    """Give how much of a bar is filled, in per cent; whatever is used of nothing fills it."""
    if not amount:
        return 100.0 if used else 0.0
    return round(min(100.0, 100 * used / amount), 1)


def option_views(case: Case, made: Sequence[Choice], reading: Reading) -> list[OptionView]:
    """Give what can be chosen now; without a portal there are no pages to choose on."""
    terms, language, portal = reading.terms, reading.language, reading.portal
    return [
        OptionView(
            translate(language, TITLES[option]),
            meaning(option, case, terms, made, reading.moment, language),
            portal.token(case, option) if portal is not None else "",
        )
        for option in open_options(case, terms.rules.ladder, made, reading.moment)
    ]


def _total(charges: Sequence[Charge], language: str) -> str:
    """Add charges up, each currency by itself; "" for none."""
    sums: dict[str, Decimal] = {}
    for charge in charges:
        sums[charge.currency] = sums.get(charge.currency, Decimal(0)) + charge.amount
    return ", ".join(money(amount, currency, language) for currency, amount in sums.items())
