"""Usage events while the ledger is away: 503, told again, and counted once all the same (P8)."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from tests.entry.senders import CRM, config_of_senders, event, tell, told
from tests.entry.support import disk_full
from tests.support import call, mounted

if TYPE_CHECKING:
    from pathlib import Path

    from starlette.types import Message
    from tests.support import Recorder

    from fairuse import FairUse
    from fairuse.base.clock import ManualClock
    from fairuse.stores.ledger import Ledger

pytestmark = pytest.mark.anyio


def ledger_of(fair: FairUse) -> Ledger:
    """Give the ledger that a mounted app has open."""
    assert fair.service.ledger is not None
    return fair.service.ledger


async def calls(fair: FairUse) -> tuple[float, int]:
    """Give the calls that the usage page shows, and those that were written down."""
    limits = (await call(fair, "GET", "/fairuse/usage")).json()["limits"]
    [entry] = [entry for entry in limits if entry["limit"] == "calls-per-month"]
    written = await ledger_of(fair).usage("salon")
    return entry["used"], sum(units for key, units in written.items() if key.meter == "calls")


@pytest.mark.parametrize(("fails", "seen"), [("write", 2), ("known_events", 0)])
async def test_what_can_not_be_written_is_told_again_and_counts_once(
    tmp_path: Path,
    recorder: Recorder,
    clock: ManualClock,
    monkeypatch: pytest.MonkeyPatch,
    fails: str,
    seen: int,
) -> None:
    """P8, F-41, S19: 503 with a time to come back, as often as it takes, and then counted once."""
    events = [event(), event()]
    async with mounted(config_of_senders(tmp_path), recorder, clock) as fair:
        with monkeypatch.context() as broken:
            broken.setattr(ledger_of(fair), fails, disk_full)
            for _ in range(3):
                refused = await tell(fair, *events)
                assert (refused.status, refused.headers["retry-after"]) == (503, "1")
                assert refused.json()["rule"] == "ledger"
            assert await calls(fair) == (seen, 0)
        answer = await tell(fair, *events)
        assert answer.json() == (told(known=2) if seen else told(counted=2))
        assert await calls(fair) == (2, 2)


async def test_what_is_written_while_the_ledger_is_asked_counts_once(
    tmp_path: Path, recorder: Recorder, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """P8: an event that waits and is written between two looks is known by one of them."""
    one = event()
    async with mounted(config_of_senders(tmp_path), recorder, clock) as fair:
        ledger, journal = ledger_of(fair), fair.service.journal
        assert journal is not None
        with monkeypatch.context() as broken:
            broken.setattr(ledger, "write", disk_full)
            assert (await tell(fair, one)).status == 503
        known_events = ledger.known_events

        async def asked_before_it_was_written(keys: Any) -> Any:
            known = await known_events(keys)
            assert await journal.flush(ledger, clock.now())
            return known

        with monkeypatch.context() as racing:
            racing.setattr(ledger, "known_events", asked_before_it_was_written)
            assert (await tell(fair, one)).json() == told(known=1)
        assert await calls(fair) == (1, 1)


async def test_the_same_event_told_at_the_same_time_counts_once(
    tmp_path: Path, recorder: Recorder, clock: ManualClock
) -> None:
    """P8: twenty requests with the same event at once are one count and nineteen repetitions."""
    one = event()
    async with mounted(config_of_senders(tmp_path), recorder, clock) as fair:
        replies = await asyncio.gather(*(tell(fair, one) for _ in range(20)))
        answers = [reply.json() for reply in replies]
        assert sorted(answer["counted"] for answer in answers) == [0] * 19 + [1]
        assert await calls(fair) == (1, 1)


async def test_what_was_answered_for_is_written(
    tmp_path: Path, recorder: Recorder, clock: ManualClock
) -> None:
    """S15: once it is answered with 200 an event is in the ledger, whatever happens next."""
    one = event()
    async with mounted(config_of_senders(tmp_path), recorder, clock) as fair:
        assert (await tell(fair, one)).status == 200
        key = ("crm", one["source"], one["id"])
        assert await ledger_of(fair).known_events([key]) == {key}
        assert await calls(fair) == (1, 1)


@pytest.mark.parametrize("begun", [b"", b'{"usage": {"minu'])
async def test_a_body_that_breaks_off_counts_nothing(
    tmp_path: Path, recorder: Recorder, clock: ManualClock, begun: bytes
) -> None:
    """F-46: an event whose sender hangs up before its end was not told, and can be told again."""
    one = event(type="call.noted")
    config = config_of_senders(tmp_path)
    policy = config / "policies/booking.toml"
    text = policy.read_text().replace('"event call.ended", "POST', '"event call.noted", "POST')
    policy.write_text(text)
    headers = [
        (f"ce-{name}".encode(), str(value).encode())
        for name, value in one.items()
        if name != "data"
    ]
    body: list[Message] = [
        {"type": "http.request", "body": begun, "more_body": True},
        {"type": "http.disconnect"},
    ]
    async with mounted(config, recorder, clock) as fair:
        broken_off = await call(fair, path="/fairuse/events", key=CRM, headers=headers, body=body)
        assert broken_off.status == 400
        assert await calls(fair) == (0, 0)
        assert (await tell(fair, one)).json() == told(counted=1)


async def test_no_name_can_stop_the_ledger(
    tmp_path: Path, recorder: Recorder, clock: ManualClock
) -> None:
    """F-41, F-52: half a character in a location, or a long one, is written like any other."""
    places = ["\ud800", "x" * 10_000, "a\x00b", "sha256:x"]
    events = [
        event(data={"usage": {"minutes": 1}, "seconds": 9, "location": place}) for place in places
    ]
    async with mounted(config_of_senders(tmp_path), recorder, clock) as fair:
        assert (await tell(fair, *events)).json() == told(counted=4)
        assert await calls(fair) == (4, 4)
        assert len({key.location for key in await ledger_of(fair).usage("salon")}) == 4
