"""A large body passes through the gateway without being held there (HTTP-32).

`FAIRUSE_LARGE_MIB` says how large, to try more than every run can afford.
"""

from __future__ import annotations

import asyncio
import os
import re
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.base.hop.support import Line
from tests.base.hop.support import serving as origin
from tests.support import SALON, serving, write_config

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(
        not Path("/proc/self/status").exists(), reason="the peak is read from /proc"
    ),
]

MIB = 1 << 20
LARGE = int(os.environ.get("FAIRUSE_LARGE_MIB", "256")) * MIB
MOST_GROWTH = 48 * MIB
PIECE = bytes(range(256)) * 1_024
OK = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n"


async def _skip(reader: asyncio.StreamReader, size: int) -> None:
    """Read so many bytes, and forget them."""
    while size:
        piece = await reader.read(min(size, len(PIECE)))
        assert piece
        size -= len(piece)


async def _fill(writer: asyncio.StreamWriter, size: int) -> None:
    """Write so many bytes, as fast as they are taken."""
    while size:
        piece = PIECE[:size]
        writer.write(piece)
        await writer.drain()
        size -= len(piece)


async def _head(reader: asyncio.StreamReader) -> tuple[bytes, int]:
    """Read a head; give its first line and the length of the body."""
    head = await reader.readuntil(b"\r\n\r\n")
    length = re.search(rb"(?i)content-length: (\d+)", head)
    return head.partition(b"\r\n")[0], int(length[1]) if length else 0


async def _answer(line: Line) -> None:
    """Take whatever is uploaded; answer with as many bytes as the path says."""
    while True:
        first, length = await _head(line.reader)
        await _skip(line.reader, length)
        size = int(first.split()[1].rpartition(b"/")[2])
        line.writer.write(OK % size)
        await _fill(line.writer, size)


class Gateway:
    """A connection to a gateway in a process of its own."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, pid: int
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._status = Path(f"/proc/{pid}/status")

    async def ask(self, up: int, down: int) -> None:
        """Send so many bytes and get so many back."""
        head = f"POST /pages/{down} HTTP/1.1\r\nHost: a\r\nX-API-Key: {SALON}\r\n"
        self._writer.write(f"{head}Content-Length: {up}\r\n\r\n".encode())
        await _fill(self._writer, up)
        line, length = await _head(self._reader)
        assert line == b"HTTP/1.1 200 OK"
        assert length == down
        await _skip(self._reader, length)

    def peak(self) -> int:
        """Give the most bytes of memory that the process ever held."""
        found = re.search(r"VmHWM:\s+(\d+) kB", self._status.read_text())
        assert found
        return int(found[1]) * 1_024


@asynccontextmanager
async def _gateway(folder: Path) -> AsyncIterator[Gateway]:
    """Run a gateway before the upstream, and connect to it."""
    async with origin(_answer) as upstream:
        config = write_config(folder, upstream=upstream.url)
        with serving(config) as served:
            port = int(served.url.rpartition(":")[2])
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            yield Gateway(reader, writer, served.process.pid)
            writer.close()
            await writer.wait_closed()


@pytest.mark.parametrize(("up", "down"), [(LARGE, 0), (0, LARGE)], ids=["upload", "download"])
async def test_a_large_body_is_not_held(tmp_path: Path, up: int, down: int) -> None:
    """HTTP-32, HTTP-33: what it takes to pass a body on doesn't grow with the body."""
    async with _gateway(tmp_path) as gateway:
        await gateway.ask(MIB if up else 0, MIB if down else 0)
        before = gateway.peak()
        await gateway.ask(up, down)
        assert gateway.peak() - before < MOST_GROWTH
