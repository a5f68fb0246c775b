"""The usage page for people: what was used, what is open, and what was told (C12, C14)."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from fairuse.base.errors import LedgerError
from fairuse.base.log import logger
from fairuse.base.texts import marked as _
from fairuse.base.texts import money, number, translate, window_text
from fairuse.entry.portal.html import send_html, wants_html
from fairuse.entry.portal.latest import brought_up_to_date
from fairuse.entry.portal.view import POLICY, Reading, bar_share, case_view, option_views
from fairuse.entry.refusals import only_read
from fairuse.rules.choices import CHOICE_PATH
from fairuse.rules.reader import language_of
from fairuse.stages.bill import charges_so_far
from fairuse.stores.charges import charges_of
from fairuse.stores.choices import choices_made

if TYPE_CHECKING:
    from starlette.types import Receive

    from fairuse.base.clock import Clock
    from fairuse.base.instant import Instant
    from fairuse.entry.usage import UsagePage
    from fairuse.rules.charges import Charge
    from fairuse.rules.exchange import Exchange, Subject
    from fairuse.rules.refusal import Refusal
    from fairuse.rules.standing import Standing
    from fairuse.rules.terms import LimitTerms
    from fairuse.stages.answer import Answer
    from fairuse.stores.blocks import Blocks
    from fairuse.stores.configuration import Configuration
    from fairuse.stores.ledger import Ledger
    from fairuse.stores.protocol import Counters

log = logger(__name__)


STANDINGS: dict[Standing, str] = {
    "within": _("within the agreed amount"),
    "warning": _("close to the agreed amount"),
    "excessive": _("above the agreed amount"),
}
PARTS = {"location": _("location"), "user": _("user"), "address": _("address")}


class LimitView(NamedTuple):
    """A limit with what is used of it, for one part of the account; "" for what is not known."""

    name: str
    scope: str
    used: str
    amount: str
    unit: str
    window: str
    share: float
    standing: Standing
    standing_text: str
    resets: str
    multiple: str


class ChargeView(NamedTuple):
    """A charge: for which rule, since when, and what is to be paid of it."""

    rule: str
    made_at: str
    due: str
    final: bool


class UsageForPeople:
    """Shows the usage as a page where a browser asks; programs get it as JSON."""

    def __init__(
        self,
        clock: Clock,
        configuration: Configuration,
        counters: Counters,
        blocks: Blocks,
        ledger: Ledger,
        usage: UsagePage,
    ) -> None:
        self._clock = clock
        self._configuration = configuration
        self._counters = counters
        self._blocks = blocks
        self._ledger = ledger
        self._usage = usage

    async def __call__(
        self, exchange: Exchange, subject: Subject, _receive: Receive, answer: Answer
    ) -> Refusal | None:
        """Answer a request, or give the refusal."""
        if refusal := only_read(exchange, "usage is"):
            return refusal
        if not wants_html(exchange):
            await self._usage(subject, answer)
            return None
        at, terms, portal = self._clock.now(), subject.terms, self._configuration.portal
        language = language_of(exchange, terms.language)
        reading = Reading(terms, at.wall, language, portal, beside="")
        limits = await self._usage.limits(subject, at)
        words = {
            "account": subject.account,
            "policy_page": reading.policy_page(subject.account, terms.version) or POLICY,
            "title": terms.rules.word(terms.rules.title, language),
            "limits": None
            if limits is None
            else [_limit(entry, limit, reading) for entry, limit in _known(limits, subject)],
            "blocks": [
                (block.address, reading.at(block.ends_at))
                for block in self._blocks.of_account(subject.account, at.wall)
            ],
            "at": reading.at(at.wall),
            "contact": self._configuration.letterhead.contact,
            **await self._told(subject, reading, at),
        }
        await send_html(answer, language, "usage.html", words)
        return None

    async def _told(self, subject: Subject, reading: Reading, at: Instant) -> dict[str, object]:
        """Give the open cases, the charges and the notices; None for all while nobody can say."""
        account, terms, ledger = subject.account, subject.terms, self._ledger
        try:
            cases = await ledger.cases(account)
            made = await choices_made(ledger, account)
            charges = await charges_of(ledger, account=account)
            notices = await ledger.notices(account)
            live = [case for case in cases if case.state != "closed"]
            live = await brought_up_to_date(live, terms, self._counters, at)
            shown = [
                case_view(case, await charges_so_far(case, terms, ledger, at.wall), reading)
                for case in live
            ]
        except LedgerError as error:
            log.error("ledger.not_read", account=account, reason=str(error))
            return {"cases": None, "charges": None, "notices": None}
        options = [option_views(case, made.get(case.id, []), reading) for case in live]
        return {
            "cases": [*zip(shown, options, strict=True)],
            "choice_base": CHOICE_PATH.rsplit("/", 1)[1],
            "charges": [_charge(charge, reading) for charge in charges],
            "notices": [
                (reading.at(notice.written_at), notice.subject, notice.body) for notice in notices
            ],
        }


def _known(
    limits: list[dict[str, Any]], subject: Subject
) -> list[tuple[dict[str, Any], LimitTerms]]:
    """Pair what is used with the limit it is of."""
    found = ((entry, subject.terms.limit(entry["limit"])) for entry in limits)
    return [(entry, limit) for entry, limit in found if limit is not None]


def _limit(entry: dict[str, Any], limit: LimitTerms, reading: Reading) -> LimitView:
    """Write what the JSON says of a limit in the reader's words."""
    language, used, amount = reading.language, entry["used"], entry["amount"]
    resets, average = entry["resets_at"], entry.get("average") or {}
    parts = (f"{translate(language, PARTS[part])} {name}" for part, name in entry["scope"].items())
    multiple = average.get("multiple")
    return LimitView(
        name=limit.name,
        scope=", ".join(parts),
        used=number(used, language),
        amount="" if amount is None else number(amount, language),
        unit=limit.unit.names(0, language),
        window=window_text(limit.window_text, language),
        share=bar_share(used, amount or 0),
        standing=entry["standing"],
        standing_text="" if amount is None else translate(language, STANDINGS[entry["standing"]]),
        resets="" if resets is None else reading.at(datetime.fromisoformat(resets).timestamp()),
        multiple="" if multiple is None else number(multiple, language),
    )


def _charge(charge: Charge, reading: Reading) -> ChargeView:
    due = money(charge.due, charge.currency, reading.language)
    return ChargeView(charge.rule, reading.at(charge.made_at), due, charge.final)
