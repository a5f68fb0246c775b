"""What servers did under load comes to medians, and to ratios of one run."""

from bench.load import Load
from bench.rounds import Figures, Measurement

from bench import durable, rounds


def measured(requests: int, cpu_seconds: float, p99_ms: float = 2.0) -> Measurement:
    """Give a round of two seconds."""
    return Measurement(Load(requests, 2.0, p50_ms=1.0, p99_ms=p99_ms), cpu_seconds)


def test_figures_are_medians() -> None:
    """One round that went badly, or too well, decides nothing."""
    own = [measured(2_000, 2.0), measured(1_000, 2.0, p99_ms=90.0), measured(4_000, 1.0)]
    assert rounds.figures(own) == Figures(1_000.0, 1_000.0, 1.0, 2.0)


def test_servers_are_compared_by_cpu_time() -> None:
    """A server that makes half of the CPU time has half the ratio, however fast its round was."""
    rows = rounds.summary(
        {"bare": [measured(4_000, 2.0)], "limited": [measured(3_000, 3.0)]}, "bare", "ratio_to_bare"
    )
    assert [row["ratio_to_bare"] for row in rows] == [1.0, 0.5]
    assert [row["requests_per_second"] for row in rows] == [2_000.0, 1_500.0]


def test_the_table_shows_what_the_rows_hold() -> None:
    """Every column is a field of every row."""
    [row] = rounds.summary({"bare": [measured(10, 1.0)]}, "bare", "ratio_to_bare")
    assert {column.field for column in rounds.columns("ratio_to_bare")} <= set(row)


def test_durable_counting_is_compared_by_the_clock_too() -> None:
    """Waiting for the disk takes time and no CPU: both ratios are given."""
    rows = durable.summary(
        {durable.RELAXED: [measured(4_000, 2.0)], durable.STRICT: [measured(3_000, 2.0)]}
    )
    assert [row["ratio_to_relaxed_per_second"] for row in rows] == [1.0, 0.75]
    assert [row["ratio_to_relaxed"] for row in rows] == [1.0, 0.75]
    assert {column.field for column in durable.COLUMNS} <= set(rows[0])
