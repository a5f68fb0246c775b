"""Sightings: what is counted of the requests of one meter, account, location and day."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from fairuse.rules.evidence import LEAST_SHOWN, REQUESTS, SAMPLED, UNITS
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
    "all": 3,
}
"""Counters of each kind."""
_WHOLE = frozenset({"answer", "all"})

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
        meter, status = move.meter, self.status
        accepted = status is not None and (200 <= status < 300 or status == 101)
        if not accepted and not meter.whatever_the_answer:
            return 0
        if meter.kind != "flow":
            return 1
        return (self.costs.get(meter.name, meter.one) or 0) + move.accrued


class Sightings:
    """Counts where use came from, in a bounded number of counters."""

    __slots__ = ("_kinds", "_requests", "_told", "_units")

    def __init__(self) -> None:
        self._kinds: dict[Kind, HeavyHitters] = {}
        self._requests = 0
        self._told = 0
        self._units = 0

    def add(self, sighting: Sighting, traits: Traits, units: int) -> None:
        """Count a request that moved the meter by so many units."""
        weight = sighting.weight
        self._requests += weight
        self._units += units * weight
        self._count("answer", status_class(sighting.status), weight)
        self._count("all", REQUESTS, weight)
        if weight > 1:
            self._count("all", SAMPLED, weight)
        if units:
            self._count("all", UNITS, units * weight)
            for kind, value in traits:
                self._count(kind, value, units * weight)

    @property
    def worth_telling(self) -> bool:
        """Say whether there is something new, and enough of it."""
        return self._requests > self._told and self._requests >= LEAST_TOLD

    def untold(self) -> Iterator[tuple[Kind, str, int]]:
        """Give what was counted and not told yet, of values that make up enough of the whole."""
        for kind, hitters in self._kinds.items():
            for value, count in hitters.untold(self._least(kind)):
                yield kind, value, count

    def tell(self) -> None:
        """Take that as told."""
        self._told = self._requests
        for kind, hitters in self._kinds.items():
            hitters.tell(self._least(kind))

    def _least(self, kind: Kind) -> float:
        return 0 if kind in _WHOLE else self._units * LEAST_SHOWN

    def _count(self, kind: Kind, value: str, count: int) -> None:
        hitters = self._kinds.get(kind)
        if hitters is None:
            hitters = self._kinds[kind] = HeavyHitters(_MOST[kind])
        hitters.add(value, count)

    def __len__(self) -> int:
        return sum(map(len, self._kinds.values()))
