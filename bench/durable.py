"""The durable benchmark: what it costs that no admitted request is forgotten.

`strict` writes every request's units to the disk before the app sees it; `relaxed` writes them a
few times a second, and a crash may forget the last fifth of one. The disk is what decides here,
so the ledger lies in the folder for temporary files: set TMPDIR to measure another disk.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench import configs, rounds
from bench.cpu import cores
from bench.middleware import running
from bench.report import Column, Report, chosen

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bench.report import Options
    from bench.rounds import Measurement

RELAXED, STRICT = "fairuse, relaxed", "fairuse, strict"
RATIO = "ratio_to_relaxed"
RATIO_PER_SECOND = "ratio_to_relaxed_per_second"

COLUMNS = (
    Column("server", "server"),
    Column("requests_per_second", "req/s", ",.0f"),
    Column(RATIO_PER_SECOND, "ratio", ".4f"),
    Column("requests_per_cpu_second", "req per CPU-second", ",.0f"),
    Column(RATIO, "ratio", ".4f"),
    Column("p50_ms", "p50 ms", ",.2f"),
    Column("p99_ms", "p99 ms", ",.2f"),
)


def run(options: Options) -> Report:
    """Measure both in turn, round by round. Raises BenchError."""
    names = chosen(options.only, [RELAXED, STRICT], [RELAXED])
    pair = cores()
    with running(names, pair, options.keys or configs.KEYS) as started:
        measured = rounds.measured(started, options, pair)
    return Report(
        title="A trivial app behind six limits: every request on disk first, or soon after",
        caption=f"medians; rounds: {options.rounds}, seconds each: {options.seconds};"
        f" ratios: {RELAXED} = 1",
        columns=COLUMNS,
        rows=summary(measured),
    )


def summary(measurements: Mapping[str, Sequence[Measurement]]) -> list[dict[str, object]]:
    """Give a row for each, with the ratio of its requests per second to the relaxed one's, too."""
    base = rounds.figures(measurements[RELAXED]).requests_per_second
    rows = rounds.summary(measurements, RELAXED, RATIO)
    for row, own in zip(rows, measurements.values(), strict=True):
        row[RATIO_PER_SECOND] = round(rounds.figures(own).requests_per_second / base, 4)
    return rows
