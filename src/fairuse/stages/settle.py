"""Settle: close the receipt exactly once, with what the request really came to.

Units count only if the API accepted the request; what is used whatever the answer, such as bytes
and seconds, counts always.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from fairuse.base.log import cut, logger
from fairuse.rules.amounts import parse_units
from fairuse.rules.exchange import CLIENT_GONE, is_accepted
from fairuse.rules.windows import hour_of
from fairuse.stores.protocol import Outcome
from fairuse.stores.rows import EventRow, ItemClosed, ItemRow

if TYPE_CHECKING:
    from collections.abc import Callable
    from zoneinfo import ZoneInfo

    from fairuse.base.instant import Instant
    from fairuse.rules.claims import Claim
    from fairuse.rules.events import EventUnits, UsageEvent
    from fairuse.rules.exchange import Exchange, Movement, Subject
    from fairuse.rules.meters import Measure
    from fairuse.stores.journal import Journal
    from fairuse.stores.protocol import Counters, Receipt

log = logger(__name__)


def settle(
    exchange: Exchange,
    subject: Subject,
    receipt: Receipt,
    counters: Counters,
    journal: Journal,
    at: Instant,
) -> dict[str, int | None]:
    """Count the units of a 2xx, give back those of anything else.

    Gives the counts of the meters that ask for more than one a request.
    """
    outcome = _outcome(exchange)
    closed = [(move.meter, move.item) for move in exchange.moves if move.releases]
    already = journal.counted_already(subject.account, closed) if closed else {}
    costs = {}
    for move in exchange.moves:
        meter = move.meter
        name = meter.name
        units = meter.one if meter.simple else _cost(move, exchange, at)
        if units and name in already:
            units = max(0, units - already[name])
        if not meter.simple:
            costs[name] = units
        if outcome is not Outcome.ACCEPTED and not meter.whatever_the_answer:
            continue
        if meter.kind == "flow" and units:
            hour = hour_of(at.wall if move.accrued else exchange.at.wall, subject.terms.zone)
            journal.note_usage(subject.account, subject.location, name, units, hour)
        elif meter.kind == "items":
            _note_item(move, units or 0, subject.account, exchange.at.wall, journal)
    counters.settle(receipt, outcome, costs, at)
    return costs


def settle_so_far(
    exchange: Exchange,
    subject: Subject,
    receipt: Receipt,
    counters: Counters,
    journal: Journal,
    at: Instant,
) -> None:
    """Count what a request has come to while it is open still: its seconds, or that it is long."""
    costs = {}
    refused = exchange.status is not None and _outcome(exchange) is not Outcome.ACCEPTED
    for move in exchange.moves:
        if lasts(move) and (move.meter.whatever_the_answer or not refused):
            units = _cost(move, exchange, at) or 0
            if units:
                move.accrued += units
                costs[move.meter.name] = units
                hour = hour_of(at.wall, subject.terms.zone)
                journal.note_usage(subject.account, subject.location, move.meter.name, units, hour)
    counters.accrue(receipt, costs, at)


def lasts(move: Movement) -> bool:
    """Say whether a meter moves while a request is open, not only at its end."""
    rule = move.meter.rule
    if rule.measure == "seconds open" or rule.measure in _BYTES:
        return True
    return rule.longer_than is not None and rule.shorter_than is None


def _outcome(exchange: Exchange) -> Outcome:
    if exchange.status is None and exchange.fault == CLIENT_GONE and exchange.reached:
        return Outcome.UNKNOWN
    return Outcome.ACCEPTED if is_accepted(exchange.status) else Outcome.REFUSED


def _cost(move: Movement, exchange: Exchange, at: Instant) -> int | None:
    """Work out what a meter really moved by; None where nobody told."""
    rule = move.meter.rule
    if rule.measure == "seconds open" or rule.shorter_than or rule.longer_than:
        return _seconds_cost(move, exchange, at)
    if rule.measure in _BYTES:
        return _BYTES[rule.measure](exchange) - move.accrued
    if rule.measure == "in flight":
        return 1
    if rule.cost is None or move.told is not None:
        return rule.one if move.told is None else move.told
    return _told_by_answer(move, exchange)


_BYTES: dict[Measure, Callable[[Exchange], int]] = {
    "bytes": lambda exchange: exchange.received_bytes + exchange.sent_bytes,
    "bytes in": lambda exchange: exchange.received_bytes,
    "bytes out": lambda exchange: exchange.sent_bytes,
}


def _seconds_cost(move: Movement, exchange: Exchange, at: Instant) -> int:
    """Count seconds that were not counted yet, or a request that was shorter or longer."""
    rule = move.meter.rule
    seconds = at.monotonic - exchange.at.monotonic
    unit = rule.one
    if rule.measure == "seconds open":
        return math.ceil(seconds) * unit - move.accrued
    short = rule.shorter_than is None or seconds < rule.shorter_than
    long = rule.longer_than is None or seconds > rule.longer_than
    return unit - move.accrued if short and long else 0


def _told_by_answer(move: Movement, exchange: Exchange) -> int | None:
    """Read the cost from the answer; what it does not tell stays as it was reserved.

    A gauge that is not told stays where it is.
    """
    rule = move.meter.rule
    cost = rule.cost
    value: object = move.reader.value if move.reader is not None else None
    if cost is not None and cost.response_header is not None:
        name = cost.response_header.encode()
        told = [value for key, value in exchange.answer_headers if key.lower() == name]
        value = told[-1].decode("latin-1") if told else None
    reason = "the answer does not tell"
    if value is not None:
        try:
            return parse_units(value, rule.decimals)
        except ValueError as error:
            reason = str(error)
    if rule.measure == "gauge":
        return None
    asked = cost is not None and (cost.response_header or cost.response_field)
    if asked and _outcome(exchange) is Outcome.ACCEPTED:
        request = {"request_id": exchange.request_id, "path": cut(exchange.path)}
        log.warning("cost.unreadable", meter=move.meter.name, reason=reason, **request)
    return (cost.reserve if cost is not None else 1) * rule.one


def _note_item(move: Movement, units: int, account: str, moment: float, journal: Journal) -> None:
    if move.releases:
        journal.note_item(ItemClosed(account, move.meter.name, move.item, moment))
    else:
        journal.note_item(ItemRow(account, move.meter.name, move.item, units, moment))


def settle_event(
    event: UsageEvent,
    moved: list[tuple[EventUnits, list[Claim]]],
    moment: float,
    zone: ZoneInfo,
    counters: Counters,
    journal: Journal,
    at: Instant,
) -> None:
    """Count what an event moved as of a moment, and remember that it was told (P8, S16).

    A late one may raise what was used of a window that is over; it moves no notice's time.
    """
    for (meter, units, releases), claims in moved:
        if meter.rule.kind == "items":
            _note_told_item(event, meter.name, units, journal, releases=releases)
        elif meter.rule.kind == "flow":
            hour = hour_of(moment, zone)
            journal.note_usage(event.account, event.text("location"), meter.name, units, hour)
        for claim in claims:
            counters.record(event.account, claim, moment, at)
    adjusted = moment > event.happened_at
    journal.note_event(EventRow(*event.key, at.wall, event.happened_at, adjusted))


def _note_told_item(
    event: UsageEvent, meter: str, units: int, journal: Journal, *, releases: bool
) -> None:
    """Note an item as of when it was opened or closed, however late it is told."""
    item, moment = event.text("item"), event.happened_at
    if releases:
        journal.note_item(ItemClosed(event.account, meter, item, moment))
    else:
        journal.note_item(ItemRow(event.account, meter, item, units, moment))
