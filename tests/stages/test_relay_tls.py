"""WebSockets to an upstream over TLS: it is who it says it is, or there is no WebSocket."""

from __future__ import annotations

import ssl
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, NamedTuple

import pytest
import trustme
from tests.stages.support import policy
from tests.stages.websockets import relay, upstream

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.stages.websockets import Relay, Upstream

pytestmark = pytest.mark.anyio

REQUESTS = policy('count = ["GET /ws"]', amount="100")


class Authority(NamedTuple):
    """An authority of our own, and the files that say whom it knows."""

    ca: trustme.CA
    file: Path
    certificate: Path
    key: Path

    def server(self, *names: str) -> ssl.SSLContext:
        """Give what an upstream of these names shows."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.ca.issue_cert(*names).configure_cert(context)
        return context


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    """Make an authority, and a certificate of the gateway."""
    ca = trustme.CA()
    ours = ca.issue_cert("gateway.example")
    authority = Authority(ca, *(tmp_path / name for name in ("ca.pem", "ours.pem", "ours.key")))
    ca.cert_pem.write_to_path(authority.file)
    ours.cert_chain_pems[0].write_to_path(authority.certificate)
    ours.private_key_pem.write_to_path(authority.key)
    return authority


@asynccontextmanager
async def secured(
    folder: Path,
    context: ssl.SSLContext | None,
    tls: str,
    origin: str = "https://127.0.0.1",
) -> AsyncIterator[tuple[Relay, Upstream]]:
    """Run the gateway before an upstream that is asked over TLS."""
    more = f"tls = {{ {tls} }}" if tls else ""
    async with (
        upstream(ssl=context) as server,
        relay(folder, server.port, REQUESTS, upstream_more=more, origin=origin) as gateway,
    ):
        yield gateway, server


async def test_a_private_authority_is_trusted_where_it_is_named(
    tmp_path: Path, authority: Authority
) -> None:
    """HTTP-45, HTTP-48: over TLS messages and closes pass as they do without it."""
    messages: list[str | bytes] = ["h\u00e9llo", b"", bytes(range(256)) * 4_000, "last"]
    context = authority.server("127.0.0.1")
    async with secured(tmp_path, context, f'ca = "{authority.file}"') as (gateway, server):
        async with gateway.connect() as client:
            for message in messages:
                await client.send(message)
            assert [await client.recv() for _ in messages] == messages
            connection = await server.next()
            assert connection.transport.get_extra_info("ssl_object") is not None
            await client.close(4000, "done")
            await connection.wait_closed()
            assert (connection.close_code, connection.close_reason) == (4000, "done")
        assert await gateway.used() == 1


async def test_the_name_of_the_origin_is_asked_for(tmp_path: Path, authority: Authority) -> None:
    """HTTP-41: TLS asks for the origin by its name, and the Host is the one the client sent."""
    context, asked = authority.server("localhost"), []
    context.sni_callback = lambda _socket, name, _context: asked.append(name)
    tls = f'ca = "{authority.file}"'
    async with (
        secured(tmp_path, context, tls, "https://localhost") as (gateway, server),
        gateway.connect(),
    ):
        request = (await server.next()).request
        assert request is not None
        assert request.headers.get_all("Host") == [gateway.url.removeprefix("ws://")]
        assert asked == ["localhost"]


async def test_an_upstream_may_ask_who_we_are(tmp_path: Path, authority: Authority) -> None:
    """HTTP-48: the certificate of `[upstream.tls]` is shown; without one there is no WebSocket."""
    context = authority.server("127.0.0.1")
    context.verify_mode = ssl.CERT_REQUIRED
    authority.ca.configure_trust(context)
    ours = f', certificate = "{authority.certificate}", key = "{authority.key}"'
    for name, more in (("shown", ours), ("not shown", "")):
        tls = f'ca = "{authority.file}"{more}'
        async with secured(tmp_path / name, context, tls) as (gateway, _):
            if more:
                async with gateway.connect() as client:
                    await client.send("x")
                    assert await client.recv() == "x"
            else:
                assert (await gateway.handshake()).status_code == 502


@pytest.mark.parametrize("wrong", ["authority", "unnamed authority", "name", "no TLS"])
async def test_one_that_is_not_trusted_gets_nothing(
    tmp_path: Path, authority: Authority, wrong: str
) -> None:
    """HTTP-48, F-47: it is a 502, that says nothing of why, counts nothing and sends nothing."""
    other = trustme.CA()
    other.cert_pem.write_to_path(tmp_path / "other.pem")
    file = tmp_path / "other.pem" if wrong == "authority" else authority.file
    context = authority.server("other.example" if wrong == "name" else "127.0.0.1")
    async with secured(
        tmp_path,
        None if wrong == "no TLS" else context,
        "" if wrong == "unnamed authority" else f'ca = "{file}"',
    ) as (gateway, server):
        refused = await gateway.handshake()
        assert refused.status_code == 502
        assert refused.headers["content-type"] == "application/problem+json"
        assert refused.json()["title"] == "The service behind this gateway can't be reached"
        assert "certificate" not in refused.text
        assert server.connections.empty()
        assert gateway.used_now() == 0
