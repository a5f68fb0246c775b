"""Named channels: text messages, chats, calls. A contact `sms:+31...` names the channel `sms`."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

from fairuse.base.errors import DeliveryFailed
from fairuse.delivery.services import notify, secret_text

if TYPE_CHECKING:
    from fairuse.delivery.message import Means, Message

RECIPIENT = "{to}"
"""Where in a channel's URL the contact's own part stands."""


async def send_through_channel(message: Message, means: Means) -> None:
    """Send through the channel that the contact names. Raises DeliveryFailed."""
    letter = message.letter
    channel = means.notices.channels.get(letter.scheme)
    if channel is None:
        raise DeliveryFailed(f"gateway.toml has no notices.channels.{letter.scheme}")
    url = secret_text(channel, means).replace(RECIPIENT, quote(letter.recipient, safe=""))
    await notify(url, message, means, letter.notice.body)
