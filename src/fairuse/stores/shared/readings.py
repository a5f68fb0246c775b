"""What the store has of an account."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fairuse.stores.protocol import Reading
from fairuse.stores.shared.names import index_name, tally_of
from fairuse.stores.shared.share import FOREVER_MS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fairuse.rules.tally import TallyKey
    from fairuse.stores.shared.channel import Channel


async def read_account(
    channel: Channel, namespace: str, account: str
) -> list[tuple[TallyKey, Reading]]:
    """Give what the store has of an account. Raises StoreError."""
    names = await channel.names(index_name(namespace, account))
    if not names:
        return []
    _, found = await channel.call(channel.read, names, [])
    keys = [tally_of(account, name) for name in names]
    return [
        (key, _reading(key, reading)) for key, reading in zip(keys, found, strict=True) if reading
    ]


def _reading(key: TallyKey, reading: Sequence[int | bytes]) -> Reading:
    settled, used, began, ends = reading
    starts_at, ends_at = float(began) / 1_000, float(ends) / 1_000
    return Reading(
        key.limit,
        key.window,
        key.scope,
        int(settled),
        int(used),
        starts_at,
        float("inf") if float(ends) >= FOREVER_MS else ends_at,
    )
