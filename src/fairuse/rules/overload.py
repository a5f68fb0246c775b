"""Overload: whether the platform is at its limits, judged by a sample of its requests a second.

It is about the platform and no account (A03): what it is sized for has nothing to do with what
anybody agreed. An episode begins when the load was too high for a while, and ends when it was well
below that for a while.
"""

from __future__ import annotations

import re
from collections import Counter, deque
from typing import TYPE_CHECKING, Annotated, Literal, NamedTuple, Self

from pydantic import BeforeValidator, Field, model_validator

from fairuse.rules.model import Model, Seconds, written

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from fairuse.base.instant import Instant

Cause = Literal["under way", "slow", "failed"]

EASED = 80
"""Per cent of each threshold above which an episode that has begun goes on."""
FEWEST_ANSWERS = 60
"""Answers of which shares say something."""
LOST_SECONDS = 10.0
"""Seconds without a look after which nothing is known of them."""


def _percentage(value: object) -> int:
    found = re.fullmatch(r"([1-9][0-9]?)%", value) if isinstance(value, str) else None
    if not found:
        raise ValueError(f'{value!r} must be a share like "50%"')
    return int(found[1])


Percentage = Annotated[int, BeforeValidator(_percentage), written("50%")]


class Overload(Model):
    """When the platform is overloaded, and from which share of the load on it is an account's."""

    normal: int | None = Field(default=None, ge=1)
    headroom: int = Field(default=3, ge=3)
    slow: Seconds = 10
    slow_answers: Percentage = 50
    failed_answers: Percentage = 50
    for_: Seconds = Field(default=30, alias="for")
    clear: Seconds = 60
    top_share: Percentage = 50

    @model_validator(mode="after")
    def _ends_after_it_began(self) -> Self:
        if self.clear < self.for_:
            raise ValueError("clear must not be shorter than for")
        return self

    def capacity(self, connections: int | None) -> int | None:
        """Give how many requests may be under way at once: what is normal, times the headroom.

        Where nobody said what is normal it is the number of connections to the upstream.
        """
        return connections if self.normal is None else self.normal * self.headroom


class Sample(NamedTuple):
    """What was seen of the requests at a moment, and in the `seconds` before it.

    `under_way` counts them by account; `answered` of them got an answer, or failed to, `failed` got
    a server error or none, and `slow` came to wait for longer than they should.
    """

    at: Instant
    seconds: float
    under_way: Mapping[str, int]
    answered: int
    slow: int
    failed: int

    @property
    def lost(self) -> bool:
        """Say whether too much time went by for what was seen to say anything of it."""
        return self.seconds > LOST_SECONDS

    @property
    def total(self) -> int:
        """Count the requests of all accounts that are under way."""
        return sum(self.under_way.values())


class Episode(NamedTuple):
    """Overload from when until when, on wall time; `busy` are milliseconds of work, by account."""

    starts_at: float
    ends_at: float
    causes: tuple[Cause, ...]
    busy: Mapping[str, int]


def pressure(
    samples: Sequence[Sample], rules: Overload, capacity: int | None, per_cent: int = 100
) -> tuple[Cause, ...]:
    """Give what was above so many per cent of its threshold.

    What is under way has to be above it in every sample, shares of answers in all of them together.
    """
    causes: list[Cause] = []
    least = min((sample.total for sample in samples), default=0)
    if capacity is not None and least * 100 > capacity * per_cent:
        causes.append("under way")
    answered = sum(sample.answered for sample in samples)
    slow = sum(sample.slow for sample in samples)
    failed = sum(sample.failed for sample in samples)
    if _above(slow, max(answered, slow), rules.slow_answers * per_cent):
        causes.append("slow")
    if _above(failed, answered, rules.failed_answers * per_cent):
        causes.append("failed")
    return tuple(causes)


def _above(some: int, answers: int, per_ten_thousand: int) -> bool:
    return answers >= FEWEST_ANSWERS and some * 10_000 > answers * per_ten_thousand


class Detector:
    """Follows the load, sample by sample. `episode` is the one that lasts, if there is one."""

    def __init__(self) -> None:
        self.episode: Episode | None = None
        self._samples: deque[Sample] = deque()
        self._later: Counter[str] = Counter()
        self._pressed_at = 0.0

    def take(self, sample: Sample, rules: Overload, capacity: int | None) -> Episode | None:
        """Take the next sample, and give the episode that it ended, if it did."""
        if sample.lost:
            self._samples.clear()
            return None
        self._samples.append(sample)
        over = sum(each.seconds for each in self._samples) - rules.for_
        while over >= self._samples[0].seconds and len(self._samples) > 1:
            over -= self._samples.popleft().seconds
        if self.episode is None:
            if over >= 0:
                self._begin(sample.at, rules, capacity)
            return None
        return self._go_on(self.episode, sample, rules, capacity)

    def ends_in(self, at: Instant, rules: Overload) -> float:
        """Give in how many seconds the episode that lasts ends at the earliest."""
        return max(0.0, self._pressed_at + rules.clear - at.monotonic)

    def end(self) -> Episode | None:
        """End the episode that lasts, if there is one, and give it."""
        ended, self.episode = self.episode, None
        self._samples.clear()
        return ended

    def _begin(self, at: Instant, rules: Overload, capacity: int | None) -> None:
        causes = pressure(self._samples, rules, capacity)
        if causes:
            busy = _busy(self._samples)
            self.episode = Episode(at.wall - rules.for_, at.wall, causes, busy)
            self._pressed_at = at.monotonic
            self._later.clear()

    def _go_on(
        self, episode: Episode, sample: Sample, rules: Overload, capacity: int | None
    ) -> Episode | None:
        self._later.update(_busy([sample]))
        causes = pressure(self._samples, rules, capacity, EASED)
        if causes:
            self.episode = Episode(
                episode.starts_at,
                sample.at.wall,
                (*dict.fromkeys((*episode.causes, *causes)),),
                Counter(episode.busy) + self._later,
            )
            self._pressed_at = sample.at.monotonic
            self._later.clear()
        elif sample.at.monotonic - self._pressed_at >= rules.clear:
            return self.end()
        return None


def _busy(samples: Iterable[Sample]) -> Counter[str]:
    """Add up for how long requests were under way, by account (Little's law)."""
    busy: Counter[str] = Counter()
    for sample in samples:
        for account, count in sample.under_way.items():
            busy[account] += round(count * sample.seconds * 1_000)
    return busy
