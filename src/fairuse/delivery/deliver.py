"""Deliver: send a letter through the channel that its contact begins with."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from fairuse.base.errors import DeliveryFailed
from fairuse.delivery.mail import send_mail
from fairuse.delivery.named import send_through_channel
from fairuse.delivery.webhook import send_webhook

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from fairuse.delivery.message import Means, Message

    Send = Callable[[Message, Means], Awaitable[None]]

SEND_SECONDS = 30
"""The longest that Standard Webhooks has a sender wait; a mail server has to be faster too."""

CHANNELS: Mapping[str, Send] = {"mailto": send_mail, "https": send_webhook}
"""How to send, by the contact's scheme; any other one is a channel that the settings name."""


async def deliver(message: Message, means: Means) -> None:
    """Send a letter. Raises DeliveryFailed, which says why and holds no secret."""
    send = CHANNELS.get(message.letter.scheme, send_through_channel)
    try:
        async with asyncio.timeout(SEND_SECONDS):
            await send(message, means)
    except DeliveryFailed:
        raise
    except TimeoutError:
        raise DeliveryFailed(f"it took longer than {SEND_SECONDS} seconds") from None
    except Exception as error:  # noqa: BLE001  what others' code says may hold a secret
        raise DeliveryFailed(f"it could not be sent: {type(error).__name__}") from None
