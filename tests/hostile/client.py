"""A client that sends bytes as it is told to, and takes nothing that is no strict HTTP/1.1."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

PATIENCE = 10
"""Seconds after which something is taken to hang; nothing that works comes near it."""

_LINE = re.compile(rb"HTTP/1\.1 ([1-5][0-9]{2}) [\t\x20-\x7e\x80-\xff]*")
_FIELD = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):([\t\x20-\x7e\x80-\xff]*)")
_SIZE = re.compile(rb"[0-9a-fA-F]+")


@dataclass(slots=True)
class Got:
    """An answer as it came; `whole` says whether it came to its end."""

    status: int
    fields: list[tuple[str, str]]
    body: bytes
    whole: bool

    def values(self, name: str) -> list[str]:
        """Give the values of a field, in their order."""
        return [value for key, value in self.fields if key == name.lower()]


class Client(asyncio.Protocol):
    """One connection to the gateway."""

    def __init__(self) -> None:
        self.received = b""
        self.gone = False
        self.reset = False
        self._news = asyncio.Event()
        self._transport: asyncio.Transport

    @classmethod
    async def connect(cls, port: int) -> Client:
        """Open a connection; asyncio turns Nagle off on it."""
        _, client = await asyncio.get_running_loop().create_connection(cls, "127.0.0.1", port)
        return client

    async def send(self, pieces: Iterable[tuple[bytes, int]]) -> None:
        """Send pieces one by one; whoever reads them has his turn in between."""
        for piece, turns in pieces:
            if self.gone:
                return
            self._transport.write(piece)
            await pause(turns)

    async def answers(self, wanted: int, *, head: bool = False) -> list[Got]:
        """Wait for so many whole answers, or for the end of the connection; give all there are."""
        async with asyncio.timeout(PATIENCE):
            while True:
                got = read_answers(self.received, head=head, gone=self.gone)
                if self.gone or sum(each.whole for each in got) >= wanted:
                    return got
                await self.news()

    async def news(self) -> None:
        """Wait until anything happens."""
        self._news.clear()
        await self._news.wait()

    async def ended(self) -> bool:
        """Wait until the gateway has closed the connection; False where it does not."""
        try:
            async with asyncio.timeout(PATIENCE):
                while not self.gone:
                    await self.news()
        except TimeoutError:
            return False
        return True

    def close(self) -> None:
        """Hang up."""
        self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = transport  # type: ignore[assignment]

    def data_received(self, data: bytes) -> None:
        """Keep what came."""
        self.received += data
        self._news.set()

    def connection_lost(self, exc: Exception | None) -> None:
        """Note that it is over."""
        self.gone = True
        self.reset = exc is not None
        self._news.set()


async def pause(turns: int) -> None:
    """Let everything else in this loop have so many turns."""
    for _ in range(turns):
        await asyncio.sleep(0)


def read_answers(data: bytes, *, head: bool, gone: bool) -> list[Got]:
    """Read the answers, the last of which may be cut short. Raises AssertionError at bad HTTP."""
    answers = []
    while b"\r\n\r\n" in data:
        top, data = data.split(b"\r\n\r\n", 1)
        line, *lines = top.split(b"\r\n")
        status = _LINE.fullmatch(line)
        assert status, line
        got = Got(int(status[1]), [_field(one) for one in lines], b"", whole=True)
        answers.append(got)
        data = _read_body(got, data, head=head, gone=gone)
    assert not data or not answers or not answers[-1].whole or not gone, f"leftover: {data!r}"
    return answers


def _field(line: bytes) -> tuple[str, str]:
    found = _FIELD.fullmatch(line)
    assert found, line
    return found[1].decode("latin-1").lower(), found[2].decode("latin-1").strip(" \t")


def _read_body(got: Got, data: bytes, *, head: bool, gone: bool) -> bytes:
    """Read the body of an answer, and give what comes after it."""
    lengths, codings = got.values("content-length"), got.values("transfer-encoding")
    bodiless = got.status < 200 or got.status in (204, 304)
    assert len(lengths) + len(codings) <= 1, got.fields
    assert not bodiless or not codings, got.fields
    assert not bodiless or not lengths, got.fields
    if bodiless or head:
        return data
    if codings:
        assert codings == ["chunked"]
        return _read_chunks(got, data)
    size = int(lengths[0]) if lengths else len(data)
    got.body, got.whole = data[:size], len(data) >= size if lengths else gone
    return data[size:]


def _read_chunks(got: Got, data: bytes) -> bytes:
    while b"\r\n" in data:
        size, rest = data.split(b"\r\n", 1)
        assert _SIZE.fullmatch(size), size
        length = int(size, 16)
        if length == 0 and b"\r\n" in rest:
            assert rest.startswith(b"\r\n"), rest
            return rest[2:]
        got.body += rest[:length]
        if length == 0 or len(rest) < length + 2:
            break
        assert rest[length : length + 2] == b"\r\n", rest
        data = rest[length + 2 :]
    got.whole = False
    return b""
