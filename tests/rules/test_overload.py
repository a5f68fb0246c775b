"""When the platform counts as overloaded: thresholds, how long, and what ends it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from pydantic import ValidationError

from fairuse.base.instant import Instant
from fairuse.rules.overload import Detector, Overload, Sample

if TYPE_CHECKING:
    from fairuse.rules.overload import Episode

RULES = Overload.model_validate({"normal": 100})
CAPACITY = 300
BEGAN = 1_000_000.0


class Day:
    """Samples one after another, a second each, and the episodes that ended meanwhile."""

    def __init__(self, rules: Overload = RULES, capacity: int | None = CAPACITY) -> None:
        self.detector = Detector()
        self.ended: list[Episode] = []
        self._rules = rules
        self._capacity = capacity
        self._second = 0

    @property
    def lasts(self) -> bool:
        """Say whether the platform is overloaded now."""
        return self.detector.episode is not None

    def pass_by(
        self,
        seconds: int,
        under_way: int = 0,
        *,
        answered: int = 10,
        slow: int = 0,
        failed: int = 0,
        each: float = 1.0,
    ) -> None:
        """Let seconds pass that all look alike."""
        for _ in range(seconds):
            self._second += 1
            at = Instant(BEGAN + self._second * each, self._second * each)
            sample = Sample(at, each, {"salon": under_way}, answered, slow, failed)
            ended = self.detector.take(sample, self._rules, self._capacity)
            if ended is not None:
                self.ended.append(ended)


def test_three_times_the_normal_load_is_none() -> None:
    """A03: from one time to three times what is normal nothing happens, however long."""
    day = Day()
    for under_way in (100, 200, 300):
        day.pass_by(600, under_way)
        assert not day.lasts
    day.pass_by(30, 301)
    assert day.lasts


def test_the_headroom_is_configurable_and_never_less_than_three() -> None:
    """A03: at least three times normal; more where it is said."""
    assert Overload.model_validate({"normal": 50, "headroom": 4}).capacity(1_000) == 200
    assert Overload().capacity(1_000) == 1_000
    assert Overload().capacity(None) is None
    with pytest.raises(ValidationError):
        Overload.model_validate({"normal": 50, "headroom": 2})


def test_what_does_not_last_is_no_overload() -> None:
    """An episode needs thirty such seconds without one that is not."""
    day = Day()
    for _ in range(10):
        day.pass_by(29, 1_000)
        day.pass_by(1, 300)
    assert not day.lasts


def test_an_episode_ends_once_the_load_is_well_below_for_a_while() -> None:
    """It goes on above four fifths of the threshold, and a short calm does not end it."""
    day = Day()
    day.pass_by(60, 400)
    day.pass_by(120, 250)
    assert day.lasts
    day.pass_by(25, 10)
    day.pass_by(31, 250)
    assert day.lasts
    day.pass_by(60, 240)
    assert not day.lasts
    [episode] = day.ended
    assert (episode.starts_at, episode.ends_at) == (BEGAN, BEGAN + 236)
    assert episode.causes == ("under way",)
    assert episode.busy == {"salon": (60 * 400 + 120 * 250 + 25 * 10 + 31 * 250) * 1_000}


SHARES = {
    "slow": ({"slow": 6}, True),
    "as many as may be": ({"slow": 5}, False),
    "failed": ({"failed": 6}, True),
    "as many as may fail": ({"failed": 5}, False),
    "nothing answered any more": ({"answered": 0, "slow": 6}, True),
    "too few to say": ({"answered": 1, "failed": 1}, False),
}


@pytest.mark.parametrize(("answers", "expected"), SHARES.values(), ids=SHARES)
def test_slow_and_failed_answers_are_overload(answers: dict[str, int], *, expected: bool) -> None:
    """More than half of at least sixty answers; also where nobody says what is normal."""
    day = Day(capacity=None)
    day.pass_by(40, 5, **answers)
    assert day.lasts is expected


def test_a_while_that_nobody_saw_counts_for_nothing() -> None:
    """After a gap, such as a machine that slept, the thirty seconds begin anew."""
    day = Day()
    day.pass_by(29, 1_000)
    day.pass_by(1, 1_000, each=3_600.0)
    day.pass_by(29, 1_000)
    assert not day.lasts
    day.pass_by(1, 1_000)
    assert day.lasts


@pytest.mark.parametrize(
    ("table", "why"),
    [
        ({"slow_answers": "120%"}, 'must be a share like "50%"'),
        ({"top_share": 50}, 'must be a share like "50%"'),
        ({"normal": 0}, "greater than or equal to 1"),
        ({"clear": "20 seconds"}, "clear must not be shorter than for"),
    ],
)
def test_what_is_wrong_is_said(table: dict[str, object], why: str) -> None:
    """A mistake in the table names what is expected."""
    with pytest.raises(ValidationError, match=why):
        Overload.model_validate(table)
