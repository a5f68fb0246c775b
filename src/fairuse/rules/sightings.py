"""Sightings: what is counted of the requests of one meter, account, location and day."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from fairuse.rules.evidence import LEAST_SHOWN, SUMS
from fairuse.rules.exchange import is_accepted
from fairuse.rules.heavy_hitters import HeavyHitters
from fairuse.rules.request_traits import agent_name, path_prefix, path_shape, status_class

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from fairuse.rules.evidence import Kind
    from fairuse.rules.exchange import Movement, Subject

LEAST_TOLD = 5
"""Requests of a day before they are worth a row: made-up locations come to less."""

_MOST: dict[Kind, int] = {
    "address": 32,
    "path": 32,
    "prefix": 16,
    "agent": 32,
    "answer": 8,
}
"""Counters of each kind."""

Traits = tuple[tuple["Kind", str], ...]


class Sighting(NamedTuple):
    """A request that was settled; `weight` is how many it stands for.

    `costs` are the counts of the meters that ask for more than one a request.
    """

    at: float
    method: str
    path: str
    agent: bytes | None
    status: int | None
    moves: Sequence[Movement]
    costs: Mapping[str, int | None]
    subject: Subject
    weight: int

    @property
    def traits(self) -> Traits:
        """Give what tells it from others."""
        return (
            ("address", self.subject.address.bucket),
            ("path", path_shape(self.method, self.path)),
            ("prefix", path_prefix(self.method, self.path)),
            ("agent", agent_name(self.agent)),
        )

    def units(self, move: Movement) -> int:
        """Give how much it moved a meter by; nothing where the answer says that it does not."""
        meter = move.meter
        if not is_accepted(self.status) and not meter.whatever_the_answer:
            return 0
        if meter.kind != "flow":
            return 1
        return (self.costs.get(meter.name, meter.one) or 0) + move.accrued


class Sightings:
    """Counts where use came from, in a bounded number of counters."""

    __slots__ = ("_kinds", "_looked_at", "_requests", "_sampled", "_told", "_units")

    def __init__(self) -> None:
        self._kinds: dict[Kind, HeavyHitters] = {}
        self._looked_at = 0
        self._units = 0
        self._requests = 0
        self._sampled = 0
        self._told = (0, 0, 0)

    def add(self, sighting: Sighting, traits: Traits, units: int) -> int:
        """Count a request that moved the meter so much; gives how many more counters it takes."""
        weight = sighting.weight
        self._looked_at += 1
        self._requests += weight
        if weight > 1:
            self._sampled += weight
        took = self._count("answer", status_class(sighting.status), weight)
        if units:
            units *= weight
            self._units += units
            for kind, value in traits:
                took += self._count(kind, value, units)
        return took

    @property
    def worth_telling(self) -> bool:
        """Say whether there is something new, and enough of it."""
        return self._looked_at >= LEAST_TOLD and self._sums != self._told

    def untold(self) -> Iterator[tuple[Kind, str, int]]:
        """Give what was counted and not told yet, of values that make up enough of the whole."""
        for name, count, told in zip(SUMS, self._sums, self._told, strict=True):
            if count > told:
                yield "all", name, count - told
        for kind, hitters in self._kinds.items():
            for value, count in hitters.untold(self._least(kind)):
                yield kind, value, count

    def tell(self) -> None:
        """Take that as told."""
        self._told = self._sums
        for kind, hitters in self._kinds.items():
            hitters.tell(self._least(kind))

    @property
    def _sums(self) -> tuple[int, int, int]:
        return self._units, self._requests, self._sampled

    def _least(self, kind: Kind) -> float:
        return 0 if kind == "answer" else self._units * LEAST_SHOWN

    def _count(self, kind: Kind, value: str, count: int) -> int:
        hitters = self._kinds.get(kind)
        if hitters is None:
            hitters = self._kinds[kind] = HeavyHitters(_MOST[kind])
        return hitters.add(value, count)

    def __len__(self) -> int:
        return sum(map(len, self._kinds.values()))
