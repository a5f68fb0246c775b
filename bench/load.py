"""The load: wrk, and what it says of a run."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from bench.configs import KEY_FORMAT, KEYS
from bench.cpu import pinned
from bench.errors import BenchError
from bench.servers import tool

if TYPE_CHECKING:
    from bench.servers import Server

CONNECTIONS = 32
TIMEOUT_SECONDS = 30
"""wrk's own 2 s would call a slow server's answers errors; slowness is to be seen in the p99."""

MAX_LET_IN = 0.02
"""What may be let in where all is to be refused: a rate lets in a little all the time."""

SCRIPT = Path(__file__).with_name("wrk.lua")

_UNITS = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3_600.0}
_DURATION = r"([\d.]+)(us|ms|s|m|h)\b"
_TOTAL = re.compile(rf"^\s*(\d+) requests in {_DURATION}", re.MULTILINE)
_OTHER_ANSWERS = re.compile(r"^\s*Non-2xx or 3xx responses: (\d+)", re.MULTILINE)
_SOCKET_ERRORS = re.compile(r"^\s*Socket errors: (.+)$", re.MULTILINE)


class Traffic(NamedTuple):
    """What the load is like: connections, keys, and whether it is to be refused."""

    connections: int = CONNECTIONS
    keys: int = KEYS
    refused: bool = False
    warm_up_seconds: int = 1


class Load(NamedTuple):
    """What a run of the load came to."""

    requests: int
    seconds: float
    p50_ms: float
    p99_ms: float


def run(server: Server, seconds: int, core: int, traffic: Traffic) -> Load:
    """Load a server for so many seconds. Raises BenchError for other answers."""
    body = [server.body] if server.body else []
    command = [
        *(tool("wrk"), "--threads", "1", "--connections", str(traffic.connections), "--latency"),
        *("--duration", f"{seconds}s", "--timeout", f"{TIMEOUT_SECONDS}s"),
        *("--script", str(SCRIPT), server.url),
        *("--", KEY_FORMAT, str(traffic.keys), server.method, *body),
    ]
    with pinned(core):
        ended = subprocess.run(command, capture_output=True, text=True, check=False)
    if ended.returncode != 0:
        raise BenchError(f"wrk failed: {(ended.stderr or ended.stdout).strip()}")
    return parse(ended.stdout, refused=traffic.refused)


def parse(output: str, *, refused: bool = False) -> Load:
    """Read what wrk prints. Raises BenchError where a request went wrong, or none was answered."""
    total = _TOTAL.search(output)
    if total is None:
        raise BenchError(f"wrk gave no figures:\n{output}")
    if errors := _SOCKET_ERRORS.search(output):
        raise BenchError(f"requests went without an answer: {errors[1]}")
    return Load(
        _answered(output, int(total[1]), refused=refused),
        _seconds(total[2], total[3]),
        p50_ms=_percentile_ms(output, 50),
        p99_ms=_percentile_ms(output, 99),
    )


def _answered(output: str, requests: int, *, refused: bool) -> int:
    """Give how many answers were what they had to be: a 200 each, or nearly all a refusal."""
    found = _OTHER_ANSWERS.search(output)
    other = int(found[1]) if found else 0
    if other and not refused:
        raise BenchError(f"{other} of {requests} answers were not a 200")
    if requests == 0:
        raise BenchError("not one request was answered")
    if refused and requests - other > requests * MAX_LET_IN:
        raise BenchError(f"{requests - other} of {requests} requests were not refused")
    return other if refused else requests


def _percentile_ms(output: str, percent: int) -> float:
    found = re.search(rf"^\s*{percent}%\s+{_DURATION}", output, re.MULTILINE)
    if found is None:
        raise BenchError(f"wrk gave no latency for {percent} %:\n{output}")
    return round(_seconds(found[1], found[2]) * 1_000, 3)


def _seconds(number: str, unit: str) -> float:
    return float(number) * _UNITS[unit]
