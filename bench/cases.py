"""The cases benchmark: one pass of the fair process over many accounts, beside requests.

A pass looks at every account for what it has to be warned of, and moves every case that is open.
Of the accounts one in a hundred is close to its limit and was warned, one in a hundred is over and
has a case. While the pass goes on, requests are made at an even pace in the same process, and once
more without it: `python -m bench.cases 100000 5` prints the figures of one process, as JSON.
"""

from __future__ import annotations

import asyncio
import gc
import json
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import uvloop

from bench import configs, rounds
from bench.apps import bare
from bench.configs import PATH, api_key
from bench.cpu import cores, pinned
from bench.errors import BenchError
from bench.peak import forget_peak, peak
from bench.report import Column, Report
from bench.servers import ROOT
from bench.shared import percentile
from fairuse import FairUse
from fairuse.rules.tally import TallyKey
from fairuse.rules.windows import Calendar
from fairuse.stores.ledger import Ledger
from fairuse.stores.rows import Batch, BreachRow, SlotRow

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from starlette.types import Message

    from bench.report import Options
    from fairuse.entry.fair_process import FairProcess
    from fairuse.rules.windows import Span

ACCOUNTS = 100_000
PARTS = (10, 1)
"""The passes: a tenth of the accounts, then all; the time an account takes must be the same."""
AMOUNT = 1_000
USED = {0: 950, 1: 1_100}
"""What accounts have used by their number modulo 100: close, over, and half of it for the rest."""
ZONE = ZoneInfo("Europe/Amsterdam")
PACE_SECONDS = 0.002

COLUMNS = (
    Column("accounts", "accounts", ","),
    Column("cases", "cases", ","),
    Column("warned", "warned", ","),
    Column("seconds", "CPU seconds, warnings", ",.2f"),
    Column("case_seconds", "CPU seconds, cases", ",.2f"),
    Column("microseconds", "microseconds an account", ",.1f"),
    Column("ratio", "ratio", ",.2f"),
    Column("megabytes", "MB", ",.1f"),
    Column("p99_idle_ms", "p99 ms without", ",.2f"),
    Column("p99_pass_ms", "p99 ms beside it", ",.2f"),
)


