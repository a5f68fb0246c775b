"""Meter: find which meters a request moves, by how much, and ask of each limit what it needs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cachetools import LRUCache

from fairuse.base.jsonfield import MAX_REQUEST, JsonField
from fairuse.base.keys import bounded
from fairuse.base.log import logger
from fairuse.rules.amounts import parse_units
from fairuse.rules.claims import Claim, Claims
from fairuse.rules.exchange import Movement
from fairuse.rules.refusal import Refusal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from starlette.types import Message, Receive

    from fairuse.rules.exchange import Exchange, Subject
    from fairuse.rules.policy import Scope
    from fairuse.rules.tally import ScopeKey
    from fairuse.rules.terms import LimitTerms, MeterTerms, Terms


log = logger(__name__)

MOST_PLANS = 65_536
LONGEST_PATH = 256
"""A longer one is not kept: whoever makes up paths can't fill the memory with them (F-44)."""
COUNT_BODIES = frozenset({"bytes", "bytes in"})
"""The measures for which a request's body must be counted as it comes in."""


class Plan:
    """What a request moves, and what it claims where that is the same for every request like it.

    `reads` says that the request's body must be read to know how much.
    """

    __slots__ = ("claims", "moves", "reads", "simple")

    def __init__(self, moves: Sequence[Movement]) -> None:
        self.moves = moves
        self.simple = all(move.meter.simple for move in moves)
        self.reads = any(
            move.meter.rule.cost is not None and move.meter.rule.cost.request_field is not None
            for move in moves
        )
        self.claims: Claims | None = None


class Plans:
    """The plans of the latest requests; one that is not simple is made anew for each request."""

    def __init__(self, most: int = MOST_PLANS) -> None:
        self._known: LRUCache[tuple[Terms, str, str, str, str, str], Plan] = LRUCache(most)

    def of(self, exchange: Exchange, subject: Subject) -> Plan:
        """Give the plan of a request, and note in the exchange what it moves."""
        like = (
            subject.terms,
            exchange.method,
            exchange.path,
            subject.location,
            subject.user,
            subject.address.bucket,
        )
        try:
            plan = self._known[like]
        except KeyError:
            plan = Plan(_movements(exchange, subject))
            if plan.simple and len(exchange.path) <= LONGEST_PATH:
                self._known[like] = plan
        exchange.moves = plan.moves
        if not plan.simple:
            _watch(exchange)
        return plan


def _movements(exchange: Exchange, subject: Subject) -> list[Movement]:
    return [
        Movement(meter, bounded(item.casefold()), releases=releases)
        for meter, releases, item in subject.terms.moved_by(exchange.method, exchange.path)
    ]


def _watch(exchange: Exchange) -> None:
    """Have what passes counted and read, where that says how much a meter moves."""
    for move in exchange.moves:
        rule = move.meter.rule
        exchange.counts_bytes = exchange.counts_bytes or rule.measure in COUNT_BODIES
        if rule.cost is not None and rule.cost.response_field is not None:
            move.reader = JsonField(rule.cost.response_field)
            exchange.reads_answer = True


async def read_ahead(exchange: Exchange, subject: Subject, receive: Receive) -> Receive | Refusal:
    """Read a body that says what the request costs, and give it back to be read again.

    What can be read in two ways, or not at all, is refused before anything else happens to it:
    the API might read another number (F-27). Where only soft limits hang on it, it is let through
    and counts as one unit.
    """
    fields = {
        move: JsonField(move.meter.rule.cost.request_field)
        for move in exchange.moves
        if move.meter.rule.cost and move.meter.rule.cost.request_field
    }
    held: list[Message] = []
    size, more = 0, True
    while more and size <= MAX_REQUEST:
        message = await receive()
        held.append(message)
        body = message.get("body", b"")
        size += len(body)
        for field in fields.values():
            field.feed(body)
        more = message.get("more_body", False)
    for move, field in fields.items():
        if size and held[-1]["type"] == "http.request" and not more:
            field.end()
        refusal = _read(move, field, exchange, size)
        if refusal is not None and _refusable(move, exchange, subject):
            return refusal

    async def again() -> Message:
        return held.pop(0) if held else await receive()

    return again


def _read(move: Movement, field: JsonField, exchange: Exchange, size: int) -> Refusal | None:
    """Note what a body says the request costs, or why that can't be known."""
    if size > MAX_REQUEST:
        return Refusal("too-large", "http", str(MAX_REQUEST))
    if exchange.header(b"content-encoding") not in (None, b"identity"):
        return Refusal("unreadable-cost", move.meter.name, "its body is compressed")
    if field.broken:
        return Refusal("unreadable-cost", move.meter.name, "its body is no JSON")
    if field.ambiguous:
        return Refusal("unreadable-cost", move.meter.name, "its body says it more than once")
    return _tell(move, field.value)


