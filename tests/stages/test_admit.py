"""Admit: what can be read in two ways is refused before anything is counted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from tests.support import Recorder, call, mounted

if TYPE_CHECKING:
    from pathlib import Path

    from fairuse.base.clock import ManualClock

pytestmark = pytest.mark.anyio

Headers = list[tuple[bytes, bytes]]

AMBIGUOUS: dict[str, tuple[Headers, dict[str, Any]]] = {
    "HTTP-14 both lengths": (
        [(b"content-length", b"5"), (b"transfer-encoding", b"chunked")],
        {},
    ),
    "HTTP-16 two lengths": ([(b"content-length", b"5"), (b"content-length", b"5")], {}),
    "HTTP-15 another coding": ([(b"transfer-encoding", b"gzip, chunked")], {}),
    "F-3 a coding in HTTP/1.0": ([(b"transfer-encoding", b"chunked")], {"http_version": "1.0"}),
    "HTTP-17 two hosts": ([(b"host", b"other.example")], {}),
    "HTTP-22 encoded slash": ([], {"raw_path": b"/locations/a%2Fb/appointments"}),
    "HTTP-22 encoded backslash": ([], {"raw_path": b"/locations/a%5cb/appointments"}),
    "HTTP-22 backslash": ([], {"raw_path": b"/locations\\a"}),
    "HTTP-22 double slash": ([], {"raw_path": b"//locations/a"}),
    "HTTP-22 dots": ([], {"raw_path": b"/locations/../admin"}),
    "HTTP-22 encoded dots": ([], {"raw_path": b"/locations/%2E%2e/admin"}),
    "HTTP-22 dots with a parameter": ([], {"raw_path": b"/x/..;/locations/c/appointments"}),
    "HTTP-22 encoded dots, a parameter": ([], {"raw_path": b"/x/%2e%2e%3Ba=1/locations/c"}),
    "HTTP-22 dots at the end": ([], {"raw_path": b"/locations/.."}),
    "HTTP-23 no slash in front": ([], {"raw_path": b"*", "path": "*"}),
    "F-7 NUL in the path": ([], {"raw_path": b"/a%00b"}),
    "F-7 control character in the path": ([], {"raw_path": b"/a%0ab", "path": "/a\nb"}),
}


@pytest.mark.parametrize("case", AMBIGUOUS.values(), ids=AMBIGUOUS.keys())
async def test_what_can_be_read_in_two_ways_is_refused(
    config: Path, recorder: Recorder, clock: ManualClock, case: tuple[Headers, dict[str, Any]]
) -> None:
    """HTTP-14 to HTTP-17, HTTP-22, HTTP-23 (the verdict): 400, the app sees and counts nothing."""
    headers, scope = case
    async with mounted(config, recorder, clock) as fair:
        refused = await call(fair, headers=headers, **scope)
        assert refused.status == 400
        assert refused.json()["rule"] == "http"
        assert recorder.requests == []
        usage = (await call(fair, "GET", "/fairuse/usage")).json()
        assert [entry["used"] for entry in usage["limits"]] == [0, 0, 0, 0]


@pytest.mark.parametrize(
    "host", [b"a/admin?", b"user@a.example", b"a.example:port", b"", b"a b", b"[::1"]
)
async def test_a_host_that_is_none_is_refused(
    config: Path, recorder: Recorder, clock: ManualClock, host: bytes
) -> None:
    """F-6: a Host with a path, a user or a bad port is answered with 400."""
    async with mounted(config, recorder, clock) as fair:
        refused = await call(fair, headers=[], host_header=host)
    assert refused.status == 400


@pytest.mark.parametrize("host", [b"a.example", b"a.example:8080", b"[::1]:80", b"127.0.0.1"])
async def test_a_host_is_let_through(
    config: Path, recorder: Recorder, clock: ManualClock, host: bytes
) -> None:
    """F-6: a plain host, with or without a port, is served."""
    async with mounted(config, recorder, clock) as fair:
        assert (await call(fair, host_header=host)).status == 201


async def test_http_1_1_needs_a_host(config: Path, recorder: Recorder, clock: ManualClock) -> None:
    """HTTP-17: HTTP/1.1 without Host is refused; HTTP/1.0 has none to give."""
    async with mounted(config, recorder, clock) as fair:
        assert (await call(fair, host_header=None)).status == 400
        assert (await call(fair, host_header=None, http_version="1.0")).status == 201


@pytest.mark.parametrize("method", ["TRACE", "CONNECT"])
async def test_tunnels_and_traces_are_not_passed_on(
    config: Path, recorder: Recorder, clock: ManualClock, method: str
) -> None:
    """HTTP-26: CONNECT and TRACE are answered with 405."""
    async with mounted(config, recorder, clock) as fair:
        assert (await call(fair, method)).status == 405
    assert recorder.requests == []


async def test_health_comes_before_everything(
    config: Path, recorder: Recorder, clock: ManualClock
) -> None:
    """The health check needs no key, and answers an address that is blocked."""
    async with mounted(config, recorder, clock) as fair:
        healthy = await call(fair, "GET", "/fairuse/health", key=None)
    assert (healthy.status, healthy.json()["status"]) == (200, "ok")


async def test_the_path_below_the_mount_point_counts(
    config: Path, recorder: Recorder, clock: ManualClock
) -> None:
    """Mounted below a prefix, routes and pages are those below it."""
    async with mounted(config, recorder, clock) as fair:
        where: dict[str, Any] = {"root_path": "/api", "path": "/api/locations/centrum/appointments"}
        assert "ratelimit" in (await call(fair, **where)).headers
        usage = await call(fair, "GET", root_path="/api", path="/api/fairuse/usage")
        assert usage.json()["limits"][0]["used"] == 1
