"""What one process tells all others at once: the blocks it puts in force.

A stream in the store, written at once and read twice a second: a block holds on every node within
a second. Who was not there to hear it finds it in the ledger, or at the beginning of the stream.
"""

from __future__ import annotations

import asyncio
import json
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING

from fairuse.base.errors import StoreError
from fairuse.base.log import logger
from fairuse.rules.blocks import Block

if TYPE_CHECKING:
    from fairuse.stores.blocks import Blocks
    from fairuse.stores.shared.channel import Channel

HEAR_SECONDS = 0.5
MOST_KEPT = 10_000

log = logger(__name__)


class News:
    """Tells the blocks of this process, and hears of those of the others."""

    def __init__(self, channel: Channel, namespace: str, blocks: Blocks) -> None:
        self._channel = channel
        self._stream = f"{namespace}:blocks"
        self._blocks = blocks
        self._heard = "-"
        self._untold: deque[Block] = deque(maxlen=MOST_KEPT)
        self._new = asyncio.Event()
        blocks.tell = self._tell

    async def run(self) -> None:
        """Tell and hear, again and again, until cancelled."""
        while True:
            try:
                await self.exchange()
            except StoreError:
                self._heard = "-"  # whoever comes back may have forgotten how far it was
            except Exception:  # what one process tells must not deafen the others
                log.exception("news.not_understood")
            with suppress(TimeoutError):
                async with asyncio.timeout(HEAR_SECONDS):
                    await self._new.wait()
            self._new.clear()

    def _tell(self, block: Block) -> None:
        self._untold.append(block)
        self._new.set()

    async def exchange(self) -> None:
        """Hear what is new, and tell what is untold. Raises StoreError."""
        for number, text in await self._channel.after(self._stream, self._heard):
            self._heard = number
            if text:
                self._blocks.hear(_block(text))
        while self._untold:
            block = self._untold[0]
            await self._channel.append(self._stream, _text(block), MOST_KEPT)
            if self._untold and self._untold[0] is block:
                self._untold.popleft()


def _text(block: Block) -> str:
    return json.dumps({name: getattr(block, name) for name in Block.__slots__})


def _block(text: str) -> Block:
    told = json.loads(text)
    return Block(**{name: told[name] for name in Block.__slots__})
