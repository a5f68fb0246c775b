"""Booking: what software and other people do with an account is the account's own use."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.scenarios.support import (
    contract,
    key_of,
    opened,
    running,
    shipped,
    shown,
    used_before,
)
from tests.support import Recorder, call

from fairuse.base.keys import fingerprint

if TYPE_CHECKING:
    from pathlib import Path

    from fairuse.base.clock import ManualClock

pytestmark = pytest.mark.anyio

PROGRAM = "key-of-a-program"
DAYS = [f"2026-10-{day:02}T10:00" for day in range(1, 11)]


@pytest.mark.parametrize("other", ["key", "user", "address"])
async def test_whoever_uses_an_account_is_the_account(
    tmp_path: Path,
    recorder: Recorder,
    clock: ManualClock,
    caplog: pytest.LogCaptureFixture,
    other: str,
) -> None:
    """A13: a program with a key, a user or an address of its own counts, and raises the signal."""
    extra = f'"{fingerprint(PROGRAM.encode())}" = "salon"\n'
    salon = contract("salon", "booking", "[packages.standard]\nlocations = 1", extra=extra)
    anna = contract("anna", "booking", "[packages.standard]\nlocations = 1")
    config = shipped(tmp_path, {"salon": salon, "anna": anna})
    await used_before(config, "appointments", {"salon": dict.fromkeys(DAYS, 2)})
    async with running(config, recorder, clock) as fair:
        for number in range(20):
            by_hand = number % 2
            clock.advance(2)
            await call(
                fair,
                key=PROGRAM if other == "key" and not by_hand else key_of("salon"),
                address="203.0.113.9" if other == "address" and not by_hand else "198.51.100.7",
                headers=[(b"x-user", b"ada" if by_hand or other != "user" else b"bot")],
            )
            assert (await call(fair, key=key_of("anna"))).status == 201
        [entry] = await shown(fair, "salon", "appointments-of-the-account")
        assert entry["used"] == 20
        assert await opened(fair, "salon") == []
    said = [record.msg for record in caplog.records if isinstance(record.msg, dict)]
    [signal] = [line for line in said if line["event"] == "signal.raised"]
    expected = {"account": "salon", "rule": "appointments-unlike-the-account", "reading": 20}
    assert expected.items() <= signal.items()
