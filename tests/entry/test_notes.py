"""Notes: what was said about a case is kept in its record (C09)."""

from __future__ import annotations

import asyncio
from datetime import date
from typing import TYPE_CHECKING

import pytest
from tests.scenarios.support import contract, go_to, running, shipped
from tests.support import Recorder, told
from typer.testing import CliRunner

from fairuse.base.errors import NotPossible
from fairuse.entry.case_tables import cases_of
from fairuse.entry.cli import app
from fairuse.entry.desk import MOST_NOTED, Desk
from fairuse.stores.record import entries_of
from fairuse.stores.verify import verify

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from fairuse import FairUse
    from fairuse.base.clock import ManualClock

pytestmark = pytest.mark.anyio


@pytest.fixture
async def shop(tmp_path: Path, recorder: Recorder, clock: ManualClock) -> AsyncIterator[FairUse]:
    """Run a hosting service with one case, of a time long ago."""
    config = shipped(tmp_path, {"shop": contract("shop", "hosting", "[packages.shared]")})
    go_to(clock, "2024-01-08T09:00")
    async with running(config, recorder, clock) as fair:
        desk = Desk(fair.service.configuration, await told(fair.service), "olga", clock)
        assert await desk.open("shop", "traffic-per-month", "what is all that traffic?")
        yield fair


async def test_what_was_said_is_kept_with_who_said_it_and_when(
    shop: FairUse, clock: ManualClock
) -> None:
    """C09: notes are shown oldest first, and the last one says whether something is due."""
    ledger, shown = await told(shop.service), []
    for by, text, due in (
        ("olga", "They don't know yet: a new plugin?", date(2024, 1, 15)),
        ("piet", "  It is the plugin.\nThey switch it off. ", date(2999, 1, 1)),
    ):
        await Desk(shop.service.configuration, ledger, by, clock).note(1, text, due)
        clock.advance(3_600)
        shown = (await cases_of(shop.service.configuration, 1, "", closed=False))["notes"]
        assert shown[-1]["is_due"] == (by == "olga")
    assert shown == [
        {
            "at": "2024-01-08T08:00:00+00:00",
            "by": "olga",
            "text": "They don't know yet: a new plugin?",
            "due": "2024-01-15",
            "is_due": False,
        },
        {
            "at": "2024-01-08T09:00:00+00:00",
            "by": "piet",
            "text": "It is the plugin.\nThey switch it off.",
            "due": "2999-01-01",
            "is_due": False,
        },
    ]
    noted = [each for each in await entries_of(ledger, 1) if each.kind == "case.noted"]
    assert [(each.account, each.by) for each in noted] == [("shop", "olga"), ("shop", "piet")]
    assert (await verify(ledger)).violations == []


async def test_a_note_is_neither_empty_nor_endless(shop: FairUse, clock: ManualClock) -> None:
    """C09: a note has an end, and is about a case."""
    desk = Desk(shop.service.configuration, await told(shop.service), "olga", clock)
    for text in ("", " \n", "x" * (MOST_NOTED + 1)):
        with pytest.raises(NotPossible, match="between 1 and 2,000 characters"):
            await desk.note(1, text, None)
    await desk.note(1, "x" * MOST_NOTED, None)
    with pytest.raises(NotPossible, match="there is no case 7"):
        await desk.note(7, "who is that?", None)


@pytest.mark.usefixtures("shop")
async def test_a_note_is_written_by_a_command(tmp_path: Path) -> None:
    """C09: `fairuse note` beside a running gateway, and `fairuse cases` shows it as due."""
    config = ["--config", str(tmp_path / "config")]
    words = ["1", "We called: [nobody] there.", "--by", "olga", "--due", "2024-02-01"]
    noted = await asyncio.to_thread(CliRunner().invoke, app, ["note", *words, *config])
    assert (noted.exit_code, noted.output) == (0, "case 1: noted\n")
    shown = await asyncio.to_thread(CliRunner().invoke, app, ["cases", "1", *config])
    assert "by olga, text We called: [nobody] there., due 2024-02-01, is_due True" in shown.output
