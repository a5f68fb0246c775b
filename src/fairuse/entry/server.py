"""The server in front: uvicorn with httptools and uvloop, told to trust nobody's headers."""

from __future__ import annotations

import signal
import socket
from typing import TYPE_CHECKING, NoReturn

import uvicorn

from fairuse.entry.gateway import Gateway
from fairuse.entry.protocol import HttpProtocol

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from fairuse.rules.settings import Settings

BACKLOG = 4_096
KEEPALIVE_SECONDS = 75


def listen(host: str, port: int) -> socket.socket:
    """Open the listening socket, so that a taken port is known before anything starts."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # The protocol is named because asyncio turns Nagle off only for sockets that say they are TCP.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError:
        listener.close()
        raise
    return listener


def address_of(listener: socket.socket) -> str:
    """Give a listening socket's address as a URL."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def serve(
    folder: Path, settings: Settings, listener: socket.socket, ready: Callable[[], None]
) -> bool:
    """Run the gateway until it is told to stop; False where it could not start.

    SIGTERM stops new work and lets requests in flight finish, for as long as `drain` says.
    """
    config = uvicorn.Config(
        Gateway(folder),
        http=HttpProtocol,
        loop="uvloop",
        ws="none",
        lifespan="on",
        proxy_headers=False,
        server_header=False,
        date_header=False,
        access_log=False,
        log_config=None,
        backlog=BACKLOG,
        timeout_keep_alive=KEEPALIVE_SECONDS,
        timeout_graceful_shutdown=settings.drain,
    )
    server = _Server(config, ready)
    # uvicorn raises the signal it stopped for again, once everything is down.
    for stop in (signal.SIGTERM, signal.SIGINT):
        signal.signal(stop, _stopped)
    try:
        server.run(sockets=[listener])
    except SystemExit:  # raised by uvicorn with a code of its own where the start fails
        if server.started:
            raise
    return server.started


def _stopped(_signal: int, _frame: object) -> NoReturn:
    """End as an orderly stop does."""
    raise SystemExit(0)


class _Server(uvicorn.Server):
    """Says when it is ready."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, and say so."""
        await super().startup(sockets)
        if self.started:
            self._ready()
