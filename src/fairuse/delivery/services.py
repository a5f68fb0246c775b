"""Services: whatever apprise knows a URL of, mail servers among them.

It waits in threads, and it logs: what it says while it has our secrets in its hands is said
without them.
"""

from __future__ import annotations

import asyncio
import logging
import re
from contextvars import ContextVar, copy_context
from typing import TYPE_CHECKING
from urllib.parse import unquote

from apprise import Apprise, AppriseAsset, NotifyFormat

from fairuse.base.errors import DeliveryFailed

if TYPE_CHECKING:
    from fairuse.delivery.message import Means, Message
    from fairuse.rules.secret import Secret

SERVICE_SECONDS = 20
"""How long a service may take: less than who waits for it, so that it can still say why."""
MAX_REASON = 300

_ASSET = AppriseAsset(app_id="fairuse", service_timeout=SERVICE_SECONDS, allow_templates=False)
_WORD = re.compile(r"[^:/@,]{4,}")
_hidden: ContextVar[tuple[str, ...]] = ContextVar("hidden", default=())


class _Discreet(logging.Filter):
    """Takes what is secret out of what is logged while a notice is sent."""

    def filter(self, record: logging.LogRecord) -> bool:
        if words := _hidden.get():
            record.msg, record.args = _without(words, record.getMessage()), ()
        return True


for _name in ("apprise", "urllib3.connectionpool"):
    logging.getLogger(_name).addFilter(_Discreet())


def secret_text(secret: Secret, means: Means) -> str:
    """Give a secret. Raises DeliveryFailed where its environment variable is not set."""
    try:
        return secret.read(means.environment)
    except LookupError as error:
        raise DeliveryFailed(str(error.args[0])) from None


async def notify(url: str, message: Message, means: Means, text: str) -> None:
    """Send a text, with a letter's subject, to the service of a URL. Raises DeliveryFailed.

    The loop does not wait for it.
    """
    notice, loop = message.letter.notice, asyncio.get_running_loop()
    work = copy_context().run
    reason = await loop.run_in_executor(means.threads, work, _send, url, notice.subject, text)
    if reason is not None:
        raise DeliveryFailed(reason[:MAX_REASON])


def _send(url: str, subject: str, body: str) -> str | None:
    """Send, and wait for it; gives why it failed, or None."""
    _hidden.set(_words(url))
    service = Apprise(asset=_ASSET)
    if not service.add(url):
        return "the channel's URL is none that apprise can use"
    sent = service.notify(body=body, title=subject, body_format=NotifyFormat.TEXT)
    if sent:
        return None
    said = "; ".join(dict.fromkeys(entry.message for entry in sent.logs()))
    return said or f"the service did not take it ({sent.status.name.lower()})"


def _words(url: str) -> tuple[str, ...]:
    """Give the parts of a URL that may be secret, the longest first.

    A mail server's name is none; in many a service's URL it is where the token stands.
    """
    scheme, _, rest = url.partition("://")
    before, _, query = (rest or url).partition("?")
    if scheme in {"mailto", "mailtos"}:
        before = before.rpartition("@")[0]
    values = (pair.partition("=")[2] for pair in query.split("&"))
    words = [word for part in (before, *values) for word in _WORD.findall(part)]
    return tuple(sorted({*words, *map(unquote, words)}, key=len, reverse=True))


def _without(words: tuple[str, ...], text: str) -> str:
    for word in words:
        text = text.replace(word, "***")
    return text
