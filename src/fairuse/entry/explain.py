"""Explains what a request would meet, or where an account stands, with the stages themselves.

Nothing is changed: the counters are a copy, made from the configuration and the ledger.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import unquote

from fairuse.base.texts import iso_time
from fairuse.endpoints import HEALTH_PATH, READY_PATH
from fairuse.entry.rulings import rulings_of
from fairuse.entry.usage import of_limit
from fairuse.rules.blocks import FORGIVEN_AFTER
from fairuse.rules.exchange import Exchange, Subject
from fairuse.rules.refusal import EVENTS_PATH, PROBLEMS, USAGE_PATH, Refusal
from fairuse.stages.admit import admit
from fairuse.stages.decide import decide, refusal_of
from fairuse.stages.identify import blocked_here, identify, identify_sender, subject_of
from fairuse.stages.meter import Plans, meter
from fairuse.stages.restrict import restricted
from fairuse.stores.averages import Averages
from fairuse.stores.blocks import Blocks
from fairuse.stores.callers import RecentEvents
from fairuse.stores.forces import Forces
from fairuse.stores.journal import Journal
from fairuse.stores.ledger import Ledger
from fairuse.stores.memory import MemoryCounters
from fairuse.stores.protocol import Receipt
from fairuse.stores.shared.look import look_into

if TYPE_CHECKING:
    from fairuse.base.clock import Clock
    from fairuse.base.instant import Instant
    from fairuse.rules.claims import Claim
    from fairuse.rules.config import Config
    from fairuse.rules.exchange import Movement
    from fairuse.rules.terms import Terms
    from fairuse.stores.configuration import Configuration
    from fairuse.stores.protocol import Reading

Json = dict[str, object]


@dataclass(frozen=True, slots=True)
class Request:
    """A request to explain: as a client would send it."""

    method: str
    path: str
    key: str = ""
    account: str = ""
    address: str = "192.0.2.1"
    user: str = ""
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)


class _State(NamedTuple):
    counters: MemoryCounters
    blocks: Blocks
    forces: Forces


async def explain_account(configuration: Configuration, account: str, clock: Clock) -> Json:
    """Say where an account stands, and by which rules.

    Raises KeyError where there is none, LedgerError and StoreError.
    """
    stands = await standing_of(configuration, account, clock)
    terms = configuration.current.accounts[account]
    return {**stands, "rulings": rulings_of(terms, clock.now().wall)}


async def standing_of(configuration: Configuration, account: str, clock: Clock) -> Json:
    """Say what an account has used of each limit.

    Raises KeyError where there is none, LedgerError and StoreError.
    """
    at = clock.now()
    state = await _remembered(configuration, at)
    terms = configuration.current.accounts[account]
    await _counted_together(configuration, terms, state.counters, at)
    readings = await state.counters.read(account, at)
    return {
        **_head(terms, at),
        "limits": [
            entry for limit in terms.limits for entry in of_limit(limit, readings, terms, "", at)
        ],
    }


async def explain_request(configuration: Configuration, request: Request, clock: Clock) -> Json:
    """Say what a request would meet.

    Raises KeyError for an unknown account, LedgerError and StoreError.
    """
    at = clock.now()
    state = await _remembered(configuration, at)
    config = configuration.current
    exchange = _exchange(request, config, at)
    subject = _whose(exchange, request, config, state.blocks)
    if not isinstance(subject, Subject):
        return {"outcome": _outcome(subject)}
    terms = subject.terms
    if exchange.path == USAGE_PATH:
        return {**_head(terms, at), "outcome": _outcome(None)}
    refusal = blocked_here(exchange, subject, config, state.blocks)
    refusal = refusal or restricted(exchange, subject, state.forces, at.wall)
    claims = meter(exchange, subject, Plans().of(exchange, subject))
    found: Json = {
        **_head(terms, at),
        "location": subject.location or None,
        "user": subject.user or None,
        "address": subject.address.bucket,
        "meters": [_meter(move) for move in exchange.moves],
    }
    if isinstance(claims, Refusal):
        return {**found, "limits": [], "outcome": _outcome(refusal or claims)}
    await _counted_together(configuration, terms, state.counters, at)
    readings = await state.counters.read(subject.account, at)
    found["limits"] = [
        _claim(claim, subject, readings, state.counters.needs(subject.account, claim, at), at)
        for claim in claims
    ]
    decision = await decide(subject, claims, state.counters, at)
    if refusal is None and not isinstance(decision, Receipt):
        refusal = refusal_of(decision, at)
    return {**found, "outcome": _outcome(refusal)}


async def _counted_together(
    configuration: Configuration, terms: Terms, counters: MemoryCounters, at: Instant
) -> None:
    """Take up what an account has used where several processes count. Raises StoreError."""
    settings = configuration.current.settings.counters
    if not settings.alone:
        rows, members = await look_into(settings, terms)
        counters.restore(rows, at, members)


def _nobody(_crossing: object) -> None:
    """Tell nobody: nothing is counted here."""


async def _remembered(configuration: Configuration, at: Instant) -> _State:
    """Take up what the ledger has, as a starting gateway would."""
    journal = Journal()
    state = _State(MemoryCounters(journal, _nobody), Blocks(journal), Forces())
    ledger = await Ledger.look_into(configuration.current.settings.ledger.url)
    if ledger is None:
        return state
    try:
        state.counters.restore(await ledger.open_slots(at.wall), at, await ledger.members(at.wall))
        state.blocks.restore(await ledger.blocks_since(at.wall - FORGIVEN_AFTER))
        averages = Averages(ledger)
        if await averages.take_up(configuration.current, at.wall):
            configuration.learn(averages.history)
        await state.forces.look(ledger, configuration, at.wall)
    finally:
        await ledger.close()
    return state


def _exchange(request: Request, config: Config, at: Instant) -> Exchange:
    headers = [(b"host", b"explain"), *request.headers]
    if request.key:
        headers.append((config.key_header, request.key.encode()))
    if request.user and config.user_header:
        headers.append((config.user_header, request.user.encode()))
    path, _, query = request.path.partition("?")
    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": request.method,
        "path": unquote(path),
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "headers": headers,
        "client": (request.address, 0),
    }
    return Exchange(scope, at, "explained")


def _whose(
    exchange: Exchange, request: Request, config: Config, blocks: Blocks
) -> Subject | Refusal | None:
    """Say whose request it is, or why it is refused; None where it is served to whom it may be."""
    if exchange.path in (HEALTH_PATH, READY_PATH):
        return None
    refusal = admit(exchange, config, blocks)
    if refusal is not None:
        return refusal
    if exchange.path == EVENTS_PATH:
        sender = identify_sender(exchange, config, RecentEvents(1))
        return sender if isinstance(sender, Refusal) else None
    if request.key:
        return identify(exchange, config, RecentEvents(1))
    return subject_of(exchange, config, request.account, config.accounts[request.account])


def _head(terms: Terms, at: Instant) -> Json:
    return {
        "account": terms.account,
        "tenant": terms.tenant,
        "policy": terms.policy,
        "at": iso_time(at.wall, terms.zone),
        "in_force": terms.applies_at(at.wall),
    }


def _meter(move: Movement) -> Json:
    rule = move.meter.rule
    told = None
    if rule.cost is not None:
        places = rule.cost.model_dump(exclude_none=True, exclude={"reserve"})
        told = ", ".join(f"{name} {place}" for name, place in places.items())
    return {
        "meter": move.meter.name,
        "measure": rule.measure,
        "unit": rule.unit,
        "releases": move.releases,
        "cost": told,
        "counts": "whatever the answer" if rule.whatever_the_answer else "what the API accepts",
    }


def _claim(
    claim: Claim, subject: Subject, readings: list[Reading], needs: int, at: Instant
) -> Json:
    limit = claim.limit
    of_scope = [
        reading
        for reading in readings
        if (reading.limit, reading.window, reading.scope)
        == (limit.name, limit.window_text, claim.scope)
    ]
    [entry] = of_limit(limit, of_scope, subject.terms, subject.address.bucket, at)
    entry["scope"] = dict(claim.scope)
    entry["asks"] = limit.unit.units(needs)
    return entry


def _outcome(refusal: Refusal | None) -> Json:
    if refusal is None:
        return {"served": True}
    problem = PROBLEMS[refusal.kind]
    return {
        "served": False,
        "status": int(problem.status),
        "rule": refusal.rule,
        "why": problem.title,
        "reason": refusal.reason or None,
    }
