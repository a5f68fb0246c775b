"""Heavy hitters: the most frequent of any number of values, in a fixed number of counters.

Space-Saving (Metwally, Agrawal and El Abbadi 2005): when all counters are taken, a new value takes
the place of the least one. Whatever makes up more than one part in `most` of the whole is found.
What is told of a value is what was surely counted of it, never too much.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


class _Counter:
    """The count of a value: `held` when it took the place of another, `told` what was told."""

    __slots__ = ("count", "held", "told")

    def __init__(self, held: int) -> None:
        self.count = held
        self.held = held
        self.told = 0


class HeavyHitters:
    """Counts values, at most so many of them."""

    __slots__ = ("_counters", "most")

    def __init__(self, most: int) -> None:
        self.most = most
        self._counters: dict[str, _Counter] = {}

    def add(self, value: str, count: int) -> int:
        """Count a value so many times; gives how many counters more that takes: 1 or 0."""
        counter = self._counters.get(value)
        if counter is not None:
            counter.count += count
            return 0
        held, full = 0, len(self._counters) >= self.most
        if full:
            least = min(self._counters.items(), key=lambda item: item[1].count)[0]
            held = self._counters.pop(least).count
        self._counters[value] = counter = _Counter(held)
        counter.count += count
        return 0 if full else 1

    def untold(self, at_least: float) -> Iterator[tuple[str, int]]:
        """Give what was surely counted and not told yet, of values that came to so much."""
        for value, counter in self._counters.items():
            sure = counter.count - counter.held
            if sure > counter.told and sure >= at_least:
                yield value, sure - counter.told

    def tell(self, at_least: float) -> None:
        """Take what `untold` gives as told from now on."""
        for counter in self._counters.values():
            sure = counter.count - counter.held
            if sure >= at_least:
                counter.told = sure

    def __len__(self) -> int:
        return len(self._counters)
