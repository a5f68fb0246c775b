"""Announcements: every account of a policy hears of its next version before it holds (D26)."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from fairuse.stages.announce import announce_to

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from fairuse.base.clock import Clock
    from fairuse.rules.terms import Terms
    from fairuse.rules.versions import Version
    from fairuse.stores.configuration import Configuration
    from fairuse.stores.ledger import Ledger

AT_ONCE = 200
"""Accounts that are looked up in the ledger together."""
MOST_TOLD = 1_000
"""Notices in one run, once a minute: to 100,000 accounts in under two hours."""


class Announcements:
    """Announces next versions. What was announced to everybody is not looked at again."""

    def __init__(self, clock: Clock, configuration: Configuration, ledger: Ledger) -> None:
        self._clock = clock
        self._configuration = configuration
        self._ledger = ledger
        self._done: tuple[Mapping[str, Terms], Mapping[str, Version]] | None = None

    async def run(self) -> None:
        """Tell those that were not told yet. Raises LedgerError."""
        accounts, versions = self._configuration.current.accounts, self._configuration.announced
        moment = self._clock.now().wall
        now = {name: each for name, each in versions.items() if each.may_be_announced(moment)}
        if not now or self._is_done(accounts, now):
            return
        left = MOST_TOLD
        for name, version in now.items():
            for some in _parts([each for each in accounts.values() if each.policy == name]):
                left -= await self._tell(some, version)
                if left <= 0:
                    return
        self._done = (accounts, now)

    def _is_done(self, accounts: Mapping[str, Terms], versions: Mapping[str, Version]) -> bool:
        return self._done is not None and self._done[0] is accounts and self._done[1] == versions

    async def _tell(self, accounts: list[Terms], version: Version) -> int:
        await asyncio.sleep(0)
        head = self._configuration.letterhead
        return await announce_to(accounts, version, head, self._ledger, self._clock.now())


def _parts(accounts: list[Terms]) -> Iterator[list[Terms]]:
    for start in range(0, len(accounts), AT_ONCE):
        yield accounts[start : start + AT_ONCE]
