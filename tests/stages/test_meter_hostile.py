"""Bodies that are written to harm whoever reads them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.support import SALON, Recorder, call, mounted, tenant, write_config

if TYPE_CHECKING:
    from pathlib import Path

    from starlette.types import Message

    from fairuse.base.clock import ManualClock

pytestmark = pytest.mark.anyio

POLICY = """\
title = "Messages"
[meters.messages]
unit = "message"
count = ["POST /messages"]
cost = { request_field = "to" }
[limits.messages]
meter = "messages"
amount = 100
window = "1 minute"
over = "OVER"
"""
HOSTILE = {
    "an endless integer": b'{"x":' + b"1" * 5_000 + b"}",
    "an endless exponent": b'{"to":1e99999999999999999999}',
    "nested lists": b"[" * 200_000,
    "nested objects": b'{"a":' * 100_000,
    "twice": b'{"to":1,"to":null}',
    "cut off": b'{"to":1',
    "no JSON": b"to=1",
}


@pytest.mark.parametrize("body", HOSTILE.values(), ids=HOSTILE)
async def test_a_hostile_body_harms_nobody(
    tmp_path: Path, recorder: Recorder, clock: ManualClock, body: bytes
) -> None:
    """F-27, F-44 (in part): what can't be read is refused where a hard limit hangs on it."""
    config = _config(tmp_path, "refuse")
    async with mounted(config, recorder, clock) as fair:
        refused = await call(fair, path="/messages", body=_sent(body))
        assert (refused.status, refused.json()["rule"]) == (400, "messages")
        assert recorder.requests == []
        assert (await call(fair, path="/messages", body=_sent(b'{"to":[1,2]}'))).status == 201
        [limit] = (await call(fair, "GET", "/fairuse/usage")).json()["limits"]
        assert limit["used"] == 2


@pytest.mark.parametrize("body", HOSTILE.values(), ids=HOSTILE)
async def test_where_only_soft_limits_hang_on_it_it_is_served(
    tmp_path: Path, recorder: Recorder, clock: ManualClock, body: bytes
) -> None:
    """P4: a soft limit refuses nothing, not even what it can't read: that counts as one."""
    async with mounted(_config(tmp_path, "case"), recorder, clock) as fair:
        assert (await call(fair, path="/messages", body=_sent(body))).status == 201
        assert [sent for _, sent in recorder.requests] == [body]
        [limit] = (await call(fair, "GET", "/fairuse/usage")).json()["limits"]
        assert limit["used"] == 1


def _config(folder: Path, over: str) -> Path:
    window = "calendar month" if over == "case" else "1 minute"
    policy = POLICY.replace("OVER", over).replace("1 minute", window)
    own = tenant("salon", SALON).replace("[packages.standard]\nlocations = 10\n", "")
    return write_config(folder, policy=policy, tenants={"salon": own})


def _sent(body: bytes) -> list[Message]:
    return [{"type": "http.request", "body": body, "more_body": False}]
