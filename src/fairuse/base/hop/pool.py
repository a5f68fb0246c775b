"""Connections to one origin: the latest used first, never more than so many (HTTP-34).

Whoever asks waits for a connection, not for one of its own: a connection that comes free goes to
who has waited longest, and one whose requester has gone to the next. Nothing is lost where somebody
stops waiting.
"""

from __future__ import annotations

import asyncio
import math
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from fairuse.base.errors import (
    GatewayStopping,
    UpstreamBusy,
    UpstreamError,
    UpstreamTimeout,
    UpstreamUnreachable,
)
from fairuse.base.hop.connection import Connection
from fairuse.base.hop.turn import Turn
from fairuse.base.hop.upstream import KEEPALIVE_SECONDS, WAIT_SECONDS

if TYPE_CHECKING:
    from ssl import SSLContext


class Origin(NamedTuple):
    """Where connections go; with TLS where there is a context for it."""

    host: str
    port: int
    tls: SSLContext | None = None


class Pool:
    """The connections to one origin."""

    def __init__(self, origin: Origin, most: int) -> None:
        self._origin = origin
        self._most = most
        self._open: set[Connection] = set()
        self._idle: list[Connection] = []
        self._waiting: deque[asyncio.Future[Connection]] = deque()
        self._connecting: set[asyncio.Task[None]] = set()
        self._connect_seconds = math.inf
        self._turn: Turn | None = None
        self._closed = False

    def __repr__(self) -> str:
        busy = len(self._open) - len(self._idle)
        waiting = sum(not each.done() for each in self._waiting)
        return (
            f"<Pool {self._origin.host}:{self._origin.port}: {busy} busy, {len(self._idle)} idle,"
            f" {len(self._connecting)} connecting, {waiting} waiting>"
        )

    @property
    def unused(self) -> bool:
        """Say whether nothing is open or asked for."""
        return not (self._open or self._connecting or self._waiting)

    def take(self) -> Connection | None:
        """Give an idle connection, if there is one."""
        while self._idle:
            connection = self._idle.pop()
            if not connection.closed:
                return connection
        return None

    async def wait(self, connect_seconds: float) -> Connection:
        """Give a connection, opened anew if need be. Raises UpstreamError."""
        if self._closed:
            raise GatewayStopping("its connections are closed")
        self._connect_seconds = connect_seconds
        waiter: asyncio.Future[Connection] = asyncio.get_running_loop().create_future()
        self._waiting.append(waiter)
        seconds = WAIT_SECONDS + (connect_seconds if self._connect() else 0.0)
        try:
            async with _timeout(seconds):
                return await waiter
        except BaseException as error:
            with suppress(ValueError):
                self._waiting.remove(waiter)
            if waiter.done() and not waiter.cancelled() and waiter.exception() is None:
                self.release(waiter.result())
            if isinstance(error, TimeoutError):
                raise UpstreamBusy("no connection came free") from None
            raise

    def forget_idle(self) -> None:
        """Close what is idle: where one connection was stale, the others most likely are."""
        idle, self._idle = self._idle, []
        for connection in idle:
            connection.abort()

    def release(self, connection: Connection) -> None:
        """Take back a connection that can carry another exchange."""
        if connection.closed or self._closed:
            connection.abort()
            return
        connection.keep_for(KEEPALIVE_SECONDS)
        if not self._give(connection):
            self._idle.append(connection)

    def lost(self, connection: Connection) -> None:
        """Hear that a connection is closed; who waits gets another."""
        self._open.discard(connection)
        if connection in self._idle:
            self._idle.remove(connection)
        self._connect_for_who_waits()

    async def close(self) -> None:
        """Close every connection, and let nobody wait for one."""
        self._closed = True
        while self._next() is not None:
            self._refuse(GatewayStopping("its connections are closed"))
        for task in self._connecting:
            task.cancel()
        for connection in [*self._open]:
            connection.abort()
        await asyncio.gather(*self._connecting, return_exceptions=True)

    def _give(self, connection: Connection) -> bool:
        """Give a connection to who has waited longest; False where nobody waits."""
        waiter = self._next()
        if waiter is None:
            return False
        self._waiting.popleft()
        waiter.set_result(connection)
        return True

    def _next(self) -> asyncio.Future[Connection] | None:
        """Find who has waited longest."""
        while self._waiting and self._waiting[0].done():
            self._waiting.popleft()
        return self._waiting[0] if self._waiting else None

    def _connect(self) -> bool:
        """Open one more connection; False where there may not be one more."""
        if self._closed or len(self._open) + len(self._connecting) >= self._most:
            return False
        task = asyncio.create_task(self._connected())
        self._connecting.add(task)
        task.add_done_callback(self._over)
        return True

    def _over(self, task: asyncio.Task[None]) -> None:
        """Note that connecting is over; where it failed, others may still wait."""
        self._connecting.discard(task)
        self._connect_for_who_waits()

    def _connect_for_who_waits(self) -> None:
        if self._next() is not None and len(self._waiting) > len(self._connecting):
            self._connect()

    async def _connected(self) -> None:
        """Open a connection for whoever waits by then; or tell who has waited longest why not."""
        origin = self._origin
        loop = asyncio.get_running_loop()
        if self._turn is None or self._turn.loop is not loop:
            self._turn = Turn(loop)
        turn = self._turn
        try:
            async with _timeout(self._connect_seconds):
                _, connection = await loop.create_connection(
                    lambda: Connection(self, turn),
                    origin.host,
                    origin.port,
                    ssl=origin.tls,
                    server_hostname=origin.host if origin.tls else None,
                )
        except Exception as error:  # noqa: BLE001  a name may be too odd even to be looked up
            self._refuse(_named(error))
            return
        if connection.closed:
            self._refuse(UpstreamUnreachable("closed as it was opened"))
            return
        self._open.add(connection)
        if self._closed:
            connection.abort()
        elif not self._give(connection):
            connection.keep_for(KEEPALIVE_SECONDS)
            self._idle.append(connection)

    def _refuse(self, error: UpstreamError) -> None:
        waiter = self._next()
        if waiter is not None:
            self._waiting.popleft()
            waiter.set_exception(error)


def _timeout(seconds: float) -> asyncio.Timeout:
    return asyncio.timeout(None if math.isinf(seconds) else seconds)


def _named(error: Exception) -> UpstreamError:
    if isinstance(error, TimeoutError):
        return UpstreamTimeout("connecting took too long")
    return UpstreamUnreachable(str(error) or type(error).__name__)
