"""What many rounds of killing came to."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.faults.judges import Round

HEADINGS = {
    "rounds": "rounds",
    "acknowledged": "units acknowledged",
    "in_flight": "requests under way when killed",
    "beyond": "counted and not acknowledged",
    "lost": "units lost",
    "worst_lost": "in the worst round",
    "worst_lost_ms": "oldest of them, ms before",
    "blocks": "blocks told",
    "lost_blocks": "blocks lost",
    "worst_block_ms": "oldest of them, ms before",
    "untold_blocks": "blocks without a notice",
    "lost_notices": "notices lost",
    "late_cases": "cases not opened by the start",
    "away": "rounds with the store away",
    "lost_away": "units lost in them",
    "broken": "promises broken",
}
"""The figures that the table shows."""


@dataclass(slots=True)
class Figures:
    """Sums and worst cases over the rounds of one kind."""

    store: str
    durability: str
    rounds: int = 0
    acknowledged: int = 0
    refused: int = 0
    in_flight: int = 0
    lost: int = 0
    worst_lost: int = 0
    worst_lost_ms: int = 0
    beyond: int = 0
    blocks: int = 0
    lost_blocks: int = 0
    worst_block_ms: int = 0
    untold_blocks: int = 0
    lost_notices: int = 0
    late_cases: int = 0
    away: int = 0
    lost_away: int = 0
    wrong: list[str] = field(default_factory=list)

    def add(self, ended: Round) -> None:
        """Take a round in."""
        self.rounds += 1
        self.acknowledged += ended.admitted
        self.refused += ended.told.refused
        self.in_flight += ended.told.in_flight
        if ended.away:
            self.away += 1
            self.lost_away += ended.lost
        else:
            self.lost += ended.lost
            self.worst_lost = max(self.worst_lost, ended.lost)
            self.worst_lost_ms = max(self.worst_lost_ms, round(ended.lost_seconds * 1_000))
        self.beyond += max(0, ended.counted - ended.admitted)
        self.blocks += len(ended.told.promised)
        self.lost_blocks += ended.lost_blocks
        self.worst_block_ms = max(self.worst_block_ms, round(ended.lost_block_seconds * 1_000))
        self.untold_blocks += ended.untold_blocks
        self.lost_notices += ended.lost_notices
        self.late_cases += ended.late_cases
        self.wrong += ended.wrong

    def row(self) -> dict[str, object]:
        """Give the figures by their names."""
        return {**asdict(self), "broken": len(self.wrong)}
