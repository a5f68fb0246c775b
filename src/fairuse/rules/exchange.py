"""One request and its response, as they go along the way."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from fairuse.rules.routes import canonical

if TYPE_CHECKING:
    from collections.abc import MutableMapping
    from typing import Any

    from fairuse.base.address import Address
    from fairuse.base.instant import Instant
    from fairuse.base.wire import Headers
    from fairuse.rules.terms import Terms


CLIENT_GONE = "client-gone"
"""The fault of a client that hangs up; every other fault is the upstream's."""


class Subject(NamedTuple):
    """Who a request is from, and which part of the account it is about."""

    account: str
    location: str
    address: Address
    terms: Terms


class Exchange:
    """What is known of one request so far; each stage adds what it finds out."""

    __slots__ = (
        "address",
        "at",
        "fault",
        "headers",
        "meters",
        "method",
        "path",
        "peer",
        "request_id",
        "rule",
        "scope",
        "status",
        "subject",
    )

    def __init__(self, scope: MutableMapping[str, Any], at: Instant, request_id: str) -> None:
        self.scope = scope
        self.at = at
        self.request_id = request_id
        self.method: str = scope.get("method", "GET")
        self.path = canonical(_route_path(scope))
        self.headers: Headers = scope["headers"]
        client = scope.get("client")
        self.peer: str | None = client[0] if client else None
        self.address: Address | None = None
        self.subject: Subject | None = None
        self.status: int | None = None
        self.rule: str | None = None
        self.meters: tuple[str, ...] = ()
        self.fault: str | None = None

    def header(self, name: bytes) -> bytes | None:
        """Give the first value of a header, its name in lower case."""
        for key, value in self.headers:
            if key == name:
                return value
        return None

    def header_lines(self, name: bytes) -> list[bytes]:
        """Give every value of a header, in their order."""
        return [value for key, value in self.headers if key == name]


def _route_path(scope: MutableMapping[str, Any]) -> str:
    """Give the path below the point where the application is mounted."""
    path: str = scope["path"]
    root: str = scope.get("root_path", "")
    if root and path.startswith(root) and (path + "/")[len(root)] == "/":
        return path[len(root) :] or "/"
    return path
