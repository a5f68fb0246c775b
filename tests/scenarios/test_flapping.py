"""Use that goes up and down around its limit: one case, one notice, however often."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.entry.senders import config_of_senders, stored, tell
from tests.scenarios.support import opened, upkeep, written
from tests.support import NOON, Recorder, mounted

if TYPE_CHECKING:
    from pathlib import Path

    from fairuse.base.clock import ManualClock

pytestmark = pytest.mark.anyio


async def test_a_level_around_its_limit_is_one_case(
    tmp_path: Path, recorder: Recorder, clock: ManualClock
) -> None:
    """F-54, P8: 99 and 101 of 100 megabytes in turn, with upkeep and restarts in between."""
    config = config_of_senders(tmp_path)
    for day in range(4):
        async with mounted(config, recorder, clock) as fair:
            for number in range(10):
                moment = NOON + 3_600 * (24 * day + number)
                clock.advance(moment - clock.wall)
                megabytes = 101 if number % 2 else 99
                assert (await tell(fair, stored(megabytes, moment))).status == 200
            await upkeep(fair)
            [case] = await opened(fair, "salon")
            [notice] = await written(fair, "salon")
            assert (case.rule, notice.reading, notice.amount) == ("storage", 101, 100)