def _tell(move: Movement, value: object) -> Refusal | None:
    """Note what a request says it costs; one that says nothing costs one unit."""
    if value is None:
        return None
    try:
        move.told = parse_units(value, move.meter.rule.decimals)
    except ValueError as error:
        return Refusal("unreadable-cost", move.meter.name, str(error))
    return None


def _tell_header(move: Movement, lines: Sequence[bytes]) -> Refusal | None:
    """Note what a header says the request costs; two say nothing for certain."""
    if len(lines) > 1:
        return Refusal("unreadable-cost", move.meter.name, "a header says it more than once")
    return _tell(move, lines[0].decode("latin-1") if lines else None)


def _refusable(move: Movement, exchange: Exchange, subject: Subject) -> bool:
    """Say whether a hard limit hangs on the cost: where none does, nothing is refused (P4)."""
    hard = not move.releases and any(limit.hard for limit in move.meter.limits)
    if hard and subject.terms.applies_at(exchange.at.wall):
        return True
    log.warning("cost.unreadable", meter=move.meter.name, request_id=exchange.request_id)
    return False


def meter(exchange: Exchange, subject: Subject, plan: Plan) -> Claims | Refusal:
    """Give a claim on every limit of every meter that the request moves."""
    known, moment = plan.claims, exchange.at.wall
    if known is not None and known.since <= moment < known.until:
        return known
    for move in plan.moves:
        refusal = _told_by_header(move, exchange, subject)
        if refusal is not None:
            return refusal
    claims = _claims(plan, subject, moment)
    if plan.simple:
        plan.claims = claims
    return claims


def _claims(plan: Plan, subject: Subject, moment: float) -> Claims:
    until = subject.terms.applies_until(moment)
    if not subject.terms.applies_at(moment):
        return Claims([], moment, until)
    claims = []
    for move in plan.moves:
        units = _reserved(move)
        for rule in move.meter.limits:
            scope = scope_key(rule.scope, subject.location, subject.user, subject.address.bucket)
            limit = rule.within(scope)
            until = min(until, limit.holds_until(moment)) if plan.simple else moment
            claim = _claim((limit, scope), subject, units, moment, refusable=not move.releases)
            if claim is not None:
                claims.append(claim)
    return Claims(claims, moment, until)


def _told_by_header(move: Movement, exchange: Exchange, subject: Subject) -> Refusal | None:
    """Note what a header says that a request costs; refuse what can't be known and has to be."""
    cost = None if move.meter.simple else move.meter.rule.cost
    if cost is None or cost.request_header is None:
        return None
    refusal = _tell_header(move, exchange.header_lines(cost.request_header.encode()))
    return refusal if refusal is not None and _refusable(move, exchange, subject) else None


def _reserved(move: Movement) -> int:
    """Say how many units to reserve before the answer is known."""
    if move.meter.simple:
        return move.meter.one
    if move.told is not None:
        return move.told
    if move.releases:
        return 0
    rule = move.meter.rule
    units = rule.cost.reserve if rule.cost is not None else 1
    return units * rule.one


def _claim(
    scoped: tuple[LimitTerms, ScopeKey],
    subject: Subject,
    units: int,
    moment: float,
    *,
    refusable: bool,
) -> Claim | None:
    """Ask a limit for units; None where it is not in force yet, or has nobody to tell apart."""
    limit, scope = scoped
    amount = limit.amount(moment)
    if amount is None:
        return None
    member = ""
    if limit.kind == "members":
        member = _member(limit.measure, subject)
        if not member and limit.measure != "users":
            return None
    claim = Claim(
        limit,
        scope,
        amount.value,
        units,
        limit.span(moment),
        member,
        refusable=refusable,
    )
    closed = limit.closed_at(moment) if refusable else None
    if closed is not None:
        claim.close(closed)
    return claim


def _member(measure: str, subject: Subject) -> str:
    match measure:
        case "users":
            return subject.user
        case "locations":
            return subject.location
        case _:
            return subject.address.bucket


def scope_key(scope: Scope, location: str, user: str, address: str) -> ScopeKey:
    """Say which part of the account is counted; a request without a location counts for all."""
    if not scope:
        return ()
    key = []
    for part in scope:
        if part == "address":
            key.append((part, address))
        elif part == "user":
            key.append((part, user))
        elif location:
            key.append((part, location))
    return tuple(key)


def event_claims(
    meter: MeterTerms, location: str, user: str, units: int, moment: float
) -> list[Claim]:
    """Give what a usage event of a moment adds to each limit of a meter."""
    claims = []
    for limit in meter.limits:
        scope = scope_key(limit.scope, location, user, "")
        amount = limit.within(scope).amount(moment)
        member = {"users": user, "locations": location}.get(limit.measure, "")
        if amount is None or (limit.kind == "members" and not member):
            continue
        span = limit.span(moment)
        claims.append(Claim(limit, scope, amount.value, units, span, member, refusable=False))
    return claims
