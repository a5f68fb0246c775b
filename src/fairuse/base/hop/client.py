"""Requests over the gateway's own connections.

No cookie jar, no redirects, no proxies from the environment, no decoding (HTTP-36): the bytes of
the request target and the fields go out as they came in, and nothing is remembered but connections.
"""

from __future__ import annotations

import asyncio
from itertools import count
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from fairuse.base.errors import UpstreamTimeout, UpstreamUnreachable
from fairuse.base.head import head_bytes
from fairuse.base.hop.connection import Unanswered, Unsent
from fairuse.base.hop.framing import Framing
from fairuse.base.hop.pool import Origin, Pool
from fairuse.base.wire import PORTS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fairuse.base.hop.connection import Body, Connection
    from fairuse.base.hop.reply import Reply
    from fairuse.base.hop.upstream import Request, Target
    from fairuse.base.wire import Headers

    Written = tuple[bytes, Body | None]
    """A request as it is sent: the bytes that are here, and the body that is still to come."""

DOWN_SECONDS = 5.0
"""How long an origin that can't be reached is asked last."""
MOST_ORIGINS = 64
"""With more pools than that, those are forgotten that nobody uses."""
REPEATABLE = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE"})
"""Methods that come to the same when a request arrives twice (RFC 9110 section 9.2.2)."""


class Client:
    """Pools of connections, one for each origin."""

    def __init__(self, max_connections: int) -> None:
        self._most = max_connections
        self._pools: dict[tuple[str, object], Pool] = {}
        self._down: dict[str, float] = {}
        self._turns = count()

    async def send(self, target: Target, request: Request) -> Reply:
        """Send a request and give the answer once its head is there. Raises UpstreamError.

        Several origins take turns; one that can't be reached leaves the request to the next.
        """
        written = _written(request)
        origins = target.origins
        if len(origins) > 1:
            origins = tuple(self._in_turn(origins))
        for origin in origins[:-1]:
            try:
                return await self._send_to(origin, target, request, written)
            except (UpstreamUnreachable, ConnectTimeout):
                self._down[origin] = asyncio.get_running_loop().time() + DOWN_SECONDS
        return await self._send_to(origins[-1], target, request, written)

    async def close(self) -> None:
        """Close every connection."""
        await asyncio.gather(*(pool.close() for pool in self._pools.values()))

    async def _send_to(
        self, origin: str, target: Target, request: Request, written: Written
    ) -> Reply:
        pool = self._pools.get((origin, target.tls)) or self._pool(origin, target)
        repeatable = written[1] is None and request.method in REPEATABLE
        while True:
            connection = pool.take() or await _opened(pool, target.timeouts.connect)
            sent_before, request.sent = request.sent, True
            try:
                return await _exchange(connection, target, request, written)
            except Unsent:
                request.sent = sent_before
                if not connection.used:
                    raise
            except Unanswered:
                # It was closed as the request was under way (RFC 9112 section 9.3.1): once more.
                if not connection.used or not repeatable:
                    raise
                repeatable = False
            pool.forget_idle()

    def _pool(self, origin: str, target: Target) -> Pool:
        if len(self._pools) >= MOST_ORIGINS:
            self._pools = {name: pool for name, pool in self._pools.items() if not pool.unused}
        parts = urlsplit(origin)
        port = parts.port or PORTS[parts.scheme]
        tls = target.tls if parts.scheme == "https" else None
        pool = Pool(Origin(parts.hostname or "", port, tls), self._most)
        self._pools[origin, target.tls] = pool
        return pool

    def _in_turn(self, origins: tuple[str, ...]) -> Iterator[str]:
        """Give the origins in the order to be tried: each first in its turn, those down last."""
        first = next(self._turns) % len(origins)
        turned = (*origins[first:], *origins[:first])
        now = asyncio.get_running_loop().time()
        up = [origin for origin in turned if self._down.get(origin, 0.0) <= now]
        yield from up
        yield from (origin for origin in turned if origin not in up)


class ConnectTimeout(UpstreamTimeout):
    """Connecting took too long, so nothing was sent."""


async def _opened(pool: Pool, seconds: float) -> Connection:
    try:
        return await pool.wait(seconds)
    except UpstreamTimeout as error:
        raise ConnectTimeout(str(error)) from None


def _written(request: Request) -> Written:
    headers, body = request.headers, request.body
    head = request_head(request.method, request.path, headers)
    if body is None:
        return head, None
    if isinstance(body, bytes):
        return head + Framing(headers).whole(body), None
    return head, (body, Framing(headers))


async def _exchange(
    connection: Connection, target: Target, request: Request, written: Written
) -> Reply:
    here, streamed = written
    reply = connection.begin(
        here, target.timeouts, head_only=request.method == "HEAD", streamed=streamed
    )
    try:
        await reply.head()
    except BaseException:
        await reply.close()
        raise
    return reply


def request_head(method: str, path: bytes, headers: Headers) -> bytes:
    """Write the head of a request. Raises ValueError where a field would break it (HTTP-37)."""
    return head_bytes(b"%b %b HTTP/1.1" % (method.encode(), path), headers)
