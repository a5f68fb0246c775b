"""What is wrong between a tenant's contacts and the channels that the settings have."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fairuse.rules.model import channel_of
from fairuse.rules.problems import unknown

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from fairuse.rules.problems import Problem
    from fairuse.rules.tenant import Tenant


def contact_problems(tenant: Tenant, channels: Mapping[str, object]) -> Iterator[Problem]:
    """Give the contacts that name a channel which is not there."""
    for number, contact in enumerate(tenant.contact):
        channel = channel_of(contact)
        if channel is not None and channel not in channels:
            yield f"contact.{number}", unknown("channel", channel, channels)
