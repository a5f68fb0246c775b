"""Logs: what happens to the service through structlog, each request as one JSON line.

A request's line is rendered and written by a thread of its own, a tenth of a second later: the
request's way does no formatting and never waits for a slow reader of the log.
"""

from __future__ import annotations

import json
import logging
import sys
import threading
from collections import deque
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TextIO

import structlog
from structlog.processors import ExceptionRenderer
from structlog.tracebacks import ExceptionDictTransformer

if TYPE_CHECKING:
    from collections.abc import Callable

FLUSH_SECONDS = 0.1
MAX_WAITING_LINES = 100_000
"""About 50 MB; beyond it lines are dropped and counted rather than the gateway growing."""
MAX_FIELD = 512


def configure(level: str = "info") -> None:
    """Send the service's log, and that of every library, to stderr as JSON lines."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        # Tracebacks go without local variables: those hold keys and cookies.
        ExceptionRenderer(ExceptionDictTransformer(show_locals=False)),
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(),
            ],
        )
    )
    logging.basicConfig(handlers=[handler], level=level.upper(), force=True)
    for chatty in ("httpcore", "httpx", "aiosqlite", "alembic", "watchfiles", "asyncio"):
        logging.getLogger(chatty).setLevel(logging.WARNING)


def logger(name: str) -> structlog.stdlib.BoundLogger:
    """Give the log of a part of the service."""
    log: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(name)
    return log


Line = dict[str, object]


class AccessLog:
    """Writes one JSON line a request, off the request's way."""

    def __init__(self, stream: TextIO | None) -> None:
        self._stream = stream
        self._waiting: deque[Callable[[], Line]] = deque()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="access-log", daemon=True)
        self.dropped = 0

    def start(self) -> None:
        """Begin to write."""
        if self._stream is not None:
            self._thread.start()

    def close(self) -> None:
        """Write what is waiting, and stop."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()

    def record(self, line: Callable[[], Line]) -> None:
        """Have a line written soon; `line` is called by the writer, in its thread."""
        if self._stream is None:
            return
        if len(self._waiting) < MAX_WAITING_LINES:
            self._waiting.append(line)
        else:
            self.dropped += 1

    def _run(self) -> None:
        stopped = False
        while not stopped:
            stopped = self._stop.wait(FLUSH_SECONDS)
            try:
                self._flush()
            except Exception as error:  # noqa: BLE001  a stream that fails must not end the log
                logger(__name__).error("request_log.failed", reason=repr(error))

    def _flush(self) -> None:
        lines = []
        while self._waiting:
            lines.append(_rendered(self._waiting.popleft()))
        if lines and self._stream is not None:
            self._stream.write("".join(lines))
            self._stream.flush()


def _rendered(line: Callable[[], Line]) -> str:
    try:
        return render(line())
    except Exception as error:  # noqa: BLE001  nor one line the others
        return render({"event": "request_log.failed", "reason": repr(error)})


def render(line: Line) -> str:
    """Render one line; whatever a client sent stays one line of printable ASCII (F-52)."""
    bounded = {
        name: value[:MAX_FIELD] if isinstance(value, str) else value
        for name, value in line.items()
        if value is not None
    }
    return json.dumps(bounded, separators=(",", ":")) + "\n"


def utc(moment: float) -> str:
    """Write a moment for a log: UTC, milliseconds."""
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="milliseconds")
