"""Webhooks: a notice to `https://` is posted, signed as Standard Webhooks 1.0.0 has it.

The name is resolved once, all its addresses are looked at, and the connection goes to one of those:
a name that means something else a moment later changes nothing (F-53). Redirects are no success,
proxies of the environment are not asked, and no byte of an answer's body is read.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import json
import socket
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import httpx
from standardwebhooks import Webhook

from fairuse.base.errors import DeliveryFailed
from fairuse.delivery.inside import is_inside
from fairuse.delivery.services import secret_text

if TYPE_CHECKING:
    from fairuse.delivery.message import Means, Message

CONNECT_SECONDS = 5.0
ANSWER_SECONDS = 20.0
SECRET_BYTES = range(24, 65)
GONE = 410
"""The receiver wants no more of them: the standard has a sender stop."""


async def send_webhook(message: Message, means: Means) -> None:
    """Post a notice to its webhook. Raises DeliveryFailed."""
    try:
        url = httpx.URL(message.letter.channel)
    except httpx.InvalidURL:
        raise DeliveryFailed("it is no URL") from None
    content = payload(message).encode()
    headers = {
        "host": url.netloc.decode("ascii"),
        "content-type": "application/json",
        "user-agent": "fairuse",
        **_signed(message, content.decode(), means),
    }
    addresses = await _addresses(url.raw_host.decode("ascii"), url.port or 443, means)
    status = await _post(url, addresses, headers, content, means)
    if not 200 <= status < 300:
        raise DeliveryFailed(f"the receiver answered {status}", for_good=status == GONE)


def payload(message: Message) -> str:
    """Write what the receiver gets, as JSON."""
    letter, notice = message.letter, message.letter.notice
    written = datetime.fromtimestamp(notice.written_at, UTC).isoformat(timespec="milliseconds")
    data = {
        "notice": letter.number,
        "case": letter.case.id if letter.case is not None else None,
        "rule": notice.rule,
        "account": notice.account,
        "figures": message.figures,
        "subject": notice.subject,
        "body": notice.body,
        "choices": dict(message.choices),
        "evidence": json.loads(notice.evidence) if notice.evidence else None,
    }
    kind = ".".join(filter(None, ("notice", notice.kind.replace("-", "_").replace(" ", "_"))))
    return json.dumps({"type": kind, "timestamp": written, "data": data}, separators=(",", ":"))


def _signed(message: Message, content: str, means: Means) -> dict[str, str]:
    """Sign with each of the tenant's secrets: while one takes another's place there are two."""
    letter, tenant = message.letter, message.letter.notice.tenant
    secret = means.notices.webhooks.get(tenant)
    if secret is None:
        raise DeliveryFailed(f"gateway.toml has no notices.webhooks.{tenant}")
    at = datetime.fromtimestamp(message.at, UTC)
    signers = [_signer(text) for text in secret_text(secret, means).split()]
    if not signers or None in signers:
        raise DeliveryFailed(
            f"notices.webhooks.{tenant} is no webhook secret:"
            " it must be whsec_ and 24 to 64 bytes in base64"
        )
    return {
        "webhook-id": letter.message_id,
        "webhook-timestamp": str(int(message.at)),
        "webhook-signature": " ".join(
            each.sign(letter.message_id, at, content) for each in signers if each is not None
        ),
    }


def _signer(text: str) -> Webhook | None:
    """Give what signs with a secret; None where it is none. The library takes almost anything."""
    try:
        secret = base64.b64decode(text.removeprefix("whsec_"), validate=True)
    except binascii.Error:
        return None
    return Webhook(secret) if len(secret) in SECRET_BYTES else None


async def _addresses(host: str, port: int, means: Means) -> list[str]:
    """Resolve a name, and refuse it where any of its addresses is inside."""
    loop, kind = asyncio.get_running_loop(), socket.SOCK_STREAM
    try:
        found = await loop.run_in_executor(
            means.threads, lambda: socket.getaddrinfo(host, port, type=kind)
        )
    except (OSError, UnicodeError):
        raise DeliveryFailed(f"the name {host} can't be resolved") from None
    addresses = list(dict.fromkeys(str(each[4][0]) for each in found))
    if not means.notices.allow_private and any(map(is_inside, addresses)):
        raise DeliveryFailed(
            f"{host} is inside our own network, which notices.allow_private does not allow"
        )
    return addresses


async def _post(
    url: httpx.URL, addresses: list[str], headers: dict[str, str], content: bytes, means: Means
) -> int:
    """Post to the first address that can be reached, and give the status of the answer.

    httpx's client is not asked: it would log the path, which may be secret.
    """
    extensions = {
        "timeout": {"connect": CONNECT_SECONDS, "read": ANSWER_SECONDS, "write": ANSWER_SECONDS},
        "sni_hostname": url.raw_host.decode("ascii"),  # whose certificate it has to be
    }
    async with httpx.AsyncHTTPTransport(verify=means.tls, trust_env=False) as transport:
        for address in addresses:
            pinned = url.copy_with(host=address)
            request = httpx.Request(
                "POST", pinned, headers=headers, content=content, extensions=extensions
            )
            try:
                response = await transport.handle_async_request(request)
            except (httpx.ConnectError, httpx.ConnectTimeout):
                continue
            except httpx.HTTPError as error:
                raise DeliveryFailed(f"no answer came: {type(error).__name__}") from None
            await response.aclose()
            return response.status_code
    raise DeliveryFailed(f"{url.host} can't be reached, or shows no certificate that holds")
