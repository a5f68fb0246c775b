"""The page of a link: `/fairuse/choice/<token>`. The link is the key; only POST chooses.

Mail scanners follow links, so reading the page changes nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from fairuse.base.errors import LedgerError
from fairuse.base.texts import translate
from fairuse.entry.portal.deciding import LONGEST_NAME, decide, named
from fairuse.entry.portal.html import refuse_in_html, send_html, wants_html
from fairuse.entry.portal.latest import brought_up_to_date
from fairuse.entry.portal.links import case_of_link, language_of, name_sent, sent_by_another_site
from fairuse.entry.portal.view import Reading, case_view, evidence_view, option_views
from fairuse.rules.choice_texts import meaning
from fairuse.rules.choices import CHOICE_PATH, CHOSEN, TITLES, Choice, open_options
from fairuse.rules.ladder import WrongStep
from fairuse.rules.reader import reader_of
from fairuse.rules.refusal import Refusal
from fairuse.stages.bill import charges_so_far
from fairuse.stages.identify import too_many
from fairuse.stores.casebook import case_numbered
from fairuse.stores.choices import choices_made

if TYPE_CHECKING:
    from starlette.types import Receive

    from fairuse.base.clock import Clock
    from fairuse.rules.choices import Chosen
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
    """What a link is about, and who asks."""

    case: Case
    option: str
    terms: Terms
    language: str


class ChoicePage:
    """Shows a case and the option of a link, and makes the choice."""

    def __init__(
        self,
        clock: Clock,
        configuration: Configuration,
        counters: Counters,
        ledger: Ledger,
        callers: RecentEvents,
        evidence: EvidenceCollector,
    ) -> None:
        self._evidence = evidence
        self._clock = clock
        self._configuration = configuration
        self._counters = counters
        self._ledger = ledger
        self._callers = callers

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
        chosen = self._chosen(exchange)
        # Who holds a link has a bucket of the link's case: others at the address can't empty it.
        name = () if chosen is None else (f"case {chosen.case}",)
        if refusal := too_many(exchange, config, self._callers, *name):
            return refusal
        asked = None if chosen is None else await self._found(chosen, exchange, config)
        if asked is None:
            return Refusal("unknown-link", "choice")
        if exchange.method == "POST" and sent_by_another_site(exchange, self._configuration.portal):
            return Refusal("another-site", "choice")
        if exchange.method == "POST":
            return await self._choose(asked, receive, answer)
        if exchange.method in ("GET", "HEAD"):
            await self._show(asked, answer)
            return None
        reason = "a choice is read with GET and made with POST"
        return Refusal("method-not-allowed", "http", reason, allow="GET, HEAD, POST")

    def _chosen(self, exchange: Exchange) -> Chosen | None:
        portal = self._configuration.portal
        token = exchange.path.removeprefix(f"{CHOICE_PATH}/")
        return portal.chosen(token) if portal is not None else None

    async def _found(self, chosen: Chosen, exchange: Exchange, config: Config) -> _Asked | None:
        """Find the case of a link; None where it is gone, or somebody else's."""
        terms = config.accounts.get(chosen.account)
        case = await case_of_link(chosen.case, chosen.account, self._ledger)
        if terms is None or case is None:
            return None
        return _Asked(case, chosen.option, terms, language_of(exchange, terms))

    async def _choose(self, asked: _Asked, receive: Receive, answer: Answer) -> Refusal | None:
        """Make the choice, and show it; who does not say who they are is asked again."""
        name = await name_sent(receive)
        if isinstance(name, Refusal):
            return name
        if not name:
            await self._show(asked, answer, status=422, unnamed=True)
            return None
        case, option, terms, _ = asked
        made = Choice(option, self._clock.now().wall, named(case.account, name), "link")
        operators = self._configuration.current.settings.notices.operators
        try:
            case = await decide(case, made, terms.rules.ladder, self._ledger, operators)
        except WrongStep:
            case = await case_numbered(self._ledger, case.id) or case
            await self._show(asked._replace(case=case), answer, status=409)
            return None
        await self._show(asked._replace(case=case), answer)
        return None

    async def _show(
        self, asked: _Asked, answer: Answer, status: int = 200, *, unnamed: bool = False
    ) -> None:
        """Show the case, and what the link chooses or what was chosen already."""
        case, option, terms, language = asked
        made = (await choices_made(self._ledger, case.account)).get(case.id, [])
        at, portal = self._clock.now(), self._configuration.portal
        moment = at.wall
        [case] = await brought_up_to_date([case], terms, self._counters, at)
        so_far = await charges_so_far(case, terms, self._ledger, moment)
        reading = Reading(terms, moment, language, portal)
        evidence = await self._evidence.about_case(case, terms, self._ledger, moment)
        possible = open_options(case, terms.rules.ladder, made, moment)
        title = translate(language, TITLES[option])
        words = {
            "title": title,
            "policy": terms.rules.word(terms.rules.title, language),
            "case": case_view(case, so_far, reading),
            "meaning": meaning(option, case, terms, made, moment, language),
            "can_choose": option in possible,
            "made": _made(asked, made[-1].option, reading.at(made[-1].at)) if made else "",
            "is_made": bool(made) and made[-1].option == option,
            "holds": CHOSEN[option] == case.state,
            "unnamed": unnamed,
            "longest": LONGEST_NAME,
            "others": [each for each in option_views(case, made, reading) if each.title != title],
            "evidence": evidence_view(evidence, language),
            "unexplained": None if portal is None else portal.unexplained_token(case),
            "contact": self._configuration.letterhead.contact,
        }
        await send_html(answer, language, "choice.html", words, status)


def _(text: str) -> str:
    """Mark a text for the catalogues; it is translated when it is shown."""
    return text


def _made(asked: _Asked, option: str, moment: str) -> str:
    """Say what was chosen, and when."""
    title = translate(asked.language, TITLES.get(option, option))
    text = translate(asked.language, _("You chose “{option}” on {moment}."))
    return text.format(option=title, moment=moment)
