"""The throttle, request by request."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from fairuse.base.instant import Instant
from fairuse.rules.exchange import CLIENT_GONE, Exchange, Subject
from fairuse.stages.throttle import throttled
from fairuse.stores.load import Load, Throttle

if TYPE_CHECKING:
    from fairuse.base.address import Address
    from fairuse.rules.terms import Terms

BEGAN = 1_000.0
UNTIL = 1_010.0
THROTTLE = Throttle("salon", 2, 4, UNTIL, since=0.0, ends_at=60.0)


def asked(account: str = "salon", moment: float = BEGAN) -> Exchange:
    """Give a request of an account."""
    scope = {"path": "/", "headers": []}
    exchange = Exchange(scope, Instant(moment, moment), "1")
    exchange.subject = Subject(account, "", "", cast("Address", None), cast("Terms", None))
    return exchange


def loaded(**counts: int) -> Load:
    """Give a load of so many requests of each account, with the throttle in force."""
    load = Load()
    load.put_in_force(THROTTLE)
    for account, count in counts.items():
        for _ in range(count):
            load.begin(asked(account))
    return load


def refused(load: Load, account: str = "salon", moment: float = BEGAN) -> bool:
    """Say whether one more request is refused."""
    exchange = asked(account, moment)
    assert exchange.subject is not None
    return throttled(exchange, exchange.subject, load) is not None


def test_what_there_is_room_for_is_let_in() -> None:
    """A03: below the platform's capacity nobody is refused, whatever the share."""
    assert not refused(loaded(salon=3))
    assert refused(loaded(salon=4))


def test_a_share_is_left_and_others_are_served() -> None:
    """P9, A31: below its share the account is let in, and everybody else always is."""
    load = loaded(salon=1, dentist=9)
    assert not refused(load)
    load.begin(asked())
    assert refused(load)
    assert not refused(load, "dentist")


def test_it_ends_by_itself() -> None:
    """P6: a throttle that nobody makes anew holds until its end and no longer."""
    load = loaded(salon=4)
    assert refused(load, moment=UNTIL - 1)
    assert not refused(load, moment=UNTIL)


def test_who_was_under_way_before_it_counts() -> None:
    """Requests from before the throttle count while they last, and make room when they end."""
    load = Load()
    under_way = [asked() for _ in range(4)]
    for exchange in under_way:
        load.begin(exchange)
    load.put_in_force(THROTTLE)
    assert refused(load)
    for exchange in under_way[:3]:
        load.end(exchange)
    assert load.of_throttled == 1
    load.put_in_force(None)
    assert not refused(load)


def test_what_became_of_requests_is_seen_at_the_next_look() -> None:
    """Server errors and no answer at all are failures; a client that left says nothing."""
    load = Load()
    load.look(Instant(BEGAN, BEGAN), 10)
    for status, fault in ((200, None), (429, None), (502, None), (None, None), (None, CLIENT_GONE)):
        exchange = asked()
        exchange.status, exchange.fault = status, fault
        load.begin(exchange)
        load.end(exchange)
    late, streaming = asked(), asked()
    streaming.status = 200
    load.begin(late)
    load.begin(streaming)
    sample = load.look(Instant(BEGAN + 10, BEGAN + 10), 10)
    assert sample is not None
    assert (sample.answered, sample.failed, sample.slow) == (4, 2, 1)
    assert sample.under_way == {"salon": 2}
    again = load.look(Instant(BEGAN + 11, BEGAN + 11), 10)
    assert again is not None
    assert (again.answered, again.failed, again.slow) == (0, 0, 0)
