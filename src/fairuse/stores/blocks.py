"""The blocks in force, and the latest ones gone by, in memory; the ledger keeps them all."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fairuse.rules.blocks import EVERY_ACCOUNT, FORGIVEN_AFTER, Block

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from fairuse.stores.journal import Journal


class Blocks:
    """Blocks by address bucket and account; `tell` hears of those that are new here."""

    def __init__(self, journal: Journal) -> None:
        self._latest: dict[tuple[str, str], Block] = {}
        self._journal = journal
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
        self._latest[block.address, block.account] = block
        self._journal.note_block(block)
        if self.tell is not None:
            self.tell(block)

    def hear(self, block: Block) -> None:
        """Put a block in force that another process decided on; the longer one holds."""
        known = self._latest.get((block.address, block.account))
        if known is None or block.ends_at > known.ends_at:
            self._latest[block.address, block.account] = block

    def restore(self, blocks: Iterable[Block]) -> None:
        """Take up what the last process knew, oldest first (S15, A32)."""
        for block in blocks:
            self._latest[block.address, block.account] = block

    def sweep(self, moment: float) -> None:
        """Forget the blocks that are forgiven."""
        for key, block in list(self._latest.items()):
            if moment >= block.ends_at + FORGIVEN_AFTER:
                del self._latest[key]
