"""Which client makes the hop."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from fairuse.base.hop.client import Client

if TYPE_CHECKING:
    from fairuse.base.hop.upstream import Upstream

ClientName = Literal["fairuse", "httpx"]


def client_named(name: ClientName, max_connections: int) -> Upstream:
    """Make a client; httpx is only imported where it is wanted."""
    if name == "httpx":
        from fairuse.base.hop.through_httpx import HttpxClient  # noqa: PLC0415

        return HttpxClient(max_connections)
    return Client(max_connections)
