"""Mail: a notice to `mailto:` goes through the mail server of the settings."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote

from fairuse.base.errors import DeliveryFailed
from fairuse.delivery.services import notify, secret_text
from fairuse.rules.evidence import from_text
from fairuse.rules.evidence_texts import block

if TYPE_CHECKING:
    from fairuse.delivery.message import Means, Message
    from fairuse.stores.rows import NoticeRow

_ADDRESS = re.compile(r"[^@\s,;:<>\"]+@[^@\s,;:<>\"]+")
SERVERS = ("mailto://", "mailtos://")


async def send_mail(message: Message, means: Means) -> None:
    """Send a mail. Raises DeliveryFailed."""
    if means.notices.mail is None:
        raise DeliveryFailed("gateway.toml has no notices.mail")
    server = secret_text(means.notices.mail, means)
    if not server.startswith(SERVERS):
        raise DeliveryFailed("notices.mail is no mail server: it must begin with mailtos://")
    address = unquote(message.letter.recipient.partition("?")[0])
    if not _ADDRESS.fullmatch(address):
        raise DeliveryFailed("the contact is not one mail address", for_good=True)
    # One header has other machines not answer (RFC 3834), the other shows what was sent twice.
    added = {
        "to": address,
        "+Auto-Submitted": "auto-generated",
        "+X-Fairuse-Message": message.letter.message_id,
    }
    if "format=" not in server:
        added["format"] = "text"
    await notify(_with(server, added), message, means, _text(message.letter.notice))


def _text(notice: NoticeRow) -> str:
    """Give what a mail says: the notice, and where the use came from, where that is known."""
    evidence = from_text(notice.evidence)
    if evidence is None:
        return notice.body
    return f"{notice.body}\n\n{block(evidence, notice.language)}"


def _with(url: str, added: dict[str, str]) -> str:
    """Add to the query of a URL, and leave what stands in it as it is."""
    query = "&".join(f"{name}={quote(value, safe='')}" for name, value in added.items())
    return f"{url}{'&' if '?' in url else '?'}{query}"
