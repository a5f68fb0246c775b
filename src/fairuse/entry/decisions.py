"""Decisions: steps of a case that are taken, by the ladder or because an operator says so."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fairuse.rules.ladder import Move, WrongStep
from fairuse.rules.measure_texts import tariffs_of_switch
from fairuse.rules.record import OURSELVES
from fairuse.rules.tariffs import tariff_on
from fairuse.stages.bill import charges_of
from fairuse.stages.pursue import Pursuit, Telling, pursue
from fairuse.stages.tell import charge_notice, end_notice, measure_notice
from fairuse.stores.casebook import live_measures

if TYPE_CHECKING:
    from fairuse.base.clock import Clock
    from fairuse.rules.charges import Charge
    from fairuse.rules.ladder import Case, Happening
    from fairuse.rules.measures import Measure
    from fairuse.rules.process import Step
    from fairuse.rules.terms import LimitTerms, Terms
    from fairuse.stores.configuration import Configuration
    from fairuse.stores.ledger import Ledger

APPROVED: dict[str, Happening] = {"charge": "charged", "terminate": "terminated"}
"""What approving comes to, where it is no measure that is in force for a time."""


class Decisions:
    """Takes steps, each whole or not at all."""

    def __init__(self, clock: Clock, configuration: Configuration, ledger: Ledger) -> None:
        self._clock = clock
        self._configuration = configuration
        self._ledger = ledger

    async def take(
        self, case: Case, move: Move, measure: Measure | None, terms: Terms, by: str = OURSELVES
    ) -> Case | None:
        """Take a step of a case; None where it has moved on meanwhile. Raises LedgerError."""
        at = self._clock.now()
        charges: list[Charge] = []
        if move.happening == "charged":
            charges = await charges_of(case, move.step, measure, terms, self._ledger)
            if not charges and by != OURSELVES:
                raise WrongStep(f"there is nothing to charge in case {case.id}")
            if not charges:
                move = Move("resolved")  # what comes to nothing is no charge (A22)
        limit = terms.limit(case.rule)
        if move.happening == "approved" and measure is not None:
            _look_for_a_price(measure, limit, terms, at.wall)
        span = limit.span(at.wall) if limit is not None else None
        window_ends_at = max(case.ends_at, at.wall) if span is None else float(span.end)
        head = self._configuration.letterhead
        telling = Telling(
            lambda begun: measure_notice(case, begun, terms, head, at.wall),
            lambda charge: charge_notice(case, charge, terms, head, at.wall),
            lambda: end_notice(case, terms, head, at.wall),
            terms.contact,
            self._configuration.current.settings.notices.operators,
        )
        reason = _reason(case, limit, terms.language)
        pursuit = Pursuit(case, move, measure, charges, reason, window_ends_at, at.wall, by)
        return await pursue(pursuit, telling, self._ledger)

    async def decide(self, case: Case, happening: Happening, by: str) -> Case | None:
        """Do what an operator decided about a case.

        Raises KeyError for an account that is no more, LedgerError, WrongStep and PromiseBroken.
        """
        terms = self._configuration.current.accounts[case.account]
        measure = await self.measure(case)
        waits = measure is not None and measure.state == "proposed"
        if happening in ("approved", "rejected") and not waits:
            raise WrongStep(f"nothing is proposed in case {case.id}")
        if happening == "approved" and measure is not None:
            happening = APPROVED.get(measure.kind, happening)
        return await self.take(case, Move(happening), measure, terms, by)

    async def propose(self, case: Case, step: Step, by: str) -> Case | None:
        """Propose a step that an operator asks for, in the place of what is proposed already.

        A talk needs no approval: it is renegotiated at once.
        """
        terms, measure = self._configuration.current.accounts[case.account], None
        if case.state == "proposed":
            measure = await self.measure(case)
        happening: Happening = "renegotiating" if step.do == "renegotiate" else "proposed"
        return await self.take(case, Move(happening, step), measure, terms, by)

    async def measure(self, case: Case) -> Measure | None:
        """Give the measure of a case that is proposed or in force."""
        found = await live_measures(self._ledger, case.id)
        return found[-1] if found else None


def _reason(case: Case, limit: LimitTerms | None, language: str) -> str:
    """Say why something is done: by the figures of its limit, or else by the case's own word."""
    if limit is None:
        return case.rule
    unit, amount = limit.unit, case.amount
    figures = f"{unit.number(case.latest, language)} > {unit.number(amount, language)}"
    return f"{figures} {unit.names(amount, language)}"


def _look_for_a_price(
    measure: Measure, limit: LimitTerms | None, terms: Terms, moment: float
) -> None:
    """See that a switch of the tariff has a price today, to be told (P1). Raises WrongStep."""
    if measure.kind != "switch tariff":
        return
    day = terms.day(moment)
    if limit is None or tariff_on(tariffs_of_switch(measure, limit, terms), day) is None:
        raise WrongStep(f"no price is valid for a unit of {measure.account} today")
