"""A gateway that is killed under load has kept what clients were told; `make faults` does more."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.faults import kill, kill_shared
from tests.redis_servers import needs_redis, redis_server

if TYPE_CHECKING:
    from pathlib import Path

ROUNDS = 3
BOTH = pytest.mark.parametrize("durability", ["strict", "relaxed"])


@BOTH
def test_kill_9_under_load(tmp_path: Path, durability: str) -> None:
    """F-39: after kill -9 the ledger is sound, and nothing is lost that may not be."""
    rounds = list(kill.rounds(tmp_path, durability, ROUNDS, seed=39))
    assert [ended.wrong for ended in rounds] == [[]] * ROUNDS
    assert sum(ended.admitted for ended in rounds) > 0


@needs_redis
@BOTH
def test_kill_9_of_one_of_two(tmp_path: Path, durability: str) -> None:
    """F-39: what a gateway had counted in Redis is not lost with it, nor is it in the ledger."""
    with redis_server(tmp_path / "redis") as server:
        rounds = list(kill_shared.rounds(tmp_path, durability, 2, 39, server))
    assert [ended.wrong for ended in rounds] == [[], []]
    assert sum(ended.admitted for ended in rounds) > 0
