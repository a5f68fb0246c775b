"""The gateway under a server that speaks HTTP/2; the upstream is asked over HTTP/1 all the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.support import Recorder, Served, call, write_config

from fairuse import Gateway

if TYPE_CHECKING:
    from pathlib import Path

    from fairuse.base.clock import ManualClock

pytestmark = pytest.mark.anyio

CRUMBS = [(b"cookie", b"a=1"), (b"x-one", b"1"), (b"cookie", b"b=2; c=3"), (b"cookie", b"d=4")]


@pytest.mark.parametrize(
    ("version", "cookies"),
    [
        ("2", ["a=1; b=2; c=3; d=4"]),
        ("3", ["a=1; b=2; c=3; d=4"]),
        ("1.1", ["a=1", "b=2; c=3", "d=4"]),
    ],
)
async def test_the_crumbs_of_a_cookie_are_joined(
    tmp_path: Path, recorder: Recorder, clock: ManualClock, version: str, cookies: list[str]
) -> None:
    """HTTP-5: an upstream that reads one Cookie field sees all that HTTP/2 has cut it into."""
    with Served(recorder, lifespan="off") as upstream:
        gateway = Gateway(
            write_config(tmp_path, upstream=upstream.url), clock=clock, access_stream=None
        )
        try:
            answer = await call(gateway, headers=CRUMBS, http_version=version)
            one = await call(gateway, headers=CRUMBS[:2], http_version=version)
        finally:
            await gateway.service.stop()
            await gateway._forward.close()
    assert (answer.status, one.status) == (201, 201)
    [first, second] = [
        [value.decode() for name, value in scope["headers"] if name == b"cookie"]
        for scope, _ in recorder.requests
    ]
    assert (first, second) == (cookies, ["a=1"])
    assert recorder.seen("x-one") == ["1"]
