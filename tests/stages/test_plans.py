"""Plans: what a request claims is worked out once, and anew as soon as anything of it turns."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.rules.support import METER, POLICY, policy, tenant, utc

from fairuse.base.address import Address
from fairuse.base.instant import Instant
from fairuse.rules.agreed import History
from fairuse.rules.cohorts import CohortKey, Member, Snapshot
from fairuse.rules.exchange import Exchange, Subject
from fairuse.rules.refusal import Refusal
from fairuse.rules.terms import Terms
from fairuse.stages.meter import Plan, Plans, meter

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fairuse.rules.claims import Claim, Claims

PATH = "/locations/centrum/appointments"
COHORT = CohortKey("booking", "standard", "appointments")
AUTUMN = (date(2026, 9, 1), date(2027, 1, 31))


def limits(*windows: str, **changes: Any) -> dict[str, Any]:
    """Write a limit of 100 for each window."""
    one = {"meter": "appointments", "amount": "100", "over": "refuse"} | changes
    return {window.replace(" ", "-"): one | {"window": window} for window in windows}


def terms_of(rules: dict[str, Any], **changes: Any) -> Terms:
    """Give the terms of a salon under some limits."""
    return Terms("salon", "salon", tenant(**changes), policy(limits=rules), History())


AMOUNTS = {
    "1 minute": "100",
    "7 days": "10 * packs",
    "calendar day": "100",
    "calendar month": "5 * average",
    "calendar year": "10 * packs",
}
EVERY = limits(*AMOUNTS)


def subject_of(known: Terms, **changes: Any) -> Subject:
    """Give who asks."""
    address = Address("192.0.2.1", "192.0.2.1")
    return Subject("salon", "centrum", "anna", address, known)._replace(**changes)


def exchange_of(moment: float, method: str = "POST", path: str = PATH) -> Exchange:
    """Give a request of a moment."""
    scope = {"type": "http", "method": method, "path": path, "headers": []}
    return Exchange(scope, Instant(moment, moment), "id")


def claims_of(plan: Plan, subject: Subject, moment: float) -> Claims:
    """Give the claims of a request of a moment."""
    claims = meter(exchange_of(moment), subject, plan)
    assert not isinstance(claims, Refusal)
    return claims


def fresh(subject: Subject, moment: float) -> Claims:
    """Give the claims of such a request, worked out anew."""
    return claims_of(Plans().of(exchange_of(moment), subject), subject, moment)


def said(claims: Sequence[Claim]) -> list[tuple[object, ...]]:
    """Give all that claims say."""
    return [
        (
            *(claim.limit, claim.scope, claim.amount, claim.cost, claim.span, claim.member),
            *(claim.hard, claim.window_seconds),
        )
        for claim in claims
    ]


def test_a_request_like_another_has_its_plan() -> None:
    """The same account, route and caller move the same, worked out once and noted each time."""
    subject, plans = subject_of(terms_of(EVERY)), Plans()
    one, other = exchange_of(utc("2026-11-02T12:00")), exchange_of(utc("2026-11-03T12:00"))
    assert plans.of(one, subject) is plans.of(other, subject)
    assert one.moves is other.moves
    assert [move.meter.name for move in other.moves] == ["appointments"]


TERMS = terms_of(EVERY)
OTHERS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "another method": ({"method": "GET"}, {}),
    "another path": ({"path": "/locations/noord/appointments"}, {}),
    "another location": ({}, {"location": "noord"}),
    "another user": ({}, {"user": "bert"}),
    "another address": ({}, {"address": Address("192.0.2.2", "192.0.2.2")}),
    "another account": ({}, {"terms": terms_of(EVERY)}),
}


@pytest.mark.parametrize(("asked", "who"), OTHERS.values(), ids=OTHERS)
def test_another_request_has_another_plan(asked: dict[str, Any], who: dict[str, Any]) -> None:
    """F-21: what is counted apart shares no plan, whatever else is the same."""
    plans, moment = Plans(), utc("2026-11-02T12:00")
    first = plans.of(exchange_of(moment), subject_of(TERMS))
    assert plans.of(exchange_of(moment, **asked), subject_of(TERMS, **who)) is not first
    assert plans.of(exchange_of(moment), subject_of(TERMS)) is first


def test_one_of_the_same_network_shares_a_plan() -> None:
    """F-19: addresses that are counted together need no plan each."""
    plans, moment = Plans(), utc("2026-11-02T12:00")
    one, other = (
        subject_of(TERMS, address=Address(f"2001:db8::{host}", "2001:db8::/64")) for host in (1, 2)
    )
    assert plans.of(exchange_of(moment), one) is plans.of(exchange_of(moment), other)


def test_made_up_paths_fill_no_memory() -> None:
    """F-44 (plans): no more plans are remembered than there is room for, the latest ones."""
    plans, moment = Plans(most=10), utc("2026-11-02T12:00")
    first = plans.of(exchange_of(moment), subject_of(TERMS))
    for number in range(100):
        plans.of(exchange_of(moment, path=f"/made/up/{number}"), subject_of(TERMS))
    assert len(plans._known) == 10
    assert plans.of(exchange_of(moment), subject_of(TERMS)) is not first


COUNT = ["POST /locations/{location}/appointments"]
TOLD: dict[str, dict[str, Any]] = {
    "a body": {"cost": {"request_field": "pages"}},
    "a header": {"cost": {"request_header": "x-pages"}},
    "the answer": {"cost": {"response_header": "x-pages"}},
    "bytes": {"measure": "bytes"},
    "seconds": {"measure": "seconds open"},
    "short ones": {"shorter_than": "2 seconds"},
}


@pytest.mark.parametrize("told", TOLD.values(), ids=TOLD)
def test_what_is_told_of_one_request_is_not_of_the_next(told: dict[str, Any]) -> None:
    """D04: where each request says its own cost, nothing of one is kept for another."""
    meters = {"appointments": {"unit": "page", "count": COUNT} | told}
    rules = policy(meters=meters, limits=limits("calendar day"))
    subject = subject_of(Terms("salon", "salon", tenant(), rules, History()))
    plans, exchange, moment = Plans(), exchange_of(0.0), utc("2026-11-02T12:00")
    one, other = plans.of(exchange, subject), plans.of(exchange_of(0.0), subject)
    assert one is not other
    assert not one.simple
    assert one.reads == ("request_field" in told.get("cost", {}))
    assert {*one.moves}.isdisjoint(other.moves)
    assert exchange.moves is one.moves
    first = claims_of(one, subject, moment)
    assert claims_of(one, subject, moment) is not first


TURNS = {
    "a day": (limits("calendar day"), {}, "2026-11-02T23:00:00"),
    "a month": (limits("calendar month"), {}, "2026-11-30T23:00:00"),
    "the earlier of two": (limits("calendar month", "calendar day"), {}, "2026-11-02T23:00:00"),
    "a billing month": (
        limits("calendar month"),
        {"contract": {"billing_day": 15}},
        "2026-11-14T23:00:00",
    ),
    "an override begins": (
        limits("1 minute"),
        {"override": {"1-minute": {"amount": 7, "reason": "x", "from": date(2026, 11, 10)}}},
        "2026-11-09T23:00:00",
    ),
    "an override ends": (
        limits("1 minute", "calendar month"),
        {"override": {"calendar-month": {"amount": 7, "reason": "x", "until": date(2026, 11, 9)}}},
        "2026-11-09T23:00:00",
    ),
    "the policy begins to apply": (
        limits("1 minute"),
        {"contract": {"since": date(2026, 11, 10)}},
        "2026-11-09T23:00:00",
    ),
}


@pytest.mark.parametrize(("rules", "changes", "turn"), TURNS.values(), ids=TURNS)
def test_claims_hold_until_something_turns(
    rules: dict[str, Any], changes: dict[str, Any], turn: str
) -> None:
    """A05, A27, A01: the last second has the claims of noon, and the first after it has others."""
    applies = {"applies": {"contracts_from": date(2026, 11, 1)}} if "since" in str(changes) else {}
    known = Terms("salon", "salon", tenant(**changes), policy(limits=rules, **applies), History())
    subject, noon, turns = subject_of(known), utc("2026-11-02T12:00"), utc(turn)
    plan = Plans().of(exchange_of(noon), subject)
    first = claims_of(plan, subject, noon)
    for moment in (noon, noon + 0.5, turns - 1, turns - 0.001):
        assert claims_of(plan, subject, moment) is first
    other = claims_of(plan, subject, turns)
    assert said(other) == said(fresh(subject, turns)) != said(first)
    assert claims_of(plan, subject, turns + 0.001) is other


def test_a_clock_that_goes_back_finds_the_claims_of_then() -> None:
    """F-31: claims of today are none of yesterday, also where yesterday comes again."""
    subject = subject_of(terms_of(limits("calendar day")))
    today, yesterday = utc("2026-11-02T12:00"), utc("2026-11-01T12:00")
    plan = Plans().of(exchange_of(today), subject)
    spans = [claims_of(plan, subject, when)[0].span for when in (today, yesterday, today)]
    assert spans[0] == spans[2] != spans[1]


def test_what_applies_to_nobody_claims_nothing() -> None:
    """E02: a contract with a policy of its own is metered, and held to no limit of this one."""
    subject = subject_of(terms_of(EVERY, contract={"own_policy": True}))
    claims = fresh(subject, utc("2026-11-02T12:00"))
    assert (claims, claims.policy) == ([], None)


MOMENTS = st.floats(utc("2026-08-01T00:00"), utc("2027-03-01T00:00"))
ZONES = st.sampled_from(["Europe/Amsterdam", "America/New_York", "Pacific/Apia", "Asia/Kolkata"])
DATED = st.dates(*AUTUMN)


@st.composite
def contracts(draw: st.DrawFn) -> Terms:
    """Give terms of a contract that changes over an autumn."""
    windows = draw(st.sets(st.sampled_from([*AMOUNTS]), min_size=1))
    rules = POLICY | {
        "limits": {
            name: limit
            for window in windows
            for name, limit in limits(window, amount=AMOUNTS[window]).items()
        },
        "meters": {"appointments": METER | {"average": {}}},
        "counts": {"packs": "packs"},
        "packages": {"standard": {"title": "Standard", "sold_by": "packs"}},
        "applies": draw(st.sampled_from([{}, {"contracts_from": AUTUMN[0]}])),
    }
    override, purchases = {}, []
    for name in draw(st.sets(st.sampled_from([*rules["limits"]]), max_size=3)):
        first = draw(DATED)
        days = draw(st.none() | st.integers(0, 40))
        override[name] = {"amount": draw(st.integers(0, 9)), "reason": "x", "from": first}
        override[name] |= {} if days is None else {"until": after(first, days)}
    for first in draw(st.lists(DATED, max_size=3)):
        bought: dict[str, Any] = {"package": "standard", "adds": {"packs": draw(st.integers(1, 3))}}
        bought |= {"from": first, "until": after(first, draw(st.integers(0, 20)))}
        at = datetime(first.year, first.month, first.day, 13, 7, tzinfo=UTC)
        purchases.append(draw(st.sampled_from([bought, {**bought, "from": None, "at": at}])))
    contract = tenant(
        timezone=draw(ZONES),
        contract={"since": draw(DATED), "billing_day": draw(st.integers(1, 31))},
        packages={"standard": {"packs": 1}},
        purchases=purchases,
        override=override,
    )
    return Terms("salon", "salon", contract, policy(**rules), draw(histories()))


@st.composite
def histories(draw: st.DrawFn) -> History:
    """Give averages that were renewed in that autumn, or taken for the first time, or never."""
    taken_at = utc(f"{draw(DATED)}T05:00")
    earlier, latest = (
        {
            COHORT: Snapshot(
                COHORT, taken, "mean", {f"a{n}": Member(Fraction(of)) for n in range(10)}
            )
        }
        for taken, of in ((taken_at - 30 * 86_400, 20), (taken_at, 30))
    )
    return draw(st.sampled_from([History(), History(latest), History(latest, earlier=earlier)]))


def after(day: date, days: int) -> date:
    """Give a later day."""
    return day + timedelta(days=days)


def turns_of(terms: Terms, moment: float) -> set[float]:
    """Give when anything turns, that the terms know of; of the windows, where this moment's end."""
    spans = [limit.span(moment) for limit in terms.limits]
    dated = [each for limit in terms.limits for each in (*limit.timeline, *limit.before_renewal)]
    turns = {turn for each in dated for turn in (each.starts_at, each.ends_at)}
    return {*turns, terms.applies_from, *(span.end for span in spans if span is not None)}


@given(contracts(), st.lists(MOMENTS, min_size=1, max_size=10), st.booleans())
def test_known_claims_are_those_one_would_work_out(
    terms: Terms, moments: list[float], forward: bool
) -> None:
    """P7, A27: at any moment, in any order, a known plan claims what a new one would."""
    subject = subject_of(terms)
    turns = [turn for moment in moments for turn in turns_of(terms, moment) if abs(turn) < 1e10]
    near = [turn + step for turn in turns for step in (-3_600, -0.001, 0)]
    when = sorted(moments + near) if forward else moments + near
    plan = Plans().of(exchange_of(when[0]), subject)
    for moment in when:
        known, new = claims_of(plan, subject, moment), fresh(subject, moment)
        assert said(known) == said(new)
        assert known.policy == new.policy
        assert known.since <= moment < known.until
