"""A benchmark measures what it is asked to, beside what that is compared with."""

import pytest
from bench.__main__ import RUNS, Bench, figures_of, table_of
from bench.errors import CannotRun
from bench.report import Column, Options, Report, chosen

NAMES = ["bare", "fairuse", "slowapi"]


def test_every_benchmark_can_be_run() -> None:
    """There is something to run for each name."""
    assert set(RUNS) == set(Bench)


def test_all_are_measured_unless_told_otherwise() -> None:
    """Without a name, all of them; with one, that and its base, in the same order."""
    assert chosen(None, NAMES, ["bare"]) == NAMES
    assert chosen("slowapi", NAMES, ["bare"]) == ["bare", "slowapi"]
    assert chosen("bare", NAMES, ["bare"]) == ["bare"]


def test_an_unknown_name_is_refused() -> None:
    """A name that is not there says which are."""
    with pytest.raises(CannotRun, match="bare; fairuse; slowapi"):
        chosen("flask", NAMES, ["bare"])


def test_a_report_is_written_both_ways() -> None:
    """JSON has every field of a row, the table those that it has columns for."""
    columns = (Column("server", "server"), Column("ratio", "ratio", ".2f"))
    report = Report("title", "caption", columns, [{"server": "bare", "ratio": 1.0, "rounds": [1]}])
    written = figures_of({Bench.durable: report}, Options(seconds=1, rounds=2))
    benches = {"durable": [{"server": "bare", "ratio": 1.0, "rounds": [1]}]}
    assert written == {"seconds": 1, "rounds": 2, "benches": benches}
    assert [*table_of(report).columns[1].cells] == ["1.00"]
