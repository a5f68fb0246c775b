"""Over TLS the origin is who it says it is, or there is no exchange."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING, NamedTuple

import httpx
import pytest
import trustme
from tests.base.hop.support import BOTH, GET, OK, Line, Make, always, ask, pieces, post, serving

from fairuse.base.errors import UpstreamUnreachable
from fairuse.base.hop.transport import HopTransport
from fairuse.base.hop.trust import tls_context

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.anyio


class Authority(NamedTuple):
    """An authority of our own, and the files that it issued."""

    ca: trustme.CA
    file: Path
    certificate: Path
    key: Path

    def server(self, *names: str) -> ssl.SSLContext:
        """Give what an origin of these names shows."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.ca.issue_cert(*names).configure_cert(context)
        return context


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """Make an authority, and a certificate that says who we are."""
    folder = tmp_path_factory.mktemp("tls")
    ca = trustme.CA()
    ours = ca.issue_cert("gateway.example")
    authority = Authority(ca, folder / "ca.pem", folder / "ours.pem", folder / "ours.key")
    ca.cert_pem.write_to_path(authority.file)
    ours.cert_chain_pems[0].write_to_path(authority.certificate)
    ours.private_key_pem.write_to_path(authority.key)
    return authority


@BOTH
async def test_a_private_authority_is_trusted_where_it_is_named(
    make: Make, authority: Authority
) -> None:
    """HTTP-48, F-47: with its file the exchange works, on one connection, with and without body."""
    asking = GET._replace(tls=tls_context(authority.file, None, None))
    async with serving(always(OK), authority.server("127.0.0.1")) as origin:
        upstream = make(5)
        for _ in range(3):
            assert (await ask(upstream, origin.url, asking)).body == b"ok"
        assert origin.lines == 1
        await upstream.close()


@BOTH
async def test_large_bodies_go_over_tls(make: Make, authority: Authority) -> None:
    """HTTP-6, HTTP-44: bodies pass byte-true both ways, as they do without TLS."""
    body = bytes(range(256)) * 4_000

    async def script(line: Line) -> None:
        await line.head()
        assert await line.reader.readexactly(len(body)) == body
        await line.say(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        await line.gone()

    tls = tls_context(authority.file, None, None)
    async with serving(script, authority.server("127.0.0.1")) as origin:
        upstream = make(5)
        asking = post(pieces(body[:100_000], body[100_000:]), len(body))._replace(tls=tls)
        assert (await ask(upstream, origin.url, asking)).body == body
        await upstream.close()


@BOTH
async def test_names_and_authorities_are_verified_unless_told_otherwise(
    make: Make, authority: Authority
) -> None:
    """HTTP-48: without its file, an authority of our own is nobody's."""
    asking = GET._replace(tls=tls_context(None, None, None))
    async with serving(always(OK), authority.server("127.0.0.1")) as origin:
        upstream = make(5)
        with pytest.raises(UpstreamUnreachable):
            await ask(upstream, origin.url, asking)
        await upstream.close()


@BOTH
async def test_another_name_is_refused(make: Make, authority: Authority) -> None:
    """HTTP-48: a good certificate of somebody else is refused, before a byte of a request."""
    asking = GET._replace(tls=tls_context(authority.file, None, None))
    async with serving(always(OK), authority.server("other.example", "127.0.0.2")) as origin:
        upstream = make(5)
        with pytest.raises(UpstreamUnreachable):
            await ask(upstream, origin.url, asking)
        await upstream.close()


async def test_an_origin_may_ask_who_we_are(authority: Authority) -> None:
    """HTTP-48: with a certificate of ours it answers, and without one there is no exchange."""
    demanding = authority.server("127.0.0.1")
    demanding.verify_mode = ssl.CERT_REQUIRED
    authority.ca.configure_trust(demanding)
    ours = tls_context(authority.file, authority.certificate, authority.key)
    async with serving(always(OK), demanding) as origin:
        async with httpx.AsyncClient(transport=HopTransport(tls=ours)) as client:
            assert (await client.get(origin.url)).text == "ok"
        nobody = tls_context(authority.file, None, None)
        async with httpx.AsyncClient(transport=HopTransport(tls=nobody)) as client:
            with pytest.raises(httpx.TransportError):
                await client.get(origin.url)


async def test_an_origin_without_tls_is_no_origin_with_it(authority: Authority) -> None:
    """HTTP-48: what speaks plainly is refused; nothing is sent to it in the clear."""

    async def script(line: Line) -> None:
        await line.reader.read(100)
        await line.say(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n")

    async with serving(script) as origin:
        url = origin.url.replace("http:", "https:")
        transport = HopTransport(tls=tls_context(authority.file, None, None))
        async with httpx.AsyncClient(transport=transport) as client:
            with pytest.raises(httpx.ConnectError):
                await client.get(url)


async def test_the_transport_verifies_without_being_told(authority: Authority) -> None:
    """HTTP-48: HopTransport() trusts the machine's authorities, and no others."""
    async with (
        serving(always(OK), authority.server("127.0.0.1")) as origin,
        httpx.AsyncClient(transport=HopTransport()) as client,
    ):
        with pytest.raises(httpx.ConnectError):
            await client.get(origin.url)


def test_verification_is_on() -> None:
    """HTTP-48: certificates and names are verified, over TLS 1.2 or later."""
    context = tls_context(None, None, None)
    assert context.verify_mode == ssl.CERT_REQUIRED
    assert context.check_hostname
    assert context.minimum_version >= ssl.TLSVersion.TLSv1_2


def test_the_file_that_is_wrong_is_named(authority: Authority, tmp_path: Path) -> None:
    """HTTP-48: a missing or useless file is named, and it is the right one."""
    missing, useless = tmp_path / "missing.pem", tmp_path / "useless.pem"
    useless.write_text("no certificate")
    ca, certificate, key = authority[1:]
    for wrong in (missing, useless):
        for files in ((wrong, None, None), (ca, wrong, key), (ca, certificate, wrong)):
            with pytest.raises(OSError, match=r"No such file|nothing that can be used") as raised:
                tls_context(*files)
            assert raised.value.filename == str(wrong)


def test_a_key_with_a_password_asks_nobody(authority: Authority, tmp_path: Path) -> None:
    """HTTP-48: a gateway that starts has nobody to ask; the key is named as of no use."""
    serialization = pytest.importorskip("cryptography.hazmat.primitives.serialization")
    key = serialization.load_pem_private_key(authority.key.read_bytes(), None)
    locked = tmp_path / "locked.key"
    locked.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"secret"),
        )
    )
    with pytest.raises(OSError, match="nothing that can be used") as raised:
        tls_context(authority.file, authority.certificate, locked)
    assert raised.value.filename == str(locked)
