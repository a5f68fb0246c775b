"""Blocks: timed refusals of an address, or of one account at an address.

Never of an account (P3), and never without an end (P6). A block is as long as its rule says,
and twice as long each time it comes back within a day of the last one's end.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fairuse.base.address import Address
    from fairuse.rules.policy import Then

FORGIVEN_AFTER = 86_400
"""Seconds without a block after which the next one is short again."""

EVERY_ACCOUNT = ""
"""In a block's account: the address is blocked for everybody."""


@dataclass(frozen=True, slots=True)
class Block:
    """A block: `address` is a bucket, `account` one account or EVERY_ACCOUNT; times are wall."""

    address: str
    account: str
    rule: str
    starts_at: float
    ends_at: float
    repetition: int

    def runs_at(self, moment: float) -> bool:
        """Say whether the block holds at a moment."""
        return self.starts_at <= moment < self.ends_at


def next_block(
    then: Then, rule: str, address: Address, account: str, earlier: Block | None, moment: float
) -> Block:
    """Give the block that follows, longer than an earlier one that is not yet forgiven.

    A local address is never blocked for every account (P9).
    """
    repetition = 0
    if earlier is not None and moment < earlier.ends_at + FORGIVEN_AFTER:
        repetition = earlier.repetition + 1
    length = min(then.for_ * 2 ** min(repetition, 32), then.at_most)
    everybody = then.block == "address" and not address.local
    blocked = EVERY_ACCOUNT if everybody else account
    return Block(address.bucket, blocked, rule, moment, moment + length, repetition)
