"""Heavy hitters: who makes up much is found, in a fixed number of counters."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from fairuse.rules.heavy_hitters import HeavyHitters

MOST = 4


@given(st.lists(st.tuples(st.sampled_from("abcdefghijklmnop"), st.integers(1, 9))))
def test_it_finds_the_most_frequent_and_tells_no_more_than_there_was(
    stream: list[tuple[str, int]],
) -> None:
    """C16: what came to more than one part in `most` is there, and nothing is counted too often."""
    hitters, real, took = HeavyHitters(MOST), Counter[str](), 0
    for value, count in stream:
        took += hitters.add(value, count)
        real[value] += count
    told = dict(hitters.untold(0))
    assert took == len(hitters) <= MOST
    assert all(count <= real[value] for value, count in told.items())
    whole = sum(real.values())
    held = {value for value, _ in hitters.untold(0)} | set(hitters._counters)
    assert {value for value, count in real.items() if count * MOST > whole} <= held


def test_what_was_told_is_not_told_again() -> None:
    """C16, P8: only what is new is told, once it is enough."""
    hitters = HeavyHitters(MOST)
    hitters.add("a", 10)
    hitters.add("b", 1)
    assert dict(hitters.untold(5)) == {"a": 10}
    hitters.tell(5)
    hitters.add("a", 2)
    hitters.add("b", 4)
    assert dict(hitters.untold(5)) == {"a": 2, "b": 5}
    hitters.tell(5)
    assert dict(hitters.untold(0)) == {}


def test_a_flood_of_values_hides_nobody() -> None:
    """C16: two that make up most are found among 100,000 others, with nearly all they did."""
    hitters = HeavyHitters(32)
    for number in range(100_000):
        hitters.add(f"other-{number}", 1)
        if number % 2:
            hitters.add("one", 2)
        if number % 5 == 0:
            hitters.add("two", 1)
    told = dict(hitters.untold(5_000))
    assert len(hitters) == 32
    assert told.keys() == {"one", "two"}
    assert 99_000 <= told["one"] <= 100_000
    assert 19_000 <= told["two"] <= 20_000
