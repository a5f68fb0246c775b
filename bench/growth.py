"""The memory benchmark: what a key takes, with one limit on it and with six.

Each figure is how much the resident memory of a new process grows when it asks once about every
key: `python -m bench.growth fairuse 1000000 6` prints one. Those of pyrate-limiter go on growing
with every further request, as it keeps each for as long as its longest window.
"""

from __future__ import annotations

import asyncio
import gc
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from bench import deciders, rounds
from bench.decision import decide_all
from bench.errors import BenchError
from bench.report import Column, Report, chosen
from bench.servers import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from bench.deciders import Decider
    from bench.report import Options

KEYS = 1_000_000
QUICK_KEYS = 20_000
"""How many keys a benchmark of one second has."""

ONE = ("per-hour",)
WINDOWS = {1: ONE, 6: deciders.SIX}
"""The windows by their number; the one is neither over soon nor a calendar's."""

AT_ONCE = 10_000
BASE = "fairuse"
CONTENDERS: dict[str, Callable[[int, Sequence[str]], Decider]] = {
    BASE: deciders.fairuse_decider,
    "limits.aio": deciders.limits_aio_decider,
    "throttled-py": deciders.throttled_decider,
    "pyrate-limiter, bucket per key": deciders.pyrate_buckets_decider,
}

COLUMNS = (
    Column("store", "store"),
    Column("one_limit_bytes", "bytes a key, one limit", ",.0f"),
    Column("one_limit_ratio", "ratio", ",.2f"),
    Column("six_limits_bytes", "bytes a key, six limits", ",.0f"),
    Column("six_limits_ratio", "ratio", ",.2f"),
)


def run(options: Options) -> Report:
    """Measure all stores, once each: memory does not swing as time does. Raises BenchError."""
    names = chosen(options.only, CONTENDERS, [BASE])
    keys = options.keys or (KEYS if options.seconds > 1 else QUICK_KEYS)
    grown = {name: {count: _measure(name, keys, count) for count in WINDOWS} for name in names}
    return Report(
        title="Memory of a key",
        caption=f"growth of the resident memory, measured once; keys: {keys:,}; ratios: {BASE} = 1",
        columns=COLUMNS,
        rows=summary(grown),
    )


def summary(grown: Mapping[str, Mapping[int, float]]) -> list[dict[str, object]]:
    """Give a row for each store, beside fairuse's; `grown` are bytes a key by number of limits."""
    base = grown[BASE]
    return [
        {
            "store": name,
            "one_limit_bytes": round(own[1], 1),
            "one_limit_ratio": round(own[1] / base[1], 3),
            "six_limits_bytes": round(own[6], 1),
            "six_limits_ratio": round(own[6] / base[6], 3),
        }
        for name, own in grown.items()
    ]


async def growth(name: str, keys: int, limits: int) -> int:
    """Give how many bytes this process grows by, with so many keys."""
    decider = CONTENDERS[name](keys, WINDOWS[limits])
    await decide_all(decider, ["account-first"])
    gc.collect()
    before = _resident_bytes()
    for start in range(0, keys, AT_ONCE):
        # Names are made as a server reads them from a request: who keeps one, pays for it.
        names = [f"account-{number:07}" for number in range(start, min(start + AT_ONCE, keys))]
        await decide_all(decider, names)
        del names
    gc.collect()
    grown = _resident_bytes() - before
    if decider.close is not None:
        await decider.close()
    return grown


def _measure(name: str, keys: int, limits: int) -> float:
    """Give the bytes a key, as a process of its own measures them."""
    command = [sys.executable, "-m", "bench.growth", name, str(keys), str(limits)]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if ended.returncode != 0:
        raise BenchError(f"{name}: {ended.stderr.strip()[-1_000:]}")
    grown = int(ended.stdout) / keys
    rounds.say(f"{name}, limits: {limits}: {grown:,.0f} bytes a key")
    return grown


def _resident_bytes() -> int:
    pages = Path("/proc/self/statm").read_text().split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


if __name__ == "__main__":
    print(asyncio.run(growth(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))))
