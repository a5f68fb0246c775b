"""A TCP proxy that breaks connections in the ways a network and a server do."""

from __future__ import annotations

import asyncio
import socket
import struct
import threading
from contextlib import suppress
from typing import Literal

Mode = Literal["pass", "refuse", "reset", "blackhole", "late", "slice", "garbage"]

GARBAGE = b"\x00\xff!garbage\r\n"
"""What no Redis client can read."""

CHUNK = 65_536
PATIENCE = 20.0


class FaultProxy:
    """A proxy in a thread, in front of a server that may be down or not exist.

    The mode says what happens to the bytes that pass, on connections that are open too:

    - `pass`: nothing;
    - `refuse`: connections are reset, and new ones refused;
    - `reset`: the next bytes, either way, reset the connection;
    - `blackhole`: connections are accepted, and bytes read and lost, either way;
    - `late`: every answer waits for `delay` seconds;
    - `slice`: every answer is written byte by byte;
    - `garbage`: the answers are garbage, and the server is told nothing.

    An answer that is on its way when the mode changes follows the new one.
    """

    def __init__(self, port: int, host: str = "127.0.0.1", *, delay: float = 0.0) -> None:
        self.server = (host, port)
        self.delay = delay
        self.port = 0
        self.connections = 0
        """How many connections have been accepted so far."""
        self._mode: Mode = "pass"
        self._links: set[_Link] = set()
        self._serving: set[asyncio.Task[None]] = set()
        self._listens = False
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()))

    @property
    def mode(self) -> Mode:
        """Give what happens to the bytes."""
        return self._mode

    @mode.setter
    def mode(self, mode: Mode) -> None:
        """Change what happens to the bytes; it has changed when this returns."""
        asyncio.run_coroutine_threadsafe(self._switch(mode), self._loop).result(PATIENCE)

    @property
    def open_connections(self) -> int:
        """Give how many connections are open now."""
        return len(self._links)

    def __enter__(self) -> FaultProxy:
        self._socket = _bind(0)
        self.port = self._socket.getsockname()[1]
        self._thread.start()
        assert self._ready.wait(PATIENCE)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive()

    async def _run(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._over = asyncio.Event()
        self._changed = asyncio.Event()
        await self._switch("pass")
        self._ready.set()
        await self._over.wait()
        await self._switch("refuse")
        self._socket.close()

    async def _switch(self, mode: Mode) -> None:
        self._mode = mode
        self._changed.set()
        self._changed = asyncio.Event()
        if mode != "refuse":
            self._listen()
        elif self._listens:
            await self._refuse()

    def _listen(self) -> None:
        # asyncio.Server loses a connection that is accepted as it closes: it stays open, unheard.
        if not self._listens:
            self._socket.listen()
            self._loop.add_reader(self._socket, self._accept)
            self._listens = True

    async def _refuse(self) -> None:
        self._loop.remove_reader(self._socket)
        self._socket.close()
        # A socket that is bound and does not listen refuses, and keeps the port from others.
        self._socket = _bind(self.port)
        self._listens = False
        for link in self._links:
            link.reset()
        if self._serving:
            await asyncio.wait(self._serving)

    def _accept(self) -> None:
        with suppress(BlockingIOError):  # the client thought better of it
            client, _ = self._socket.accept()
            client.setblocking(False)
            self.connections += 1
            task = self._loop.create_task(self._serve(client))
            self._serving.add(task)
            task.add_done_callback(self._serving.discard)

    async def _serve(self, client: socket.socket) -> None:
        link = _Link(self, *await asyncio.open_connection(sock=client))
        self._links.add(link)
        try:
            await link.run()
        finally:
            self._links.remove(link)

    async def changes(self, seconds: float | None) -> bool:
        """Tell whether the mode changes within some seconds."""
        try:
            await asyncio.wait_for(self._changed.wait(), seconds)
        except TimeoutError:
            return False
        return True


class _Link:
    """One client's connection, and the proxy's own to the server for it."""

    def __init__(
        self, proxy: FaultProxy, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.proxy = proxy
        self.reader = reader
        self.writer = writer
        self.server: asyncio.StreamWriter | None = None
        self.connected = asyncio.Event()
        self.answers: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()
        self.tasks: list[asyncio.Task[None]] = []

    async def run(self) -> None:
        """Pass bytes on until one end is through."""
        if self.proxy.mode == "refuse":  # since the connection was accepted
            self.reset()
            await self._close()
            return
        hear, take, give = (self._hear(), self._take(), self._give())
        self.tasks = [asyncio.create_task(work) for work in (hear, take, give)]
        await asyncio.wait(self.tasks[1:], return_when=asyncio.FIRST_COMPLETED)
        for task in self.tasks:
            task.cancel()
        for outcome in await asyncio.gather(*self.tasks, return_exceptions=True):
            if isinstance(outcome, Exception) and not isinstance(outcome, OSError):
                raise outcome
        await self._close()

    def reset(self) -> None:
        """Reset both connections, so that an end that reads or writes hears of it."""
        for writer in filter(None, (self.writer, self.server)):
            with suppress(OSError):  # it is closed already
                linger = struct.pack("ii", 1, 0)
                writer.get_extra_info("socket").setsockopt(
                    socket.SOL_SOCKET, socket.SO_LINGER, linger
                )
            writer.transport.abort()
        for task in self.tasks:
            task.cancel()

    async def _close(self) -> None:
        for writer in filter(None, (self.writer, self.server)):
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()

    async def _hear(self) -> None:
        """Queue what the server answers, and at its end nothing."""
        with suppress(OSError):
            reader, self.server = await asyncio.open_connection(*self.proxy.server)
            self.connected.set()
            while answer := await reader.read(CHUNK):
                self._queue(answer)
        self._queue(b"")

    def _queue(self, answer: bytes) -> None:
        self.answers.put_nowait((self.proxy.delay + asyncio.get_running_loop().time(), answer))

    async def _take(self) -> None:
        """Pass on what the client asks."""
        while asked := await self.reader.read(CHUNK):
            if self.proxy.mode == "reset":
                self.reset()
            elif self.proxy.mode == "garbage":
                self.writer.write(GARBAGE)
            elif self.proxy.mode != "blackhole":
                await self.connected.wait()
                assert self.server is not None
                self.server.write(asked)
                await self.server.drain()

    async def _give(self) -> None:
        """Pass on what the server answered, until it ends where the client may hear of that."""
        while True:
            due, left = await self.answers.get()
            if not left:
                break
            while left:
                left = await self._answer(due, left)
        while self.proxy.mode in {"reset", "blackhole", "garbage"}:
            await self.proxy.changes(None)

    async def _answer(self, due: float, answer: bytes) -> bytes:
        """Write an answer, or the first of it, and give what is left."""
        mode = self.proxy.mode
        if mode == "reset":
            self.reset()
        if mode in {"reset", "blackhole"}:
            return b""
        if mode == "late":
            wait = due - asyncio.get_running_loop().time()
            if await self.proxy.changes(wait):
                return answer
        sent = {"slice": answer[:1], "garbage": GARBAGE}.get(mode, answer)
        self.writer.write(sent)
        await self.writer.drain()
        await asyncio.sleep(0)  # so that a byte is gone before the next is written
        return answer[1:] if mode == "slice" else b""


def _bind(port: int) -> socket.socket:
    # asyncio turns Nagle off only for sockets that say they are TCP.
    bound = socket.socket(proto=socket.IPPROTO_TCP)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    bound.setblocking(False)
    bound.bind(("127.0.0.1", port))
    return bound
