"""Pages whose address is their key: the link of a case, read with GET and answered with POST.

Mail scanners follow links, so reading a page changes nothing.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar, NamedTuple
from urllib.parse import parse_qs

from fairuse.base.errors import LedgerError
from fairuse.entry.bodies import whole_body
from fairuse.entry.portal.html import refuse_in_html, wants_html
from fairuse.entry.refusals import ledger_away
from fairuse.rules.cross_site import by_another_site
from fairuse.rules.reader import language_of, reader_of
from fairuse.rules.refusal import Refusal
from fairuse.stages.identify import too_many
from fairuse.stores.casebook import case_numbered

if TYPE_CHECKING:
    from starlette.types import Receive

    from fairuse.base.clock import Clock
    from fairuse.rules.choices import CaseLinked, Portal
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

MAX_FORM = 4_096


class Asked(NamedTuple):
    """What a link is about, and who asks."""

    case: Case
    option: str
    terms: Terms
    language: str


class CasePage(ABC):
    """A page about the case of a link."""

    path: ClassVar[str]
    wrong_method: ClassVar[str]
    """What is told to who uses another method than GET and POST."""

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
            refusal = ledger_away(exchange)
        return await shown(refusal, exchange, config, answer)

    @abstractmethod
    def _linked(self, token: str, portal: Portal) -> CaseLinked | None:
        """Read the token of a link; None for one that is not ours."""

    @abstractmethod
    async def _take(self, asked: Asked, name: str, answer: Answer) -> None:
        """Take what somebody of that name sends, "" where they don't say, and show the page."""

    @abstractmethod
    async def _show(self, asked: Asked, answer: Answer) -> None:
        """Show the page."""

    async def _answered(
        self, exchange: Exchange, config: Config, receive: Receive, answer: Answer
    ) -> Refusal | None:
        portal = self._configuration.portal
        token = exchange.path.removeprefix(f"{self.path}/")
        linked = self._linked(token, portal) if portal is not None else None
        # Who holds a link has a bucket of the link's case: others at the address can't empty it.
        bucket = () if linked is None else (f"case {linked.case}",)
        if refusal := too_many(exchange, config, self._callers, *bucket):
            return refusal
        asked = None if linked is None else await self._found(linked, exchange, config)
        if asked is None:
            return Refusal("unknown-link", "choice")
        if exchange.method in ("GET", "HEAD"):
            await self._show(asked, answer)
            return None
        if exchange.method != "POST":
            allow = "GET, HEAD, POST"
            return Refusal("method-not-allowed", "http", self.wrong_method, allow=allow)
        if sent_by_another_site(exchange, portal):
            return Refusal("another-site", "choice")
        name = await name_sent(receive)
        if isinstance(name, Refusal):
            return name
        await self._take(asked, name, answer)
        return None

    async def _found(self, linked: CaseLinked, exchange: Exchange, config: Config) -> Asked | None:
        """Find the case of a link; None where it is gone, or somebody else's."""
        terms = config.accounts.get(linked.account)
        case = await case_numbered(self._ledger, linked.case)
        if terms is None or case is None or case.account != linked.account:
            return None
        return Asked(case, linked.option, terms, language_of(exchange, terms.language))


async def shown(
    refusal: Refusal | None, exchange: Exchange, config: Config, answer: Answer
) -> Refusal | None:
    """Show people a refusal as a page; gives it back where a program asked."""
    if refusal is None or not wants_html(exchange):
        return refusal
    await refuse_in_html(answer, refusal, exchange, reader_of(exchange, config))
    return None


def sent_by_another_site(exchange: Exchange, portal: Portal | None) -> bool:
    """Say whether a form was sent from a page that is not ours."""
    fetch_site, origin = map(exchange.header_lines, (b"sec-fetch-site", b"origin"))
    return portal is not None and by_another_site(fetch_site, origin, portal.url)


async def name_sent(receive: Receive) -> str | Refusal:
    """Read who sends a form, "" where they don't say; or give the refusal."""
    try:
        body = await whole_body(receive, MAX_FORM)
        form = parse_qs((body or b"").decode(), max_num_fields=8)
    except ValueError:
        return Refusal("ambiguous-request", "http", "the form can't be read")
    if body is None:
        return Refusal("too-large", "http", str(MAX_FORM))
    return form.get("name", [""])[0].strip()
