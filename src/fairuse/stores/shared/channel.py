"""The connection to Redis or Valkey: one script call at a time, never told twice by itself."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from hashlib import sha1
from importlib.resources import files
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from fairuse.base.errors import StoreError, StoreMisconfigured

try:
    from redis.asyncio import Redis, RedisCluster
    from redis.asyncio.retry import Retry
    from redis.backoff import NoBackoff
    from redis.exceptions import (
        AuthenticationError,
        NoScriptError,
        RedisError,
        ResponseError,
    )
except ImportError:  # an extra, which only those need who count together
    INSTALLED = False
else:
    INSTALLED = True
    # uvloop says RuntimeError where a connection was closed under a command.
    _FAULTS = (RedisError, OSError, TimeoutError, RuntimeError)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

ANSWER_SECONDS = 1.0
"""How long an answer may take before the connection is given up."""
SERVER_TIME = """
local function server_time()
    local time = redis.call('TIME')
    return tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
end
"""
"""The store's time is the only time: no node's clock is ever sent (F-32)."""


class Script:
    """A script, and the name the server knows it by."""

    def __init__(self, name: str, time: str = SERVER_TIME) -> None:
        self.text = time + files(__package__).joinpath(name).read_text()
        self.sha = sha1(self.text.encode(), usedforsecurity=False).hexdigest()
        self.known = False


class Channel:
    """Calls scripts. One connection is in use at a time for each call that is under way."""

    def __init__(self, url: str, time: str = SERVER_TIME) -> None:
        if not INSTALLED:
            raise StoreError('counters in Redis need a package: pip install "fairuse[redis]"')
        self._url = url
        self.tell = Script("tell.lua", time)
        self.read = Script("read.lua", time)
        self._client: Redis | RedisCluster | None = None
        self.calls = 0

    @property
    def place(self) -> str:
        """Give the store's address, without the password."""
        parts = urlsplit(self._url)
        where = parts.hostname or ""
        port = f":{parts.port}" if parts.port else ""
        return f"{parts.scheme}://{where}{port}{parts.path}"

    @property
    def connected(self) -> bool:
        """Say whether there is a client to ask with."""
        return self._client is not None

    @property
    def clustered(self) -> bool:
        """Say whether the keys of several accounts can't be in one call."""
        return isinstance(self._client, RedisCluster)

    async def connect(self) -> None:
        """Connect, and find out whether it is a cluster.

        Raises StoreError where it does not answer, StoreMisconfigured where it lets nobody in.
        """
        await self.close()
        options: dict[str, Any] = {
            # redis-py would wait so that a cancellation can be lost; each call has a timeout here.
            "socket_timeout": None,
            "socket_connect_timeout": ANSWER_SECONDS,
            "retry": Retry(NoBackoff(), 0),  # a charge that is told twice would count twice
        }
        try:
            client = Redis.from_url(self._url, **options)
        except (TypeError, ValueError) as error:
            raise StoreMisconfigured(f"the counter store {self.place} has a wrong URL") from error
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                about = await client.info("cluster")
        except _FAULTS as error:
            await client.aclose()
            wrong = isinstance(error, AuthenticationError | ResponseError)
            kind = StoreMisconfigured if wrong else StoreError
            raise kind(f"the counter store {self.place} {_reason(error)}") from error
        except BaseException:
            await client.aclose()
            raise
        if about.get("cluster_enabled"):
            await client.aclose()
            self._client = RedisCluster.from_url(self._url, socket_timeout=None)
        else:
            self._client = client

    async def close(self) -> None:
        """Let go of the connections."""
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    async def call(self, script: Script, keys: Sequence[str], args: Sequence[int | str]) -> Any:
        """Call a script. Raises StoreError; then nobody knows whether it was run."""
        self.calls += 1
        async with self._answering() as client:
            if not script.known:
                return await self._first(client, script, keys, args)
            try:
                return await client.evalsha(script.sha, len(keys), *keys, *args)
            except NoScriptError:  # the server was restarted or told to forget scripts
                return await self._first(client, script, keys, args)

    async def names(self, index: str) -> list[str]:
        """Give the keys of an account's tallies. Raises StoreError."""
        async with self._answering() as client:
            keys = await client.zrange(index, 0, -1)
        return [key.decode() for key in keys if isinstance(key, bytes)]

    async def members(self, name: str) -> list[str]:
        """Give who is in a set. Raises StoreError."""
        async with self._answering() as client:
            found: Any = await client.smembers(name)
        return sorted(member.decode() for member in found)

    async def append(self, stream: str, text: str, most: int) -> None:
        """Put something at the end of a stream. Raises StoreError."""
        async with self._answering() as client:
            await client.xadd(stream, {"text": text}, maxlen=most)

    async def after(self, stream: str, number: str) -> list[tuple[str, str]]:
        """Give what a stream has after a number, "-" for all of it. Raises StoreError."""
        first = number if number == "-" else f"({number}"
        async with self._answering() as client:
            entries: Any = await client.xrange(stream, first, "+")
        told = ((number.decode(), fields.get(b"text", b"")) for number, fields in entries)
        return [(number, text.decode()) for number, text in told]

    @asynccontextmanager
    async def _answering(self) -> AsyncIterator[Redis | RedisCluster]:
        """Give the store so long to answer, and say of whatever goes wrong that it is the store."""
        client = self._connected()
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                yield client
        except _FAULTS as error:
            raise StoreError(f"the counter store {self.place} {_reason(error)}") from error

    def _connected(self) -> Redis | RedisCluster:
        if self._client is None:
            raise StoreError(f"the counter store {self.place} is not connected")
        return self._client

    @staticmethod
    async def _first(
        client: Redis | RedisCluster, script: Script, keys: Sequence[str], args: Sequence[int | str]
    ) -> Any:
        """Send the whole script, which the server remembers."""
        answer = await client.eval(script.text, len(keys), *keys, *args)
        script.known = True
        return answer


def _reason(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "does not answer"
    return f"can't be used: {error}"
