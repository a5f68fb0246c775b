"""The page of who can't explain the use, `/fairuse/unexplained/<token>`; POST answers (C17)."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from fairuse.base.errors import LedgerError
from fairuse.entry.portal.deciding import LONGEST_NAME, named
from fairuse.entry.portal.html import refuse_in_html, send_html, wants_html
from fairuse.entry.portal.latest import brought_up_to_date
from fairuse.entry.portal.links import case_of_link, language_of, name_sent, sent_by_another_site
from fairuse.entry.portal.view import Reading, case_view, evidence_view, option_views
from fairuse.rules.choices import UNEXPLAINED_PATH
from fairuse.rules.evidence_texts import advice
from fairuse.rules.reader import reader_of
from fairuse.rules.refusal import Refusal
from fairuse.stages.advise import advise
from fairuse.stages.bill import charges_so_far
from fairuse.stages.identify import too_many
from fairuse.stores.choices import choices_made
from fairuse.stores.record import entries_of

if TYPE_CHECKING:
    from starlette.types import Receive

    from fairuse.base.clock import Clock
    from fairuse.rules.config import Config
    from fairuse.rules.exchange import Exchange
    from fairuse.rules.ladder import Case
    from fairuse.rules.terms import Terms
    from fairuse.stages.answer import Answer
    from fairuse.stores.callers import RecentEvents
    from fairuse.stores.configuration import Configuration
    from fairuse.stores.evidence import EvidenceCollector
    from fairuse.stores.ledger import Ledger
    from fairuse.stores.protocol import Counters


class _Asked(NamedTuple):
    """What a link is about, and who reads."""

    case: Case
    terms: Terms
    language: str


class UnexplainedPage:
    """Shows where use came from, and takes the answer that nobody can explain it."""

    def __init__(
        self,
        clock: Clock,
        configuration: Configuration,
        counters: Counters,
        ledger: Ledger,
        callers: RecentEvents,
        evidence: EvidenceCollector,
    ) -> None:
        self._clock = clock
        self._configuration = configuration
        self._counters = counters
        self._ledger = ledger
        self._callers = callers
        self._evidence = evidence

    async def __call__(
        self, exchange: Exchange, config: Config, receive: Receive, answer: Answer
    ) -> Refusal | None:
        """Answer a request, or give the refusal to a program."""
        try:
            refusal = await self._answered(exchange, config, receive, answer)
        except LedgerError:
            refusal = Refusal("ledger-away", "ledger", until=exchange.at.wall + 1)
        if refusal is None or not wants_html(exchange):
            return refusal
        await refuse_in_html(answer, refusal, exchange, reader_of(exchange, config))
        return None

    async def _answered(
        self, exchange: Exchange, config: Config, receive: Receive, answer: Answer
    ) -> Refusal | None:
        portal = self._configuration.portal
        token = exchange.path.removeprefix(f"{UNEXPLAINED_PATH}/")
        about = portal.unexplained(token) if portal is not None else None
        # Who holds a link has a bucket of the link's case: others at the address can't empty it.
        name = () if about is None else (f"case {about[0]}",)
        if refusal := too_many(exchange, config, self._callers, *name):
            return refusal
        asked = None if about is None else await self._found(*about, exchange, config)
        if asked is None:
            return Refusal("unknown-link", "choice")
        if exchange.method == "POST" and sent_by_another_site(exchange, portal):
            return Refusal("another-site", "choice")
        if exchange.method == "POST":
            return await self._take(asked, receive, answer)
        if exchange.method in ("GET", "HEAD"):
            await self._show(asked, answer)
            return None
        return Refusal("method-not-allowed", "http", "it is read with GET and answered with POST")

    async def _found(
        self, number: int, account: str, exchange: Exchange, config: Config
    ) -> _Asked | None:
        terms = config.accounts.get(account)
        case = await case_of_link(number, account, self._ledger)
        if terms is None or case is None:
            return None
        return _Asked(case, terms, language_of(exchange, terms))

    async def _take(self, asked: _Asked, receive: Receive, answer: Answer) -> Refusal | None:
        """Take the answer, and show the advice; who does not say who they are is asked again."""
        name = await name_sent(receive)
        if isinstance(name, Refusal):
            return name
        case, terms, _ = asked
        if not name:
            await self._show(asked, answer, 422)
            return None
        if case.state != "closed":
            moment, ledger = self._clock.now().wall, self._ledger
            evidence = await self._evidence.about_case(case, terms, ledger, moment)
            by, head = named(case.account, name), self._configuration.letterhead
            await advise(case, terms, head, evidence, (moment, by, "link"), ledger)
        await self._show(asked, answer, 409 if case.state == "closed" else 200)
        return None

    async def _show(self, asked: _Asked, answer: Answer, status: int = 200) -> None:
        case, terms, language = asked
        at, ledger, account = self._clock.now(), self._ledger, case.account
        moment, reading = at.wall, Reading(terms, at.wall, language, self._configuration.portal)
        [case] = await brought_up_to_date([case], terms, self._counters, at)
        evidence = await self._evidence.about_case(case, terms, ledger, moment)
        so_far = await charges_so_far(case, terms, ledger, moment)
        entries = await entries_of(ledger, case.id)
        made = (await choices_made(ledger, account)).get(case.id, [])
        words = {
            "policy": terms.rules.word(terms.rules.title, language),
            "case": case_view(case, so_far, reading),
            "answered": any(entry.kind == "case.unexplained" for entry in entries),
            "closed": case.state == "closed",
            "advice": advice(language),
            "unnamed": status == 422,
            "longest": LONGEST_NAME,
            "evidence": evidence_view(evidence, language),
            "options": option_views(case, made, reading),
            "contact": self._configuration.letterhead.contact,
        }
        await send_html(answer, language, "unexplained.html", words, status)
