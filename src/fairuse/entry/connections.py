"""How many connections are open, in all and from one address (F-13)."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from fairuse.base.address import AddressResolver, parse_network
from fairuse.base.log import logger

if TYPE_CHECKING:
    from fairuse.rules.settings import Settings

log = logger(__name__)


class Connections:
    """Counts the open connections of a server."""

    def __init__(self, settings: Settings) -> None:
        self._max = settings.server.max_connections
        self._max_per_address = settings.server.max_connections_per_address
        addresses = settings.addresses
        proxies = [parse_network(text) for text in addresses.trusted_proxies]
        self._resolver = AddressResolver(proxies, addresses.header)
        self._open = 0
        self._by_address: Counter[str] = Counter()
        self._full = False

    def enter(self, peer: str | None) -> bool:
        """Let a connection in, or say that there are too many."""
        bucket = self._bucket(peer)
        if self._open >= self._max:
            if not self._full:
                log.warning("connections.full", open=self._open)
            self._full = True
            return False
        if bucket is not None:
            if self._by_address[bucket] >= self._max_per_address:
                log.debug("connections.too_many_of_address", address=bucket)
                return False
            self._by_address[bucket] += 1
        self._open += 1
        return True

    def leave(self, peer: str | None) -> None:
        """Note that a connection that was let in is gone."""
        self._open -= 1
        # Said again only when it was far from full meanwhile, and not for each that comes and goes.
        self._full = self._full and self._open > self._max // 2
        bucket = self._bucket(peer)
        if bucket is not None:
            self._by_address[bucket] -= 1
            if not self._by_address[bucket]:
                del self._by_address[bucket]

    def _bucket(self, peer: str | None) -> str | None:
        """Give what a peer is counted as; a proxy of ours is everybody."""
        if peer is None or self._resolver.trusts(peer):
            return None
        return self._resolver.resolve(peer, ()).bucket
