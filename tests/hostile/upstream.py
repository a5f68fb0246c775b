"""An upstream that keeps what it was sent, and answers plainly or as badly as it is told to."""

from __future__ import annotations

import asyncio
import re
import socket
import struct
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING, NamedTuple

from tests.hostile.client import pause

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

HOSTILE = "/hostile"
LONGEST = 2**20
AT_ONCE = struct.pack("ii", 1, 0)
"""A connection that lingers for no time is reset where it would be closed."""
_CHUNK = re.compile(rb"([0-9A-Fa-f]{1,8})\r\n")


class Script(NamedTuple):
    """What is answered at /hostile: the bytes, what happens after them, and when it begins."""

    pieces: Iterable[tuple[bytes, int]]
    then: str
    early: bool


@dataclass(slots=True)
class Seen:
    """A request as it came; `complete` says whether its body came to its end."""

    line: str
    fields: list[tuple[str, str]]
    connection: int
    alone: bool
    body: bytes = b""
    complete: bool = False

    def values(self, name: str) -> list[str]:
        """Give the values of a field, in their order."""
        return [value for key, value in self.fields if key.lower() == name.lower()]


class RecordingUpstream:
    """Listens from the start; serves once it has a loop."""

    def __init__(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self.listener.getsockname()[1]
        self.seen: list[Seen] = []
        self.faults: list[AssertionError] = []
        self.script: Script | None = None
        self.told = asyncio.Event()
        self.before_answering: Callable[[], Awaitable[None]] | None = None
        self._open = 0
        self._quiet = asyncio.Event()
        self._numbers = count()
        self._connections: dict[asyncio.Task[None], asyncio.StreamWriter] = {}
        self._server: asyncio.Server

    async def start(self) -> None:
        """Begin to serve."""
        self._server = await asyncio.start_server(self._serve, sock=self.listener, limit=LONGEST)

    async def close(self) -> None:
        """Close every connection."""
        self._server.close()
        for writer in self._connections.values():
            writer.transport.abort()
        await asyncio.gather(*self._connections)
        await self._server.wait_closed()

    async def quiet(self) -> None:
        """Wait until no request is under way."""
        while self._open:
            self._quiet.clear()
            await self._quiet.wait()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        self._connections[task] = writer
        number = next(self._numbers)
        try:
            with suppress(ConnectionError, asyncio.IncompleteReadError):
                while await self._one(number, reader, writer):
                    pass
        except AssertionError as error:
            self.faults.append(error)
        finally:
            writer.close()
            del self._connections[task]

    async def _one(
        self, number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bool:
        """Take one request; False where the connection ends with it."""
        head = await reader.readuntil(b"\r\n\r\n")
        line, *lines = head[:-4].decode("latin-1").split("\r\n")
        fields = [
            (name, value.strip(" \t")) for name, _, value in (s.partition(":") for s in lines)
        ]
        seen = Seen(line, fields, number, alone=not self._open)
        self.seen.append(seen)
        self._open += 1
        try:
            script = self.script if line.split(" ")[1].startswith(HOSTILE) else None
            if script is None or not script.early:
                await _read_body(seen, reader)
                seen.complete = True
            if script is None:
                return await self._answer_plainly(seen, writer)
            return await self._answer_badly(script, writer)
        finally:
            self._open -= 1
            self._quiet.set()

    async def _answer_plainly(self, seen: Seen, writer: asyncio.StreamWriter) -> bool:
        """Tell what was asked for, so that an answer to another request would be known."""
        if self.before_answering is not None:
            await self.before_answering()
        method, target, _ = seen.line.split(" ")
        body = target.encode("latin-1")
        # Where a hostile answer is tried, its connection is to be the only one to be kept.
        kept = b"close" if self.script else b"keep-alive"
        head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: %b\r\n\r\n"
        writer.write(head % (len(body), kept) + (b"" if method == "HEAD" else body))
        await writer.drain()
        return self.script is None

    async def _answer_badly(self, script: Script, writer: asyncio.StreamWriter) -> bool:
        try:
            for piece, turns in script.pieces:
                writer.write(piece)
                await writer.drain()
                await pause(turns)
            # What was written is read before the end is heard of.
            await pause(20)
            if script.then == "reset":
                connection: socket.socket = writer.get_extra_info("socket")
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, AT_ONCE)
        finally:
            self.told.set()
        return script.then == "open"


async def _read_body(seen: Seen, reader: asyncio.StreamReader) -> None:
    """Read a body. Raises AssertionError at two framings, IncompleteReadError at half a body."""
    lengths, codings = seen.values("content-length"), seen.values("transfer-encoding")
    assert len(lengths) + len(codings) <= 1, seen.fields
    if lengths:
        await _keep(seen, int(lengths[0]), reader)
    elif codings:
        assert codings == ["chunked"]
        while True:
            size = _CHUNK.fullmatch(await reader.readuntil(b"\n"))
            assert size
            if int(size[1], 16) == 0:
                break
            await _keep(seen, int(size[1], 16), reader)
            assert await reader.readexactly(2) == b"\r\n"
        while await reader.readuntil(b"\r\n") != b"\r\n":
            pass


async def _keep(seen: Seen, length: int, reader: asyncio.StreamReader) -> None:
    try:
        seen.body += await reader.readexactly(length)
    except asyncio.IncompleteReadError as error:
        seen.body += error.partial
        raise
