"""Run the benchmarks: `python -m bench` all of them, `python -m bench proxy` one."""

from __future__ import annotations

import json
import signal
import sys
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer
from rich.console import Console
from rich.table import Table

from bench import (
    cases,
    decision,
    durable,
    growth,
    latency,
    middleware,
    proxy,
    refusals,
    shared,
    slow,
)
from bench.errors import BenchError
from bench.report import Options

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from bench.report import Report

PLAIN_WIDTH = 120
"""Columns of a table that goes to a file."""


class Bench(StrEnum):
    """The benchmarks there are."""

    proxy = "proxy"
    slow = "slow"
    refusals = "refusals"
    latency = "latency"
    middleware = "middleware"
    durable = "durable"
    decision = "decision"
    memory = "memory"
    redis = "redis"
    cases = "cases"


RUNS: dict[Bench, Callable[[Options], Report]] = {
    Bench.proxy: proxy.run,
    Bench.slow: slow.run,
    Bench.refusals: refusals.run,
    Bench.latency: latency.run,
    Bench.middleware: middleware.run,
    Bench.durable: durable.run,
    Bench.decision: decision.run,
    Bench.memory: growth.run,
    Bench.redis: shared.run,
    Bench.cases: cases.run,
}

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def main(
    benches: Annotated[
        list[Bench] | None,
        typer.Argument(metavar="BENCH", help="Which ones; without any, all of them."),
    ] = None,
    seconds: Annotated[int, typer.Option(min=1, help="How long each measurement takes.")] = 5,
    rounds: Annotated[int, typer.Option(min=1, help="How often each is measured.")] = 3,
    only: Annotated[
        str | None, typer.Option(metavar="NAME", help="Measure this one, beside its peer.")
    ] = None,
    keys: Annotated[
        int | None,
        typer.Option(min=1, help="How many API keys ask; without it, as many as each suits."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Write JSON, with every round.")] = False,
) -> None:
    """Measure the gateway beside its peers; exit 1: no figure, 2: it can't run here."""
    signal.signal(signal.SIGTERM, _leave)
    options = Options(seconds, rounds, only, keys)
    try:
        reports = {bench: RUNS[bench](options) for bench in benches or Bench}
    except BenchError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(error.exit_code) from None
    if as_json:
        typer.echo(json.dumps(figures_of(reports, options), indent=2))
    else:
        console = Console(width=None if sys.stdout.isatty() else PLAIN_WIDTH)
        for report in reports.values():
            console.print(table_of(report))


def figures_of(reports: Mapping[Bench, Report], options: Options) -> dict[str, object]:
    """Give everything that was measured, as JSON writes it."""
    benches = {bench.value: report.rows for bench, report in reports.items()}
    return {"seconds": options.seconds, "rounds": options.rounds, "benches": benches}


def table_of(report: Report) -> Table:
    """Draw a report as a table."""
    table = Table(title=report.title, caption=report.caption)
    for column in report.columns:
        # In a narrow terminal the long names are folded, and the figures stay whole.
        table.add_column(column.heading, justify="right" if column.format else "left")
    for row in report.rows:
        table.add_row(*(format(row[column.field], column.format) for column in report.columns))
    return table


def _leave(_signal: int, _frame: object) -> NoReturn:
    """Stop as Ctrl-C does, so that every server is stopped too."""
    raise SystemExit(1)


if __name__ == "__main__":
    app()
