"""S15: what was counted, blocked and told survives a restart."""

from __future__ import annotations

import signal
import sqlite3
import time
from contextlib import closing
from typing import TYPE_CHECKING

import httpx
import pytest
from tests.support import (
    APPOINTMENTS,
    NOON,
    SALON,
    call,
    front,
    mounted,
    serving,
    told,
    write_config,
)

from fairuse.base.clock import ManualClock

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support import Recorder

BOOKING = {"customer": "Jan", "start": "2026-12-01T10:00"}


def test_a_restart_keeps_counters_blocks_cases_and_notices(
    tmp_path: Path, booking_api: str
) -> None:
    """S15, A32: a block ends when it would have, and a month goes on from where it was."""
    config = write_config(tmp_path, upstream=booking_api)
    policy = config / "policies/booking.toml"
    policy.write_text(policy.read_text().replace('"5000"', '"50"'))
    with front(config) as before:
        for _ in range(100):
            before.book()
        before.told()
        usage = before.usage(address="198.51.100.7")
        assert len(usage["notices"]) == 2
    with front(config, ManualClock(NOON + 30)) as after:
        known = after.usage(address="198.51.100.7")
        for what in ("blocks", "notices"):
            assert known[what] == usage[what]
        assert known["limits"][0] == usage["limits"][0]
        assert after.book().status_code == 403
        after.clock.advance(15 * 60)
        assert after.book().status_code == 201
        assert after.usage()["limits"][0]["used"] == 61


@pytest.mark.anyio
async def test_a_rolling_window_goes_on_after_a_restart(
    config: Path, recorder: Recorder, clock: ManualClock
) -> None:
    """S15: 60 a minute stays 60 a minute over a restart, and is free again when it would be."""
    async with mounted(config, recorder, clock) as fair:
        for _ in range(60):
            await call(fair)
    later = ManualClock(clock.wall + 40)
    later.monotonic = 5.0
    async with mounted(config, recorder, later) as fair:
        refused = await call(fair)
        assert (refused.status, refused.headers["retry-after"]) == (429, "20")
        later.advance(20)
        assert (await call(fair)).status == 201


@pytest.mark.anyio
async def test_a_notice_that_a_crash_swallowed_is_written_at_the_next_start(
    config: Path, recorder: Recorder, clock: ManualClock, tmp_path: Path
) -> None:
    """S15: a breach written before a crash opens its case after it, once."""
    policy = config / "policies/booking.toml"
    policy.write_text(policy.read_text().replace('"5000"', '"4"'))
    async with mounted(config, recorder, clock) as fair:
        for _ in range(5):
            await call(fair)
        await told(fair.service)
    forget_the_cases(tmp_path / "fairuse.db")
    for _ in range(2):
        async with mounted(config, recorder, clock) as fair:
            ledger = await told(fair.service)
            assert len(await ledger.cases("salon")) == 1
            assert [notice.reading for notice in await ledger.notices("salon")] == [5]


def forget_the_cases(database: Path) -> None:
    """Leave a ledger as a crash does that comes right after its breaches were written."""
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.executescript(
            "DELETE FROM deliveries; DELETE FROM notices; DELETE FROM cases; DELETE FROM record;"
            "UPDATE record_head SET number = 0, hash = '';"
        )


@pytest.mark.anyio
async def test_a_limit_lowered_before_a_start_tells_nobody_of_the_past(
    config: Path, recorder: Recorder, clock: ManualClock
) -> None:
    """P7, S17: units that were within when they were used open no case at the next start."""
    async with mounted(config, recorder, clock) as fair:
        for _ in range(5):
            await call(fair)
    policy = config / "policies/booking.toml"
    policy.write_text(policy.read_text().replace('"5000"', '"4"'))
    async with mounted(config, recorder, clock) as fair:
        assert await (await told(fair.service)).cases("salon") == []


def test_kill_9_loses_nothing_that_was_flushed(tmp_path: Path, booking_api: str) -> None:
    """S15, F-39 (one round): after kill -9 the ledger opens, with what was flushed in it."""
    config = write_config(tmp_path, upstream=booking_api)
    with httpx.Client(trust_env=False, headers={"X-API-Key": SALON}) as client:
        with serving(config) as gateway:
            for _ in range(40):
                assert client.post(gateway.url + APPOINTMENTS, json=BOOKING).status_code == 201
            wait_until_written(tmp_path / "fairuse.db", 40)
            assert gateway.stop(signal.SIGKILL) == -signal.SIGKILL
        with serving(config) as gateway:
            usage = client.get(gateway.url + "/fairuse/usage").json()
            assert usage["limits"][0]["used"] == 40


def wait_until_written(database: Path, units: int) -> None:
    """Wait for the other process's journal; it writes a few times a second."""
    query = "SELECT max(units) FROM slots WHERE window_text = 'calendar month'"
    for _ in range(500):
        with closing(sqlite3.connect(database)) as connection:
            if connection.execute(query).fetchone() == (units,):
                return
        time.sleep(0.02)
    raise AssertionError("the journal was not written")
