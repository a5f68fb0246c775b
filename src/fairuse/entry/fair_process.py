"""The fair process beside the requests: cases are moved, notices delivered, measures followed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fairuse.base.apart import apart
from fairuse.entry.announcements import Announcements
from fairuse.entry.casework import Casework
from fairuse.entry.decisions import Decisions
from fairuse.entry.deliver import Delivery
from fairuse.entry.reviews import Reviews
from fairuse.entry.switched import SwitchedTariffs
from fairuse.entry.warnings import Warnings
from fairuse.rules.approaching import subject_of
from fairuse.rules.memo import call_is_due
from fairuse.stages.bill import reading_now
from fairuse.stores.charges import finalise
from fairuse.stores.forces import Forces
from fairuse.stores.grants import carry_over
from fairuse.stores.memos import tell_operators
from fairuse.stores.outbox import letters

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fairuse.base.clock import Clock
    from fairuse.rules.ladder import Case
    from fairuse.stores.configuration import Configuration
    from fairuse.stores.ledger import Ledger
    from fairuse.stores.letters import Letter
    from fairuse.stores.protocol import Counters


class FairProcess:
    """What moves cases, put together."""

    def __init__(
        self, clock: Clock, configuration: Configuration, counters: Counters, ledger: Ledger
    ) -> None:
        self._clock = clock
        self._configuration = configuration
        self._ledger = ledger
        self.forces = Forces()
        self.casework = Casework(
            clock, configuration, counters, ledger, Decisions(clock, configuration, ledger)
        )
        self.reviews = Reviews(clock, configuration, ledger)
        self._switched = SwitchedTariffs(clock, configuration, ledger)
        self.announcements = Announcements(clock, configuration, ledger)
        self.warnings = Warnings(clock, configuration, counters, ledger)
        self.delivery = Delivery(clock, configuration, ledger, self.reading_of, self._choices)

    async def take_up(self) -> None:
        """Put in force what was in force when the last process ended (S15). Raises LedgerError."""
        await self.forces.look(self._ledger, self._configuration, self._clock.now().wall)

    async def follow(self) -> None:
        """Put in force what operators and other processes decide, until cancelled."""
        await self.forces.follow(self._ledger, self._configuration, self._clock)

    async def move(self) -> None:
        """Move every case, and do what else is due. Raises LedgerError."""
        moment, ledger = self._clock.now().wall, self._ledger
        with apart("upkeep", part="announcements"):
            await self.announcements.run()
        with apart("upkeep", part="warnings"):
            await self.warnings.look_at_everybody()
        with apart("upkeep", part="switched tariffs"):
            await self._switched.run()  # a window that was charged so is charged in no case (P8)
        with apart("upkeep", part="cases"):
            await self.casework.run()
        with apart("upkeep", part="reviews"):
            await self.reviews.run()
        with apart("upkeep", part="charges"):
            await finalise(ledger, moment)
        with apart("upkeep", part="top-ups"):
            await carry_over(ledger, self._configuration.current.accounts, moment)
        with apart("upkeep", part="calls"):
            await self._tell_of_calls(moment)
        self.delivery.written.set()

    async def reading_of(self, letter: Letter) -> int | None:
        """Give the count that a letter is about, now; None where it is about none (P5)."""
        terms = self._configuration.current.accounts.get(letter.notice.account)
        if letter.case is not None and letter.notice.kind == "measure" and terms is not None:
            return await reading_now(letter.case, terms, self._ledger, self._clock.now().wall)
        if letter.case is not None:
            return await self.casework.reading(letter.case)
        subject = subject_of(letter.notice.once)
        return None if subject is None else await self.warnings.reading(subject)

    async def _tell_of_calls(self, moment: float) -> None:
        """Tell operators of the calls that are to be made, each once (E30)."""
        operators = self._configuration.current.settings.notices.operators
        for letter in await letters(self._ledger, "to do") if operators else ():
            notice = letter.notice
            memo = call_is_due(letter.id, notice.account, notice.subject, letter.channel)
            async with self._ledger.transaction() as connection:
                await tell_operators(connection, memo, operators, moment)

    def _choices(self, case: Case) -> Mapping[str, str]:
        """Give the links by which a customer can choose in a case."""
        terms = self._configuration.current.accounts.get(case.account)
        portal = self._configuration.portal
        if terms is None or portal is None:
            return {}
        return {
            option: portal.link(case, option) for option in terms.rules.ladder.offers(case.rule)
        }
