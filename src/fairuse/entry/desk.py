"""The desk: what an operator does by hand, each with a name and a reason, beside a running gateway.

Everything is written into the ledger with its entry in the record; running gateways take it up
within a second.
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from datetime import datetime, time
from typing import TYPE_CHECKING

from fairuse.base.clock import SystemClock
from fairuse.base.errors import NotPossible
from fairuse.entry.decisions import Decisions
from fairuse.rules.charging import cost_charge
from fairuse.rules.granting import checked
from fairuse.rules.ladder import WrongStep
from fairuse.rules.nearest import suggestion
from fairuse.rules.proposing import proposal_problems
from fairuse.stages.bill import reading_now, reading_so_far
from fairuse.stages.notify import notify_by_hand
from fairuse.stages.tell import charge_notice, review_notice
from fairuse.stores.averages import Averages
from fairuse.stores.casebook import add_notice, case_numbered, extend_case
from fairuse.stores.charges import add_charge, waive
from fairuse.stores.forces import Forces
from fairuse.stores.grants import Forgiven, add, forgive
from fairuse.stores.ledger import Ledger
from fairuse.stores.notes import Note, add_note
from fairuse.stores.reviews import set_review

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable
    from datetime import date

    from fairuse.base.clock import Clock
    from fairuse.rules.charges import Charge
    from fairuse.rules.grants import Grant
    from fairuse.rules.ladder import Case, Happening
    from fairuse.rules.process import Step
    from fairuse.rules.tally import ScopeKey
    from fairuse.rules.tariffs import Price
    from fairuse.rules.terms import LimitTerms, Terms
    from fairuse.stores.configuration import Configuration
    from fairuse.stores.letters import Letter

NOON = time(12)
MOST_NOTED = 2_000
"""Characters of a note."""
MOST_TRIES = 3
"""The gateway may move a case at the same moment."""


class Desk:
    """Works on one ledger for one operator, `by`. Everything raises LedgerError and NotPossible."""

    def __init__(
        self, configuration: Configuration, ledger: Ledger, by: str, clock: Clock | None = None
    ) -> None:
        self._configuration = configuration
        self._clock = clock or SystemClock()
        self.ledger = ledger
        self._decisions = Decisions(self._clock, configuration, ledger)
        self._by = by

    async def decide(self, number: int, happening: Happening) -> Case:
        """Approve or reject what is proposed in a case, or close it."""
        for _ in range(MOST_TRIES):
            case = await self.case(number)
            self._terms(case.account)
            moved = await self._taken(self._decisions.decide(case, happening, self._by))
            if moved is not None:
                return moved
        raise NotPossible(f"case {number} is moved by somebody else; try again")

    async def propose(self, number: int, step: Step) -> Case:
        """Propose a measure, whatever the ladder says; it is still to be approved.

        It takes the place of what is proposed already. A talk begins at once.
        """
        case = await self.case(number)
        problems = proposal_problems(step, case, self._terms(case.account))
        if problems:
            raise NotPossible("; ".join(problems))
        moved = await self._taken(self._decisions.propose(case, step, self._by))
        if moved is None:
            raise NotPossible(f"case {number} is moved by somebody else; try again")
        return moved

    async def step_of_policy(self, number: int, action: str) -> Step | None:
        """Give the policy's own step of a kind for a case, if it has one."""
        case = await self.case(number)
        return self._terms(case.account).rules.ladder.proposable(case.rule, action)

    async def extend(self, number: int, until: float, reason: str) -> Case:
        """Give a customer more time to choose, or to bring the use back.

        Where a measure is in force, the moment is the next one at which somebody looks at it.
        """
        case = await self.case(number)
        if case.state == "measured":
            return await self._review_again(case, until, reason)
        if case.answer_by is None or case.state == "closed":
            raise NotPossible(f"case {number} is {case.state}: no time runs that could be extended")
        extended = await extend_case(
            self.ledger, case, until, self._clock.now().wall, self._by, reason
        )
        if extended is None:
            raise NotPossible(f"case {number} is moved by somebody else; try again")
        return extended

    async def _review_again(self, case: Case, until: float, reason: str) -> Case:
        measure = await self._decisions.measure(case)
        if measure is None or measure.review_at is None:
            raise NotPossible(f"the measure of case {case.id} ends by itself; nobody looks at it")
        terms, moment = self._terms(case.account), self._clock.now().wall
        if until <= moment:
            raise NotPossible("the next day to look at it is still to come")
        kept, head = measure._replace(review_at=until), self._configuration.letterhead
        notice = review_notice(case, kept, terms, head, moment)
        if not await set_review(self.ledger, case, kept, notice, terms.contact, self._by, reason):
            raise NotPossible(f"the measure of case {case.id} is in force no longer")
        return case

    async def note(self, number: int, text: str, due: date | None) -> None:
        """Note what was said about a case, and the day on which somebody looks again (C09)."""
        case, text = await self.case(number), text.strip()
        if not text or len(text) > MOST_NOTED:
            raise NotPossible(f"a note has between 1 and {MOST_NOTED:,} characters")
        day = "" if due is None else due.isoformat()
        await add_note(self.ledger, case, Note(self._clock.now().wall, self._by, text, day))

    async def open(self, account: str, rule: str, reason: str) -> bool:
        """Open a case by hand (A14, B20); False where there is one already."""
        terms = self._terms(account)
        head = self._configuration.letterhead
        at = self._clock.now()
        return await notify_by_hand(account, rule, reason, terms, head, self.ledger, at)

    async def cost(self, number: int, text: str, price: Price) -> Charge | None:
        """Add a cost to a case (C20); None where there is one of this moment already."""
        case = await self.case(number)
        terms, moment = self._terms(case.account), self._clock.now().wall
        charge = cost_charge(case, terms, text, price, moment)
        head = self._configuration.letterhead
        async with self.ledger.transaction() as connection:
            made = await add_charge(connection, charge, moment, self._by)
            if made is not None:
                row = charge_notice(case, made, terms, head, moment)
                await add_notice(connection, row, case.id, terms.contact)
        return made

    async def waive(self, charge: int, what: str, reason: str) -> Charge:
        """Waive "all" of a charge, "50%" of it, or "EUR 5.00" (D23)."""
        return await waive(self.ledger, charge, what, reason, self._clock.now().wall, self._by)

    async def grant(self, grant: Grant) -> bool:
        """Override or add to an amount; False where that was granted before (D20).

        What begins in the past begins now. A top-up is for the limit's window of now; what is left
        of it is carried on.
        """
        terms, now = self._terms(grant.account), self._clock.now().wall
        try:
            return await add(self.ledger, checked(grant._replace(by=self._by), terms, now))
        except ValueError as error:
            raise NotPossible(str(error)) from None

    async def forgive(
        self, account: str, rule: str, scope: ScopeKey, day: date | None, why: str
    ) -> bool:
        """Leave the window of a day, or of now, out of the breach history (D24)."""
        limit, at = self._limit(account, rule), self._clock.now().wall
        if day is not None:
            at = datetime.combine(day, NOON, self._terms(account).zone).timestamp()
        span = limit.span(at)
        if span is None:
            raise NotPossible(f'the limit "{rule}" has no calendar window that could be forgiven')
        if {name for name, _ in scope} != set(limit.scope):
            counted_by = ", ".join(limit.scope) or "account"
            name_it = "; name the one it is about" if limit.scope else ""
            raise NotPossible(f'the limit "{rule}" is counted by {counted_by}{name_it}')
        window = Forgiven(account, rule, scope, float(span.start), self._by, why)
        return await forgive(self.ledger, window, self._clock.now().wall)

    async def reading(self, letter: Letter) -> int | None:
        """Give the count that a letter is about, by what the ledger has of it now."""
        case = letter.case
        terms = self._terms(letter.notice.account)
        if case is not None and letter.notice.kind == "measure":
            return await reading_now(case, terms, self.ledger, self._clock.now().wall)
        return None if case is None else await reading_so_far(case, terms, self.ledger)

    async def case(self, number: int) -> Case:
        """Give a case by its number."""
        case = await case_numbered(self.ledger, number)
        if case is None:
            raise NotPossible(f"there is no case {number}")
        return case

    async def _taken(self, step: Awaitable[Case | None]) -> Case | None:
        try:
            return await step
        except WrongStep as error:
            raise NotPossible(str(error)) from None

    def _terms(self, account: str) -> Terms:
        accounts = self._configuration.current.accounts
        if account not in accounts:
            raise NotPossible(f'there is no account "{account}"{suggestion(account, accounts)}')
        return accounts[account]

    def _limit(self, account: str, name: str) -> LimitTerms:
        terms = self._terms(account)
        limit = terms.limit(name)
        if limit is None:
            near = suggestion(name, terms.rules.limits)
            raise NotPossible(f'{account} has no limit "{name}"{near}')
        return limit


@asynccontextmanager
async def desk_of(configuration: Configuration, by: str) -> AsyncIterator[Desk]:
    """Open the ledger beside a running gateway. Raises LedgerError."""
    url = configuration.current.settings.ledger.url
    ledger = await Ledger.open(url, access="beside")
    moment, averages = SystemClock().now().wall, Averages(ledger)
    try:
        # What is decided here is measured by the amounts that running gateways know.
        await averages.take_up(configuration.current, moment)
        configuration.learn(averages.history)
        await Forces().look(ledger, configuration, moment)
        yield Desk(configuration, ledger, by)
    finally:
        await ledger.close()
