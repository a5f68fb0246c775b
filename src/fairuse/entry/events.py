"""Takes usage events: `POST /fairuse/events`, CloudEvents 1.0, one or a batch.

An event is answered for only once it is written: who hears nothing, or 503, tells it again, and it
counts once all the same (P8). What is wrong with one event keeps none of the others from counting.
"""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple
from urllib.parse import unquote

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from fairuse.base.errors import LedgerError, StoreError
from fairuse.base.wire import json_bytes
from fairuse.entry.bodies import whole_body
from fairuse.entry.refusals import ledger_away
from fairuse.rules.events import UsageEvent, counts_as_of, moved_units
from fairuse.rules.refusal import Refusal
from fairuse.stages.meter import event_claims
from fairuse.stages.settle import settle_event

if TYPE_CHECKING:
    from starlette.types import Receive

    from fairuse.base.clock import Clock
    from fairuse.rules.config import Config, Sender
    from fairuse.rules.exchange import Exchange
    from fairuse.stages.answer import Answer
    from fairuse.stores.journal import Journal
    from fairuse.stores.ledger import Ledger
    from fairuse.stores.protocol import Counters

MAX_BYTES = 1_048_576
MAX_EVENTS = 1_000
SINGLE = "application/cloudevents+json"
BATCH = "application/cloudevents-batch+json"

# CloudEvents has no control characters in an attribute, and not every ledger could keep them.
Attribute = Annotated[
    str, Field(min_length=1, max_length=1_024, pattern=r"^[^\x00-\x1f\x7f-\x9f]*$")
]


class CloudEvent(BaseModel):
    """The attributes of CloudEvents 1.0 that usage needs; extensions are let through unread."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    specversion: Literal["1.0"]
    id: Attribute
    source: Attribute
    type: Attribute
    subject: Attribute
    time: AwareDatetime
    data: dict[str, Any] = Field(default_factory=dict)


class Told(NamedTuple):
    """What became of the events of one request."""

    counted: int
    known: int
    adjusted: int
    refused: list[dict[str, object]]


class EventsPage:
    """Counts what others tell, one request at a time: no event can slip in twice."""

    def __init__(
        self,
        clock: Clock,
        counters: Counters,
        journal: Journal,
        ledger: Ledger,
    ) -> None:
        self._clock = clock
        self._counters = counters
        self._journal = journal
        self._ledger = ledger
        self._one_at_a_time = asyncio.Lock()

    async def __call__(
        self, exchange: Exchange, sender: Sender, config: Config, receive: Receive, answer: Answer
    ) -> Refusal | None:
        """Answer a request, or give the refusal."""
        if exchange.method != "POST":
            return Refusal("method-not-allowed", "http", "events are sent with POST", allow="POST")
        try:
            body = await whole_body(receive, MAX_BYTES)
            if body is None:
                return Refusal("too-large", "http", str(MAX_BYTES))
            given = _given(exchange, body)
        except ValueError as error:
            return Refusal("ambiguous-request", "http", str(error))
        try:
            told = await self._written(given, sender, config)
        except LedgerError:
            return ledger_away(exchange)
        except StoreError:
            return Refusal("store-away", "counters", until=exchange.at.wall + 1)
        status = 422 if told.refused else 200
        await answer.whole(
            status, [(b"content-type", b"application/json")], json_bytes(told._asdict())
        )
        return None

    async def _written(self, given: list[Any], sender: Sender, config: Config) -> Told:
        """Count the events and have them written. Raises LedgerError and StoreError."""
        if self._counters.away:
            raise StoreError(self._counters.away)
        async with self._one_at_a_time, self._ledger.one_at_a_time("events"):
            told = await self._count(given, sender, config)
            if not await self._journal.flush(self._ledger, self._clock.now()):
                raise LedgerError("the events are counted and not written yet")
            await self._counters.flush()
        return told

    async def _count(self, given: list[Any], sender: Sender, config: Config) -> Told:
        events, refused = _events(given, sender)
        keys = [event.key for _, event in events]
        # What waits to be written now may be written while the ledger is asked, which knows it not.
        waiting = {key for key in keys if self._journal.knows_event(*key)}
        known = waiting | await self._ledger.known_events(keys)
        counted = repeated = adjusted = 0
        for index, event in events:
            if event.key in known or self._journal.knows_event(*event.key):
                repeated += 1
                continue
            try:
                late = self._settle(event, config)
            except ValueError as error:
                refused.append({"index": index, "id": event.id, "reason": str(error)})
                continue
            counted += 1
            adjusted += late
        return Told(counted, repeated, adjusted, refused)

    def _settle(self, event: UsageEvent, config: Config) -> bool:
        """Count one event; says whether it came too late for its own time."""
        terms = config.accounts.get(event.account)
        if terms is None:
            raise ValueError(f'there is no account "{event.account}"')
        at = self._clock.now()
        moment = counts_as_of(event, config.settings.events.late, at.wall)
        location, user, item = event.text("location"), event.text("user"), event.text("item")
        told = moved_units(event, terms)
        closed = [(each.meter, item) for each in told if each.releases]
        already = self._journal.counted_already(event.account, closed)
        moved = [
            (
                units,
                event_claims(units.meter, location, user, units.units, moment)
                if terms.applies_at(moment)
                else [],
            )
            for units in (each.less(already[each.meter.name]) for each in told)
        ]
        settle_event(event, moved, moment, terms.zone, self._counters, self._journal, at)
        return moment > event.happened_at


def _events(
    given: list[Any], sender: Sender
) -> tuple[list[tuple[int, UsageEvent]], list[dict[str, object]]]:
    """Read the events, and say what is wrong with those that are none."""
    events: list[tuple[int, UsageEvent]] = []
    refused: list[dict[str, object]] = []
    for index, each in enumerate(given):
        try:
            event = CloudEvent.model_validate(each)
        except ValidationError as error:
            reasons = (f"{_place(found['loc'])}: {found['msg']}" for found in error.errors())
            shown = each.get("id") if isinstance(each, dict) else None
            refused.append({"index": index, "id": shown, "reason": "; ".join(reasons)})
            continue
        usage = UsageEvent(
            sender.name,
            event.source,
            event.id,
            event.type,
            event.subject,
            event.time.timestamp(),
            event.data,
        )
        events.append((index, usage))
    return events, refused


def _place(location: tuple[int | str, ...]) -> str:
    return ".".join(map(str, location)) or "event"


def _given(exchange: Exchange, body: bytes) -> list[Any]:
    """Give the events of a body as they are written. Raises ValueError where there are none."""
    kind = (exchange.header(b"content-type") or b"").decode("latin-1").lower()
    kind = kind.partition(";")[0].strip()
    try:
        read = json.loads(body) if body else {}
    except (ValueError, RecursionError):
        raise ValueError("the body is no JSON") from None
    if kind == BATCH:
        if not isinstance(read, list):
            raise ValueError("a batch is a JSON array of events")
        if len(read) > MAX_EVENTS:
            raise ValueError(f"a batch may have {MAX_EVENTS} events")
        return read
    if kind == SINGLE:
        return [read]
    if exchange.header(b"ce-specversion") is not None:
        return [{**_attributes(exchange), "data": read}]
    raise ValueError(
        f"the content type must be {SINGLE} or {BATCH}, or headers must begin with ce-"
    )


def _attributes(exchange: Exchange) -> dict[str, str]:
    """Give the attributes of an event in binary mode, which are headers."""
    return {
        name[3:].decode("latin-1"): unquote(value.decode("latin-1").strip('"'))
        for name, value in exchange.headers
        if name.startswith(b"ce-")
    }
