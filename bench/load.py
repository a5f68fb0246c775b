"""The load: wrk, and what it says of a run."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import NamedTuple

from bench.configs import KEY_FORMAT, KEYS
from bench.cpu import pinned
from bench.errors import BenchError
from bench.servers import tool

CONNECTIONS = 32
TIMEOUT_SECONDS = 10
"""wrk's own 2 s would call a slow server's answers errors; slowness is to be seen in the p99."""

SCRIPT = Path(__file__).with_name("wrk.lua")

_UNITS = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3_600.0}
_DURATION = r"([\d.]+)(us|ms|s|m|h)\b"
_TOTAL = re.compile(rf"^\s*(\d+) requests in {_DURATION}", re.MULTILINE)
_OTHER_ANSWERS = re.compile(r"^\s*Non-2xx or 3xx responses: (\d+)", re.MULTILINE)
_SOCKET_ERRORS = re.compile(r"^\s*Socket errors: (.+)$", re.MULTILINE)


class Load(NamedTuple):
    """What a run of the load came to."""

    requests: int
    seconds: float
    p50_ms: float
    p99_ms: float


def run(url: str, seconds: int, core: int, keys: int = KEYS) -> Load:
    """Load a server for so many seconds. Raises BenchError where an answer was not a 200."""
    command = [
        *(tool("wrk"), "--threads", "1", "--connections", str(CONNECTIONS), "--latency"),
        *("--duration", f"{seconds}s", "--timeout", f"{TIMEOUT_SECONDS}s"),
        *("--script", str(SCRIPT), url, "--", KEY_FORMAT, str(keys)),
    ]
    with pinned(core):
        ended = subprocess.run(command, capture_output=True, text=True, check=False)
    if ended.returncode != 0:
        raise BenchError(f"wrk failed: {(ended.stderr or ended.stdout).strip()}")
    return parse(ended.stdout)


def parse(output: str) -> Load:
    """Read what wrk prints. Raises BenchError where a request went wrong, or none was answered."""
    total = _TOTAL.search(output)
    if total is None:
        raise BenchError(f"wrk gave no figures:\n{output}")
    requests = int(total[1])
    if errors := _SOCKET_ERRORS.search(output):
        raise BenchError(f"requests went without an answer: {errors[1]}")
    if other := _OTHER_ANSWERS.search(output):
        raise BenchError(f"{other[1]} of {requests} answers were not a 200")
    if requests == 0:
        raise BenchError("not one request was answered")
    return Load(
        requests,
        _seconds(total[2], total[3]),
        p50_ms=_percentile_ms(output, 50),
        p99_ms=_percentile_ms(output, 99),
    )


def _percentile_ms(output: str, percent: int) -> float:
    found = re.search(rf"^\s*{percent}%\s+{_DURATION}", output, re.MULTILINE)
    if found is None:
        raise BenchError(f"wrk gave no latency for {percent} %:\n{output}")
    return round(_seconds(found[1], found[2]) * 1_000, 3)


def _seconds(number: str, unit: str) -> float:
    return float(number) * _UNITS[unit]
