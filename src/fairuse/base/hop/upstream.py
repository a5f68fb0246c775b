"""What the gateway needs of the hop, whoever makes it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from ssl import SSLContext

    from fairuse.base.wire import Headers

KEEPALIVE_SECONDS = 4.0
"""Shorter than the 5 s after which common servers (uvicorn, Node) close an idle connection."""
WAIT_SECONDS = 5.0
"""How long a request may wait for a connection to come free."""


class Timeouts(NamedTuple):
    """Seconds that connecting may take, that may pass between two bytes, and until the last."""

    connect: float
    response: float
    total: float


class Target(NamedTuple):
    """Where requests go: origins that answer alike (`http://host:port`), and how to trust them."""

    origins: tuple[str, ...]
    timeouts: Timeouts
    tls: SSLContext | None = None


class Request:
    """What is asked.

    `path` is the request target as it is to be written, with its query; `body` is all of it, or
    what comes of it. `sent` says that bytes of it may have left: the upstream may act on it.
    """

    __slots__ = ("body", "headers", "method", "path", "sent")

    def __init__(
        self,
        method: str,
        path: bytes,
        headers: Headers,
        body: AsyncIterator[bytes] | bytes | None = None,
    ) -> None:
        self.method = method
        self.path = path
        self.headers = headers
        self.body = body
        self.sent = False


class Answered(Protocol):
    """An upstream's answer, whose head is there; who has it must close it."""

    @property
    def status(self) -> int:
        """Give the status code."""
        ...

    @property
    def headers(self) -> Headers:
        """Give the fields as they came, with names in lower case."""
        ...

    @property
    def whole(self) -> bytes | None:
        """Give the body where all of it is here already and none was taken; otherwise None."""
        ...

    def chunks(self) -> AsyncIterator[bytes]:
        """Give the body's bytes, undecoded. Raises UpstreamError where it breaks off."""
        ...

    async def close(self) -> None:
        """Let go of the connection."""
        ...


class Upstream(Protocol):
    """Sends requests."""

    async def send(self, target: Target, request: Request) -> Answered:
        """Send a request and give the answer once its head is there. Raises UpstreamError."""
        ...

    async def close(self) -> None:
        """Close every connection."""
        ...
