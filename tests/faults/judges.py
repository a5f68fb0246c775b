"""What a round of killing came to, and what judges it: promises that must hold after kill -9."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.faults.clients import Told, new_address
from tests.faults.ledgers import read
from tests.faults.support import PLACE, PLACE_AMOUNT, came_true

if TYPE_CHECKING:
    from pathlib import Path

    from tests.faults.ledgers import Left
    from tests.faults.support import Gateway

SLACK_SECONDS = 0.5
"""What a write may take on a busy machine, beyond the interval of the writes."""
CATCH_UP_SECONDS = 1.0
"""How long a start may take to open the cases that a crash kept from being opened."""
TELL_SECONDS = 5.0


@dataclass(slots=True)
class Round:
    """What a round came to; `wrong` says which promises were broken.

    `told` is what the clients of the gateway that was killed know, and `elsewhere` counts the
    bookings that another gateway accepted meanwhile; `away`: it counted alone for a while.
    """

    told: Told
    killed_at: float
    served: int
    elsewhere: int = 0
    counted: int = 0
    lost_blocks: int = 0
    lost_block_seconds: float = 0.0
    untold_blocks: int = 0
    lost_notices: int = 0
    late_cases: int = 0
    away: bool = False
    wrong: list[str] = field(default_factory=list)

    @property
    def admitted(self) -> int:
        """Count the bookings that clients know to be made."""
        return len(self.told.admitted) + self.elsewhere

    @property
    def lost(self) -> int:
        """Count the acknowledged units that are not there any more."""
        return max(0, self.admitted - self.counted)

    @property
    def lost_seconds(self) -> float:
        """Say how long before the kill the oldest of them was acknowledged."""
        moments = sorted(self.told.admitted, reverse=True)[: self.lost]
        return self.killed_at - moments[-1] if moments else 0.0

    def expect(self, promise: str, holds: object, otherwise: str) -> None:
        """Note a promise that was broken."""
        if not holds:
            self.wrong.append(f"{promise}: {otherwise}")


def judge_ledger(ended: Round, left: Left) -> None:
    """Expect a sound file, with every notice in it that a customer has seen, once."""
    ended.expect("integrity", left.integrity == "ok", left.integrity)
    ended.lost_notices = len(ended.told.notices - {*left.notices})
    ended.expect("notices", not ended.lost_notices, f"{ended.lost_notices} were shown and are lost")
    twice = len(left.notices) - len({*left.notices})
    ended.expect("notices", not twice, f"{twice} are written twice")
    odd = ended.told.unlike
    ended.expect("answers", not odd, f"{len(odd)} that nobody should get: {odd[:3]}")


def judge_units(ended: Round, durability: str, interval: float) -> None:
    """Expect that nobody pays for what was not used, and that no more is forgotten than may be.

    What counts alone, while it finds its store away, counts in memory: that goes with it.
    """
    counted, served = ended.counted, ended.served
    most = ended.admitted + ended.told.in_flight
    ended.expect("units", counted <= most, f"{counted} counted, {most} asked for at most")
    if durability == "relaxed":
        ended.expect("units", counted <= served, f"{counted} counted, {served} served")
    if ended.away:
        return
    if durability == "strict":
        ended.expect("units", counted >= ended.admitted, f"{ended.lost} acknowledged ones are lost")
        ended.expect("units", counted >= served, f"{counted} counted, {served} served")
    else:
        age = ended.lost_seconds
        known = age <= interval + SLACK_SECONDS
        ended.expect("units", known, f"one is lost that was acknowledged {age:.3f} s before")


def judge_blocks(ended: Round, running: Gateway) -> None:
    """Expect whoever was told of a block to be blocked still, until the moment that was told."""
    still = {block["address"]: block["until"] for block in running.usage()["blocks"]}
    for address, end in ended.told.promised.items():
        if still.get(address) != end:
            told_at = ended.told.blocked_at.get(address, ended.killed_at)
            ended.lost_block_seconds = max(ended.lost_block_seconds, ended.killed_at - told_at)
            ended.lost_blocks += 1
        elif address in ended.told.blocks:
            answer = running.book(address)
            same = answer.status_code == 403 and answer.json()["until"] == end
            ended.expect("answers", same, f"{answer.status_code} {answer.text} for {address}")
    ended.expect("blocks", not ended.lost_blocks, f"{ended.lost_blocks} were told and are lost")


def judge_notices(ended: Round, ledger: Path) -> None:
    """Expect every block that holds to be told to its account, at the latest after a start."""

    def untold() -> int:
        left = read(ledger)
        texts = [f" {notice.body} " for notice in left.notices]
        holding = ended.told.blocks.keys() & left.blocked
        return sum(not any(f" {address} " in text for text in texts) for address in holding)

    if not came_true(lambda: not untold(), TELL_SECONDS):
        ended.untold_blocks = untold()
    lost = ended.untold_blocks
    ended.expect("notices of blocks", not lost, f"{lost} are missing")


def judge_case(ended: Round, running: Gateway, place: str) -> None:
    """Expect a case for a place above its limit: after the start, and surely with a booking."""

    def opened() -> bool:
        return {"location": place} in [case["scope"] for case in running.usage()["cases"]]

    used = running.used(PLACE, place)
    if used <= PLACE_AMOUNT or came_true(opened, CATCH_UP_SECONDS):
        return
    ended.late_cases = 1
    ended.expect("cases after a start", opened(), f"none for {used} at {place}")
    running.book(new_address(), place)
    ended.expect("cases", came_true(opened, TELL_SECONDS), f"none for {used} at {place}")
