"""What decisions on Redis come to: medians, calls of scripts, and a ratio."""

import pytest
from bench.shared import Sample

from bench import shared


def sample(decisions: int, calls: int, p99_ms: float = 5.0) -> Sample:
    """Give a turn of two seconds."""
    return Sample(decisions, 2.0, 1.0, calls, p50_ms=1.0, p99_ms=p99_ms)


def test_deciders_are_compared_by_their_decisions() -> None:
    """The ratio is of decisions per second; calls are counted per decision."""
    rows = shared.summary(
        {
            shared.PEER: [sample(1_000, 6_000)],
            "ours": [sample(9_000, 90), sample(10_000, 100), sample(100, 1, p99_ms=90.0)],
        }
    )
    assert [row["decisions_per_second"] for row in rows] == [500.0, 4_500.0]
    assert [row["ratio_to_limits"] for row in rows] == [1.0, 9.0]
    assert [row["calls_per_decision"] for row in rows] == [6.0, 0.01]
    assert [row["p99_ms"] for row in rows] == [5.0, 5.0]
    assert {column.field for column in shared.COLUMNS} <= set(rows[0])


def test_only_what_a_client_sends_is_a_call() -> None:
    """Commands that a script runs inside Redis cost no way there and back."""
    stats = {
        "cmdstat_evalsha": {"calls": 6, "usec": 90},
        "cmdstat_eval": {"calls": 1, "usec": 9},
        "cmdstat_incrby": {"calls": 6, "usec": 6},
        "cmdstat_info": {"calls": 1, "usec": 30},
    }
    assert shared.script_calls(stats) == 7
    assert shared.script_calls({}) == 0


@pytest.mark.parametrize(
    ("part", "value"),
    [
        pytest.param(0.5, 50, id="median"),
        pytest.param(0.99, 99, id="p99"),
        pytest.param(1.0, 100, id="longest"),
        pytest.param(0.0, 1, id="shortest"),
    ],
)
def test_a_percentile_is_one_of_the_values(part: float, value: int) -> None:
    """Of a hundred values the 99th is the p99."""
    assert shared.percentile(range(1, 101), part) == value
