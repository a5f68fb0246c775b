"""Cases for programs, with the account's key: `/fairuse/cases`, and choosing in one of them."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from fairuse.base.errors import LedgerError
from fairuse.base.texts import iso_time
from fairuse.base.wire import json_bytes
from fairuse.entry.bodies import whole_body
from fairuse.entry.portal.deciding import decide, named
from fairuse.entry.portal.latest import brought_up_to_date
from fairuse.entry.refusals import ledger_away, only_read
from fairuse.rules.choice_texts import meaning
from fairuse.rules.choices import CHOSEN, Choice, open_options, options
from fairuse.rules.ladder import WrongStep
from fairuse.rules.refusal import Refusal
from fairuse.stores.casebook import case_numbered
from fairuse.stores.choices import choices_made
from fairuse.stores.rows import FOREVER

if TYPE_CHECKING:
    from collections.abc import Sequence

    from starlette.types import Receive

    from fairuse.base.clock import Clock
    from fairuse.rules.choices import Portal
    from fairuse.rules.exchange import Exchange, Subject
    from fairuse.rules.ladder import Case
    from fairuse.rules.terms import Terms
    from fairuse.stages.answer import Answer
    from fairuse.stores.configuration import Configuration
    from fairuse.stores.ledger import Ledger
    from fairuse.stores.protocol import Counters

CASES_PATH = "/fairuse/cases"
MAX_CHOICE = 4_096

_CHOICE = re.compile(re.escape(CASES_PATH) + r"/([0-9]{1,18})/choice")

Json = dict[str, object]


class CasesPage:
    """Lists an account's cases, and takes its choices."""

    def __init__(
        self, clock: Clock, configuration: Configuration, counters: Counters, ledger: Ledger
    ) -> None:
        self._clock = clock
        self._configuration = configuration
        self._counters = counters
        self._ledger = ledger

    async def __call__(
        self, exchange: Exchange, subject: Subject, receive: Receive, answer: Answer
    ) -> Refusal | None:
        """Answer a request, or give the refusal."""
        try:
            shown = await self._answered(exchange, subject, receive)
        except LedgerError:
            return ledger_away(exchange)
        if isinstance(shown, Refusal):
            return shown
        await answer.whole(200, [(b"content-type", b"application/json")], json_bytes(shown))
        return None

    async def _answered(
        self, exchange: Exchange, subject: Subject, receive: Receive
    ) -> Json | Refusal:
        if exchange.path == CASES_PATH:
            return only_read(exchange, "cases are") or {"cases": await self._all(subject)}
        found = _CHOICE.fullmatch(exchange.path)
        if found is None:
            return Refusal("no-such-case", "choice")
        if exchange.method != "POST":
            return Refusal("method-not-allowed", "http", "a choice is made with POST", allow="POST")
        return await self._choose(int(found[1]), subject, receive)

    async def _all(self, subject: Subject) -> list[Json]:
        made = await choices_made(self._ledger, subject.account)
        at, terms, portal = self._clock.now(), subject.terms, self._configuration.portal
        cases = await self._ledger.cases(subject.account)
        return [
            case_json(case, made.get(case.id, []), terms, portal, at.wall)
            for case in await brought_up_to_date(cases, terms, self._counters, at)
        ]

    async def _choose(self, number: int, subject: Subject, receive: Receive) -> Json | Refusal:
        account, terms, at = subject.account, subject.terms, self._clock.now()
        try:
            body = await whole_body(receive, MAX_CHOICE)
            if body is None:
                return Refusal("too-large", "http", str(MAX_CHOICE))
            option, name = _told(body)
        except ValueError as error:
            return Refusal("ambiguous-request", "choice", str(error))
        case = await case_numbered(self._ledger, number)
        if case is None or case.account != account:
            return Refusal("no-such-case", "choice")
        ladder = terms.rules.ladder
        offered = options(case.rule, ladder)
        if option not in offered:
            return Refusal("no-such-choice", case.rule, ", ".join(offered) or "-")
        choice = Choice(option, at.wall, named(account, name), "key")
        operators = self._configuration.current.settings.notices.operators
        try:
            case = await decide(case, choice, ladder, self._ledger, operators)
        except WrongStep as error:
            return Refusal("choice-over", case.rule, str(error))
        made = (await choices_made(self._ledger, account)).get(number, [])
        [case] = await brought_up_to_date([case], terms, self._counters, at)
        return case_json(case, made, terms, self._configuration.portal, at.wall)


def case_json(
    case: Case, made: Sequence[Choice], terms: Terms, portal: Portal | None, moment: float
) -> Json:
    """Give a case, with what can be chosen in it now. Readings and amounts are units."""
    limit, zone, ladder = terms.limit(case.rule), terms.zone, terms.rules.ladder

    def units(counted: int | None) -> int | float | None:
        return counted if counted is None or limit is None else limit.unit.units(counted)

    def at(seconds: float | None) -> str | None:
        return None if seconds is None or seconds >= FOREVER else iso_time(seconds, zone)

    def option(name: str) -> Json:
        told: Json = {
            "choice": name,
            "means": meaning(name, case, terms, made, moment, terms.language),
        }
        return told if portal is None else {**told, "link": portal.link(case, name)}

    return {
        "id": case.id,
        "rule": case.rule,
        "scope": dict(case.scope),
        "state": case.state,
        "outcome": case.outcome or None,
        "unit": limit.unit.one if limit is not None else None,
        "reading": units(case.reading),
        "amount": units(case.amount),
        "latest": units(case.latest),
        "opened_at": at(case.opened_at),
        "window_from": at(case.starts_at),
        "window_until": at(case.ends_at),
        "notified_at": at(case.notified_at),
        "notified_reading": units(case.notified_reading),
        "answer_by": at(case.answer_by),
        "closed_at": at(case.closed_at),
        "choice": None
        if not made
        else {"choice": made[-1].option, "at": at(made[-1].at), "by": made[-1].by},
        "choices": [option(name) for name in open_options(case, ladder, made, moment)],
    }


def _told(body: bytes) -> tuple[str, str]:
    """Read the choice, and the name of who makes it. Raises ValueError."""
    try:
        told = json.loads(body)
    except (ValueError, RecursionError):
        told = None
    if not isinstance(told, dict) or not isinstance(told.get("choice"), str):
        example = ", ".join(f'"{option}"' for option in CHOSEN)
        raise ValueError(f'the body must be JSON like {{"choice": "reduce"}}, one of {example}')
    name = told.get("name", "")
    if not isinstance(name, str):
        raise ValueError('"name" must be text')
    return told["choice"], name
