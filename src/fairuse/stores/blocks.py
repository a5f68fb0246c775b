"""The blocks in force, and the latest ones gone by, in memory; the ledger keeps them all."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from fairuse.rules.blocks import EVERY_ACCOUNT, FORGIVEN_AFTER, Block

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from fairuse.stores.journal import Journal


class Blocks:
    """Blocks by address bucket and account; `tell` hears of those that are new here."""

    def __init__(self, journal: Journal) -> None:
        self._latest: dict[tuple[str, str], Block] = {}
        self._journal = journal
        self._watching: dict[tuple[str, str], set[Callable[[Block], None]]] = {}
        self.tell: Callable[[Block], None] | None = None

    def running(self, address: str, account: str, moment: float) -> Block | None:
        """Give the block of an account at an address that holds now."""
        block = self._latest.get((address, account))
        return block if block is not None and block.runs_at(moment) else None

    def running_for_everybody(self, address: str, moment: float) -> Block | None:
        """Give the block of a whole address that holds now."""
        return self.running(address, EVERY_ACCOUNT, moment)

    def latest(self, address: str, account: str) -> Block | None:
        """Give the last block of an account at an address, or of the whole address."""
        return self._latest.get((address, account)) or self._latest.get((address, EVERY_ACCOUNT))

    def of_account(self, account: str, moment: float) -> list[Block]:
        """Give the blocks of an account that hold now, at whatever address."""
        return [
            block
            for block in self._latest.values()
            if block.account == account and block.runs_at(moment)
        ]

    def add(self, block: Block) -> None:
        """Put a block in force from the next request on."""
        self._journal.note_block(block)
        self._put_in_force(block)
        if self.tell is not None:
            self.tell(block)

    def hear(self, block: Block) -> None:
        """Put a block in force that another process decided on; the longer one holds."""
        known = self._latest.get((block.address, block.account))
        if known is None or block.ends_at > known.ends_at:
            self._put_in_force(block)

    @contextmanager
    def watched(
        self, address: str, account: str, blocked: Callable[[Block], None]
    ) -> Iterator[None]:
        """Have it heard of each block that an account at an address comes under meanwhile."""
        places = [(address, account), (address, EVERY_ACCOUNT)]
        for place in places:
            self._watching.setdefault(place, set()).add(blocked)
        try:
            yield
        finally:
            for place in places:
                self._watching[place].remove(blocked)
                if not self._watching[place]:
                    del self._watching[place]

    def _put_in_force(self, block: Block) -> None:
        self._latest[block.address, block.account] = block
        for blocked in tuple(self._watching.get((block.address, block.account), ())):
            blocked(block)

    def restore(self, blocks: Iterable[Block]) -> None:
        """Take up what the last process knew, oldest first (S15, A32)."""
        for block in blocks:
            self._latest[block.address, block.account] = block

    def sweep(self, moment: float) -> None:
        """Forget the blocks that are forgiven."""
        for key, block in list(self._latest.items()):
            if moment >= block.ends_at + FORGIVEN_AFTER:
                del self._latest[key]
