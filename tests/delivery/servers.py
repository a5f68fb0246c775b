"""Real receivers: a mail server with a password and TLS, and a webhook's HTTPS server."""

from __future__ import annotations

import asyncio
import socket
import ssl
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email import message_from_bytes, policy
from typing import TYPE_CHECKING, Any

import trustme
from aiosmtpd.smtp import SMTP, AuthResult
from standardwebhooks import Webhook, webhooks
from tests.support import Served

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from email.message import EmailMessage
    from pathlib import Path

    import pytest
    from aiosmtpd.smtp import Envelope, Session
    from starlette.types import Receive, Scope, Send

    from fairuse.base.clock import ManualClock

USER, PASSWORD = "gateway", "hunter2/with#signs"
QUOTED = "hunter2%2Fwith%23signs"
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
HOST = "hooks.salon.example"


class Authority:
    """Whom everybody trusts in a test, through the environment, as on a real machine."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.ca = trustme.CA()
        self.folder = folder
        self.ca.cert_pem.write_to_path(folder / "ca.pem")
        monkeypatch.setenv("SSL_CERT_FILE", str(folder / "ca.pem"))

    def certificate(self, *names: str) -> Path:
        """Give a file with a certificate for some names, and its key."""
        path = self.folder / f"{names[0]}.pem"
        self.ca.issue_cert(*names).private_key_and_cert_chain_pem.write_to_path(path)
        return path


@dataclass(slots=True)
class Mailbox:
    """A mail server that keeps what it is sent; `answer` is what it says to it.

    `taken` is set with each mail.
    """

    port: int = 0
    answer: str = "250 OK"
    mails: list[tuple[str, EmailMessage]] = field(default_factory=list)
    taken: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def url(self) -> str:
        """Give the URL of the settings, with its password."""
        return f"mailtos://{USER}:{QUOTED}@localhost:{self.port}?from=no-reply@booking.example"

    async def handle_DATA(  # noqa: N802  aiosmtpd calls it so
        self, _server: SMTP, _session: Session, envelope: Envelope
    ) -> str:
        """Take a mail."""
        assert isinstance(envelope.content, bytes)
        mail = message_from_bytes(envelope.content, policy=policy.default)
        if self.answer.startswith("250"):
            self.mails.append((envelope.rcpt_tos[0], mail))
            self.taken.set()
        return self.answer


def _knows(_server: Any, _session: Any, _envelope: Any, _mechanism: str, data: Any) -> AuthResult:
    return AuthResult(success=(data.login, data.password) == (USER.encode(), PASSWORD.encode()))


@asynccontextmanager
async def mail_server(authority: Authority) -> AsyncIterator[Mailbox]:
    """Run a mail server in the test's own loop: who blocks the loop gets no answer from it."""
    box, context = Mailbox(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority.certificate("localhost"))

    def session() -> SMTP:
        return SMTP(
            box,
            hostname="mail.booking.example",
            tls_context=context,
            require_starttls=True,
            authenticator=_knows,
            auth_required=True,
        )

    server = await asyncio.get_running_loop().create_server(session, "127.0.0.1", 0)
    box.port = server.sockets[0].getsockname()[1]
    try:
        yield box
    finally:
        server.close()
        await server.wait_closed()


@dataclass(slots=True)
class Receiver:
    """A webhook's receiver: it keeps what it verified with the standard's own library."""

    status: int = 204
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    taken: list[tuple[str, Any]] = field(default_factory=list)
    seen: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    hangs: bool = False
    endless: bool = False
    port: int = 0

    @property
    def url(self) -> str:
        """Give the contact, with a path that nobody else may know."""
        return f"https://{HOST}:{self.port}/T0KEN/notices"

    @property
    def ids(self) -> list[str]:
        """Give the ids of what was taken."""
        return [message for message, _ in self.taken]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Take a notice."""
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message["body"], message.get("more_body", False)
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        self.seen.append((headers, body))
        self.paths.append(scope["path"])
        if self.hangs:
            await receive()
            return
        if 200 <= self.status < 300:
            self.taken.append((headers["webhook-id"], Webhook(SECRET).verify(body, headers)))
        await send({"type": "http.response.start", "status": self.status, "headers": self.headers})
        if self.endless:
            await send({"type": "http.response.body", "body": b"x" * 65_536, "more_body": True})
            await receive()  # until the sender goes
            return
        await send({"type": "http.response.body", "body": b""})


def receiving(receiver: Receiver, authority: Authority, name: str = HOST) -> Served:
    """Run a receiver on a real socket, with a certificate for a name."""
    certificate = str(authority.certificate(name))
    server = Served(receiver, ssl_certfile=certificate, lifespan="off")
    receiver.port = server.port
    return server


class Names:
    """What names of examples mean: addresses, one answer after another; the last one stays."""

    def __init__(self) -> None:
        self._real = socket.getaddrinfo
        self.answers: dict[str, list[list[str]]] = {HOST: [["127.0.0.1"]]}
        self.asked: list[str] = []

    def __call__(self, host: str, port: int, *others: Any, **more: Any) -> list[Any]:
        """Answer, as socket.getaddrinfo does."""
        if not str(host).endswith(".example"):
            return list(self._real(host, port, *others, **more))
        self.asked.append(host)
        answers = self.answers.get(host)
        if answers is None:
            raise OSError(-2, "Name or service not known")
        addresses = answers.pop(0) if len(answers) > 1 else answers[0]
        return [(0, 1, 6, "", (address, port)) for address in addresses]


def on_the_clock(monkeypatch: pytest.MonkeyPatch, clock: ManualClock) -> None:
    """Have the standard's library, which refuses old timestamps, live on the test's clock."""

    class Clocked(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> Clocked:
            return cls.fromtimestamp(clock.wall, tz or UTC)

    monkeypatch.setattr(webhooks, "datetime", Clocked)


def secrets_of(receiver: Receiver) -> Iterator[str]:
    """Give what must be in no log and no error."""
    yield from (PASSWORD, QUOTED, SECRET, SECRET.removeprefix("whsec_"), "T0KEN", receiver.url)
