"""The server in front: uvicorn with httptools and uvloop, told to trust nobody's headers."""

from __future__ import annotations

import gc
import multiprocessing
import os
import signal
import socket
import sys
import threading
from functools import partial
from typing import TYPE_CHECKING, NoReturn

import uvicorn
from uvicorn.lifespan.on import LifespanOn
from uvicorn.supervisors.multiprocess import Multiprocess

from fairuse.base import log
from fairuse.entry.exposition import exposed, forget_worker
from fairuse.entry.gateway import Gateway
from fairuse.entry.protocol import HttpProtocol, bounded
from fairuse.entry.websocket import WebSocketProtocol

if TYPE_CHECKING:
    from collections.abc import Callable
    from multiprocessing.process import BaseProcess
    from pathlib import Path

    from uvicorn.supervisors.multiprocess import Process

    from fairuse.rules.settings import Settings

BACKLOG = 4_096
COLLECT_AFTER = 20_000
"""Objects made and not gone yet, after which the garbage collector looks for cycles."""
WORKER_SECONDS = 10
"""A worker that gives no sign of life for so long is replaced."""


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
    folder: Path,
    settings: Settings,
    listener: socket.socket,
    ready: Callable[[], None],
    workers: int = 1,
) -> bool:
    """Run the gateway until it is told to stop; False where it could not start.

    SIGTERM stops new work and lets requests in flight finish, for as long as `drain` says. Where
    there are several workers, each is a process, and one that dies is replaced. Raises
    FairUseError where the listener of the metrics is taken.
    """
    config = _Config(folder, settings, workers)
    run = _supervise if workers > 1 else _run
    with exposed(settings.metrics, workers):
        return run(config, listener, ready)


def _run(config: _Config, listener: socket.socket, ready: Callable[[], None]) -> bool:
    server = _Server(config, ready)
    try:
        server.run(sockets=[listener])
    except SystemExit:  # raised by uvicorn with a code of its own where the start fails
        if server.started:
            raise
    return server.started


def _supervise(config: _Config, listener: socket.socket, ready: Callable[[], None]) -> bool:
    workers = _Workers(config, listener, ready)
    workers.run()
    return not workers.failed


class _Config(uvicorn.Config):
    """How every process serves; it is handed to a worker whole, so it makes the gateway there."""

    others_serve = False

    def __init__(self, folder: Path, settings: Settings, workers: int) -> None:
        self._settings = settings
        super().__init__(
            partial(Gateway, folder),
            factory=True,
            workers=workers,
            http=HttpProtocol,
            loop="uvloop",
            ws=WebSocketProtocol,
            lifespan="on",
            proxy_headers=False,
            server_header=False,
            date_header=False,
            access_log=False,
            log_config=None,
            backlog=BACKLOG,
            timeout_graceful_shutdown=settings.drain,
            timeout_worker_healthcheck=WORKER_SECONDS,
        )

    def configure_logging(self) -> None:
        """Set a process up; it is what uvicorn calls first in each."""
        super().configure_logging()
        log.configure(self._settings.log.level)
        # uvicorn raises the signal it stopped for again, once everything is down.
        for stop in (signal.SIGTERM, signal.SIGINT):
            signal.signal(stop, _stopped)
        if parent := multiprocessing.parent_process():
            threading.Thread(target=_end_with, args=(parent,), daemon=True).start()

    def load(self) -> None:
        """Make the gateway."""
        super().load()
        self.http_protocol_class = bounded(self._settings)
        if self.others_serve:
            self.lifespan_class = _TriedAgain


def _stopped(_signal: int, _frame: object) -> NoReturn:
    """End as an orderly stop does."""
    raise SystemExit(0)


def _end_with(parent: BaseProcess) -> None:
    """Stop when the supervisor is gone, or its port and ledger would stay taken."""
    parent.join()
    os.kill(os.getpid(), signal.SIGTERM)


class _Server(uvicorn.Server):
    """Says when it is ready."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, and say so."""
        await super().startup(sockets)
        if self.started:
            _settle_down()
            self._ready()


def _settle_down() -> None:
    """Have the garbage collector leave alone what stays until the end, and look less often.

    A request makes some hundred objects that go with it; what it collects are the few cycles.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(COLLECT_AFTER)


class _TriedAgain(LifespanOn):
    """Ends a worker that can't start so that it is tried again, and those that serve go on."""

    async def startup(self) -> None:
        """Start, or end with a code that doesn't make uvicorn stop all workers."""
        await super().startup()
        if self.should_exit:
            sys.exit(1)


class _Workers(Multiprocess):
    """Says when all workers are ready, and gives up where they can't start."""

    config: _Config

    def __init__(self, config: _Config, listener: socket.socket, ready: Callable[[], None]) -> None:
        super().__init__(config, [listener])
        self._ready: Callable[[], None] | None = ready
        self.failed = False

    def keep_subprocess_alive(self) -> None:
        """Wait until all workers serve; from then on replace those that die."""
        if self.should_exit.is_set():
            return
        for worker in self.processes:
            # With the worker's end open here too, its death would leave a ping to time out.
            worker.child_conn.close()
            if not worker.process.is_alive() and worker.process.pid is not None:
                forget_worker(worker.process.pid)
        if self._ready:
            self._await_start(self._ready)
        else:
            self.config.others_serve = any(map(_serves, self.processes))
            super().keep_subprocess_alive()
        # Only a worker that can't start makes an end of it here; signals are handled elsewhere.
        self.failed = self.should_exit.is_set()

    def _await_start(self, ready: Callable[[], None]) -> None:
        if all(map(_serves, self.processes)):
            self._ready = None
            ready()
        elif not all(worker.process.is_alive() for worker in self.processes):
            log.logger(__name__).error("workers.failed", workers=self.processes_num)
            self.should_exit.set()

    def terminate_all(self) -> None:
        """Stop all workers; whoever connects from now on is refused rather than left waiting."""
        for listener in self.sockets:
            listener.close()
        super().terminate_all()


def _serves(worker: Process) -> bool:
    return worker.process.is_alive() and worker.is_ready(WORKER_SECONDS)
