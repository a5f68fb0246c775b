"""Choosing: the case moves and the record says so, both or neither, once."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from fairuse.base.errors import LedgerError
from fairuse.rules.choices import CHOSEN, Choice
from fairuse.rules.ladder import Case, WrongStep
from fairuse.rules.process import Ladder
from fairuse.stages import choose as stage
from fairuse.stages.choose import choose
from fairuse.stores.casebook import case_numbered, move, open_case
from fairuse.stores.choices import choices_made
from fairuse.stores.ledger import Ledger
from fairuse.stores.record import entries_of
from fairuse.stores.rows import NoticeRow

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from fairuse.rules.ladder import Happening

pytestmark = pytest.mark.anyio

NOW = 1_793_620_800.0
DAY = 86_400
WHO = "salon: Anna"
OFFERING = Ladder.model_validate(
    {
        "offer": ["accept charges", "reduce", "extra capacity"],
        "steps": [{"on": "accepted", "do": "charge", "tariff": "more"}],
    }
)


@pytest.fixture
async def ledger(tmp_path: Path) -> AsyncIterator[Ledger]:
    """Give an empty ledger."""
    opened = await Ledger.open(f"sqlite:///{tmp_path}/fairuse.db")
    yield opened
    await opened.close()


@pytest.fixture
async def case(ledger: Ledger) -> Case:
    """Give a case of which the notice was delivered."""
    new = Case(0, "salon", "salon", "per-month", (), NOW, NOW + 28 * DAY, NOW, "open", 5_001, 5_000)
    notice = NoticeRow("salon", "salon", "per-month", NOW, 5_001, 5_000, "", "en", (), "", "")
    assert await open_case(ledger, new, lambda _: notice, ["mailto:anna@salon.example"])
    [opened] = await ledger.cases("salon")
    return await _moved(ledger, opened, "delivered", notified_at=NOW, answer_by=NOW + 14 * DAY)


async def _moved(ledger: Ledger, case: Case, happening: Happening, **changes: Any) -> Case:
    async with ledger.transaction() as connection:
        moved = await move(connection, case, happening, NOW, "test", None, **changes)
    assert moved is not None
    return moved


async def _choose(
    ledger: Ledger, case: Case, option: str, moment: float = NOW, ladder: Ladder = OFFERING
) -> Case | None:
    return await choose(case, Choice(option, moment, WHO, "link"), ladder, ledger)


async def _kinds(ledger: Ledger) -> list[str]:
    return [entry.kind for entry in await entries_of(ledger)]


@pytest.mark.parametrize("option", CHOSEN)
async def test_a_choice_moves_the_case(ledger: Ledger, case: Case, option: str) -> None:
    """A23: a choice is in the case and in the record, with its time and its person."""
    before = await _kinds(ledger)
    chosen = await _choose(ledger, case, option, NOW + 60)
    assert chosen == await case_numbered(ledger, case.id)
    assert chosen is not None
    assert (chosen.state, chosen.answered_at) == (CHOSEN[option], NOW + 60)
    assert await _kinds(ledger) == [*before, "case.moved", "choice.made"]
    made = await choices_made(ledger, "salon")
    assert made == {case.id: [Choice(option, NOW + 60, WHO, "link")]}


async def test_the_last_day_gives_a_grace(ledger: Ledger, case: Case) -> None:
    """A17: reducing and more capacity take time; agreeing and declining take none."""
    for option, answer_by in (("reduce", 27), ("decline", 27), ("extra capacity", 28)):
        moment = NOW + (13 if option == "reduce" else 14) * DAY
        moved = await _choose(ledger, case, option, moment)
        assert moved is not None
        assert moved.answer_by == NOW + answer_by * DAY
        case = moved


async def test_the_same_choice_twice_is_one(ledger: Ledger, case: Case) -> None:
    """P8: a choice that was made already is made, and nothing more is written."""
    chosen = await _choose(ledger, case, "reduce")
    assert chosen is not None
    written = await _kinds(ledger)
    assert await _choose(ledger, chosen, "reduce", NOW + DAY) == chosen
    persisting = await _moved(ledger, chosen, "persisted")
    assert await _choose(ledger, persisting, "reduce", NOW + 20 * DAY) == persisting
    assert await _kinds(ledger) == [*written, "case.moved"]


async def test_two_forms_at_once_are_one_choice(ledger: Ledger, case: Case) -> None:
    """P8: of two answers that arrive together one moves the case, and the other finds it moved."""
    answers = ("reduce", "accept charges", "reduce", "decline")
    moved = await asyncio.gather(*(_choose(ledger, case, option) for option in answers))
    assert sum(each is not None and each.version > case.version for each in moved) == 1
    assert (await _kinds(ledger)).count("choice.made") == 1


WRONG: list[tuple[tuple[Happening, ...], str]] = [
    (("accepted",), "reduce"),
    (("resolved",), "reduce"),
    (("persisted", "approved"), "accept charges"),
    (("proposed",), "decline"),
]


@pytest.mark.parametrize(("happenings", "option"), WRONG, ids=[each[0][-1] for each in WRONG])
async def test_the_ladder_says_what_is_possible(
    ledger: Ledger, case: Case, happenings: tuple[Happening, ...], option: str
) -> None:
    """A23: what the ladder has no way for is no choice any more, and changes nothing."""
    for happening in happenings:
        case = await _moved(ledger, case, happening)
    written = await _kinds(ledger)
    with pytest.raises(WrongStep, match=option):
        await _choose(ledger, case, option)
    assert await _kinds(ledger) == written


async def test_only_what_is_offered(ledger: Ledger, case: Case) -> None:
    """A23: what the policy does not offer can't be chosen."""
    only_less = Ladder.model_validate({"offer": ["reduce"]})
    for option in ("accept charges", "extra capacity", "terminate"):
        with pytest.raises(WrongStep):
            await _choose(ledger, case, option, ladder=only_less)
    assert await _choose(ledger, case, "decline", ladder=only_less) is not None


async def test_a_time_that_was_given_is_not_given_again(ledger: Ledger, case: Case) -> None:
    """A08: who did not bring the use back in time can't choose to once more."""
    chosen = await _choose(ledger, case, "reduce")
    assert chosen is not None
    changed = await _choose(ledger, chosen, "decline", NOW + DAY)
    assert changed is not None
    with pytest.raises(WrongStep):
        await _choose(ledger, changed, "reduce", NOW + 15 * DAY)


async def test_the_case_and_the_record_go_together(
    ledger: Ledger, case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F-41: where the record can't be written the case does not move either."""

    async def full(*_: object) -> None:
        raise LedgerError("the disk is full")

    monkeypatch.setattr(stage, "append", full)
    with pytest.raises(LedgerError):
        await _choose(ledger, case, "reduce")
    assert await case_numbered(ledger, case.id) == case
    assert await choices_made(ledger, "salon") == {}