def run(options: Options) -> Report:
    """Measure a tenth of the accounts, then all, each in a process of its own. Raises BenchError.

    `--keys` says how many accounts, and `--seconds` how long requests are made without a pass.
    """
    accounts = options.keys or (ACCOUNTS if options.seconds > 1 else ACCOUNTS // 50)
    measured = [_measure(accounts // part // 100 * 100, options.seconds) for part in PARTS]
    return Report(
        title="One pass over all accounts: who has to be warned, and which case moves",
        caption="measured once, CPU time; ratio: what an account takes, a tenth of them = 1; MB:"
        f" the peak above what the process had; requests: one each {PACE_SECONDS * 1_000:.0f} ms",
        columns=COLUMNS,
        rows=summary(measured),
    )


def summary(measured: Sequence[Mapping[str, Any]]) -> list[dict[str, object]]:
    """Give a row for each number of accounts, with what one account takes beside the first."""
    each = [(row["seconds"] + row["case_seconds"]) / row["accounts"] * 1e6 for row in measured]
    return [
        {**row, "microseconds": round(own, 2), "ratio": round(own / each[0], 3)}
        for row, own in zip(measured, each, strict=True)
    ]


async def measure(accounts: int, seconds: float) -> dict[str, object]:
    """Run a pass over so many accounts, in this process."""
    with TemporaryDirectory() as folder:
        ledger = f"sqlite:///{folder}/fairuse.db"
        config = _written(Path(folder) / "config", ledger, accounts)
        await _fill(ledger, accounts)
        fair = FairUse(bare(), config=config, access_stream=None)
        await fair.service.start()
        try:
            return {"accounts": accounts, **await _measured(fair, accounts, seconds)}
        finally:
            await fair.service.stop()


async def _measured(fair: FairUse, accounts: int, seconds: float) -> dict[str, object]:
    service = fair.service
    upkeep, process, ledger = service.upkeep, service.process, service.ledger
    if service.pipeline is None or upkeep is None or process is None or ledger is None:
        raise BenchError("the gateway has not started")
    await service.pipeline.followups.join()
    await upkeep.run()  # who has to be warned is, so that what is measured only looks
    gc.collect()
    before = forget_peak()
    warnings, cases = await _pass(process, fair)
    megabytes = (peak() - before) / 1e6
    idle = await _latencies(fair, accounts, asyncio.create_task(asyncio.sleep(seconds)))
    beside = await _latencies(fair, accounts, asyncio.create_task(_pass(process, fair)))
    rows = [await ledger.notices(f"account-{number:03}") for number in (100, 1)]
    if [row.kind for [row] in rows] != ["warning", "over"]:
        raise BenchError("not everybody was told what they had to be told")
    return {
        "cases": accounts // 100,
        "warned": accounts // 100,
        "seconds": round(warnings, 3),
        "case_seconds": round(cases, 3),
        "megabytes": round(megabytes, 1),
        "p99_idle_ms": round(percentile(idle, 0.99) * 1_000, 3),
        "p99_pass_ms": round(percentile(beside, 0.99) * 1_000, 3),
    }


async def _pass(process: FairProcess, fair: FairUse) -> tuple[float, float]:
    """Look at every account, and move every case; give the CPU seconds of each."""
    started = time.process_time()
    await process.warnings.run(fair.service.configuration.current.accounts)
    looked = time.process_time()
    await process.casework.run()
    return looked - started, time.process_time() - looked


async def _latencies(fair: FairUse, accounts: int, beside: asyncio.Task[Any]) -> list[float]:
    """Ask at an even pace until something is done; a latency counts from when it was due."""
    found, due, number = [], time.perf_counter(), 0
    while not beside.done():
        due += PACE_SECONDS
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        number = number % accounts + 1
        await _ask(fair, api_key(number))
        found.append(time.perf_counter() - due)
        due = max(due, time.perf_counter() - PACE_SECONDS)
    await beside
    return sorted(found)


async def _ask(fair: FairUse, key: str) -> None:
    """Make a request, as a server would. Raises BenchError where it is refused."""
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": PATH,
        "raw_path": PATH.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [(b"host", b"bench.example"), (b"x-api-key", key.encode())],
        "client": ("203.0.113.9", 40_000),
        "server": ("127.0.0.1", 80),
    }
    statuses = []

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        statuses.append(message.get("status", 200))

    await fair(scope, receive, send)
    if statuses[0] != 200:
        raise BenchError(f"a request was answered {statuses[0]}")


def _written(folder: Path, ledger: str, accounts: int) -> Path:
    for name, text in configs.warning(ledger, AMOUNT, accounts).items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


async def _fill(url: str, accounts: int) -> None:
    """Write what the accounts have used this month, and which of them are over."""
    span = Calendar("month").span(time.time(), ZONE)
    ledger = await Ledger.open(url, access="alone")
    try:
        for rows in _batches(accounts, span):
            await ledger.write(rows)
    finally:
        await ledger.close()


def _batches(accounts: int, span: Span) -> Iterator[Batch]:
    for start in range(1, accounts + 1, 1_000):
        numbers = range(start, min(start + 1_000, accounts + 1))
        used = {number: USED.get(number % 100, AMOUNT // 2) for number in numbers}
        yield Batch(
            slots=[_slot(number, units, span) for number, units in used.items()],
            breaches=[
                _breach(number, units, span) for number, units in used.items() if units > AMOUNT
            ],
        )


def _slot(number: int, units: int, span: Span) -> SlotRow:
    key = TallyKey(f"account-{number:03}", "per-month", "calendar month", ())
    return SlotRow(key, span.start * 1_000, float(span.end), units)


def _breach(number: int, units: int, span: Span) -> BreachRow:
    account, start, end = f"account-{number:03}", float(span.start), float(span.end)
    tenant = "customers"
    return BreachRow(tenant, account, "per-month", (), start, end, start, units, AMOUNT)


def _measure(accounts: int, seconds: int) -> dict[str, Any]:
    """Give the figures of a process of its own, on the core that servers have."""
    command = [sys.executable, "-m", "bench.cases", str(accounts), str(seconds)]
    with pinned(cores().server):
        ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if ended.returncode != 0:
        raise BenchError(f"{accounts:,} accounts: {ended.stderr.strip()[-1_000:]}")
    found: dict[str, Any] = json.loads(ended.stdout.splitlines()[-1])
    rounds.say(
        f"{accounts:,} accounts: {found['seconds'] + found['case_seconds']:,.2f} CPU seconds"
    )
    return found


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        print(json.dumps(runner.run(measure(int(sys.argv[1]), float(sys.argv[2])))))
