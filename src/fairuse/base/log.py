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
from typing import TYPE_CHECKING, NamedTuple, TextIO

import structlog
from structlog.processors import ExceptionRenderer, JSONRenderer
from structlog.stdlib import ProcessorFormatter
from structlog.tracebacks import ExceptionDictTransformer

if TYPE_CHECKING:
    from structlog.typing import Processor

FLUSH_SECONDS = 0.1
CLOSE_SECONDS = 2.0
MAX_WAITING_LINES = 100_000
"""About 100 MB; beyond it lines are dropped and counted rather than the gateway growing."""
LINES_AT_ONCE = 50
"""More would keep requests waiting while they are rendered: writing them lets requests go on."""
MAX_FIELD = 512

_CHATTY = (
    *("aiosqlite", "alembic", "apprise", "asyncio", "httpcore", "httpx", "oauthlib"),
    *("requests_oauthlib", "urllib3", "watchfiles"),
)

_as_json = json.JSONEncoder(separators=(",", ":")).encode

_SHARED: list[Processor] = [
    structlog.stdlib.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    # Tracebacks go without local variables: those hold keys and cookies.
    ExceptionRenderer(ExceptionDictTransformer(show_locals=False)),
]


def configure(level: str = "info") -> None:
    """Send the service's log, and that of every library, to stderr as JSON lines."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        ProcessorFormatter(
            foreign_pre_chain=_SHARED,
            processors=[ProcessorFormatter.remove_processors_meta, JSONRenderer()],
        )
    )
    logging.basicConfig(handlers=[handler], level=level.upper(), force=True)
    for chatty in _CHATTY:
        logging.getLogger(chatty).setLevel(logging.WARNING)


def logger(name: str) -> structlog.stdlib.BoundLogger:
    """Give the log of a part of the service.

    It goes through the standard library's logging, so that an app that mounts the middleware
    decides where it ends up.
    """
    log: structlog.stdlib.BoundLogger = structlog.wrap_logger(
        logging.getLogger(name),
        processors=[
            structlog.stdlib.filter_by_level,
            *_SHARED,
            ProcessorFormatter.wrap_for_formatter,
        ],
        wrapper_class=structlog.stdlib.BoundLogger,
    )
    return log


class RequestLine(NamedTuple):
    """What is logged of a request; a field that is None is left out."""

    time: float
    request_id: str
    method: str
    path: str
    status: int | None
    address: str | None
    account: str | None
    location: str | None
    rule: str | None
    fault: str | None
    sent_bytes: int
    seconds: float


class AccessLog:
    """Writes one JSON line a request, off the request's way."""

    def __init__(self, stream: TextIO | None) -> None:
        self._stream = stream
        self._waiting: deque[RequestLine] = deque()
        self._batch: list[RequestLine] = []
        self._unflushed = 0
        self._failing = False
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="access-log", daemon=True)
        self._dropped = 0

    @property
    def wanted(self) -> bool:
        """Say whether anybody reads it."""
        return self._stream is not None

    def start(self) -> None:
        """Begin to write."""
        if self._stream is not None:
            self._thread.start()

    def close(self) -> None:
        """Write what is waiting, and stop; a reader that reads nothing is not waited for."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(CLOSE_SECONDS)
        waiting = len(self._waiting) + len(self._batch) + self._unflushed
        if lost := waiting + self._dropped:
            logger(__name__).error("request_log.lost", lines=lost)

    def record(self, line: RequestLine) -> None:
        """Have a line written soon."""
        if self._stream is None:
            return
        if len(self._waiting) < MAX_WAITING_LINES:
            self._waiting.append(line)
        else:
            self._dropped += 1

    def _run(self) -> None:
        stopped = False
        while not stopped:
            stopped = self._stop.wait(FLUSH_SECONDS)
            try:
                self._flush()
            except Exception as error:  # noqa: BLE001  a stream that fails must not end the log
                if not self._failing:
                    logger(__name__).error("request_log.failed", reason=repr(error))
                self._failing = True

    def _flush(self) -> None:
        """Write what waits now; what could not be written goes on waiting."""
        while self._stream is not None and (self._waiting or self._batch or self._unflushed):
            while self._waiting and len(self._batch) < LINES_AT_ONCE:
                self._batch.append(self._waiting.popleft())
            if self._batch:
                self._stream.write("".join(map(render, self._batch)))
                self._unflushed += len(self._batch)
                self._batch.clear()
            self._stream.flush()
            self._unflushed = 0
        if self._failing:
            self._failing = False
            logger(__name__).info("request_log.recovered")
        if self._dropped:
            dropped, self._dropped = self._dropped, 0
            logger(__name__).error("request_log.dropped", lines=dropped)


def cut(text: str) -> str:
    """Bound a field that a client chose."""
    return text[:MAX_FIELD]


def render(line: RequestLine) -> str:
    """Render one line; whatever a client sent stays one line of printable ASCII (F-52)."""
    fields: dict[str, object] = {
        name: value
        for name, value in zip(RequestLine._fields, line, strict=True)
        if value is not None and name != "seconds"
    }
    fields["time"] = utc(line.time)
    fields["milliseconds"] = round(line.seconds * 1_000, 3)
    return _as_json(fields) + "\n"


def utc(moment: float) -> str:
    """Write a moment for a log: UTC, milliseconds."""
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="milliseconds")
