"""One request and its response, as they go along the way."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, NamedTuple

from fairuse.rules.routes import canonical

if TYPE_CHECKING:
    from collections.abc import MutableMapping, Sequence
    from typing import Any

    from fairuse.base.address import Address
    from fairuse.base.instant import Instant
    from fairuse.base.jsonfield import EventStreamField, JsonField
    from fairuse.base.wire import Header, Headers
    from fairuse.rules.terms import MeterTerms, Terms


CLIENT_GONE = "client-gone"
"""The fault of a client that hangs up; every other fault is the upstream's."""


def is_accepted(status: int | None) -> bool:
    """Say whether an answer's status says that the API did what was asked."""
    return status is not None and (200 <= status < 300 or status == HTTPStatus.SWITCHING_PROTOCOLS)


class Subject(NamedTuple):
    """Who a request is from, and which part of the account it is about."""

    account: str
    location: str
    user: str
    address: Address
    terms: Terms


class Movement:
    """A meter that a request moves, with what is known of by how much.

    `told` is what the request said the cost is, `reader` looks for it in the answer's body;
    `accrued` are the units that were counted already while the request was open.
    """

    __slots__ = ("accrued", "item", "meter", "reader", "releases", "told")

    def __init__(self, meter: MeterTerms, item: str, *, releases: bool) -> None:
        self.meter = meter
        self.item = item
        self.releases = releases
        self.told: int | None = None
        self.reader: JsonField | EventStreamField | None = None
        self.accrued = 0


class Exchange:
    """What is known of one request so far; each stage adds what it finds out.

    `reached` says that the upstream may have got something of it.
    """

    __slots__ = (
        "_by_name",
        "address",
        "answer_headers",
        "at",
        "began",
        "counts_bytes",
        "fault",
        "headers",
        "method",
        "moves",
        "path",
        "peer",
        "reached",
        "reads_answer",
        "received_bytes",
        "request_id",
        "rule",
        "scope",
        "sent_bytes",
        "status",
        "subject",
    )

    def __init__(self, scope: MutableMapping[str, Any], at: Instant, request_id: str) -> None:
        self.scope = scope
        self.at = at
        self.began = at.monotonic
        self.request_id = request_id
        self.method: str = scope.get("method", "GET")
        self.path = canonical(_route_path(scope))
        self.headers: Headers = scope["headers"]
        self._by_name: dict[bytes, list[bytes]] | None = None
        client = scope.get("client")
        self.peer: str | None = client[0] if client else None
        self.address: Address | None = None
        self.subject: Subject | None = None
        self.status: int | None = None
        self.rule: str | None = None
        self.moves: Sequence[Movement] = ()
        self.counts_bytes = False
        self.received_bytes = 0
        self.sent_bytes = 0
        self.answer_headers: Sequence[Header] = ()
        self.reads_answer = False
        self.fault: str | None = None
        self.reached = True

    @property
    def request_target(self) -> bytes:
        """Give the path and the query as they came (RFC 9112 section 3.2.1)."""
        path: bytes = self.scope["raw_path"]
        query: bytes = self.scope["query_string"]
        return path + b"?" + query if query else path

    def header(self, name: bytes) -> bytes | None:
        """Give the first value of a header, its name in lower case."""
        lines = self.header_lines(name)
        return lines[0] if lines else None

    def header_lines(self, name: bytes) -> Sequence[bytes]:
        """Give every value of a header, in their order."""
        lines = self._by_name
        if lines is None:
            lines = self._by_name = {}
            for key, value in self.headers:
                if key in lines:
                    lines[key].append(value)
                else:
                    lines[key] = [value]
        return lines.get(name, ())


def _route_path(scope: MutableMapping[str, Any]) -> str:
    """Give the path below the point where the application is mounted."""
    path: str = scope["path"]
    root: str = scope.get("root_path", "")
    if root and path.startswith(root) and (path + "/")[len(root)] == "/":
        return path[len(root) :] or "/"
    return path
