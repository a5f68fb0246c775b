"""Looks at what an account has used in the shared store, for who explains and counts nothing."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from fairuse.rules.meters import KINDS
from fairuse.stores.rows import FOREVER, MemberRow, SlotRow
from fairuse.stores.shared.channel import Channel
from fairuse.stores.shared.names import members_name, share_name
from fairuse.stores.shared.readings import read_account

if TYPE_CHECKING:
    from fairuse.rules.settings import Counters
    from fairuse.rules.tally import TallyKey
    from fairuse.rules.terms import LimitTerms, Terms
    from fairuse.stores.protocol import Reading


async def look_into(settings: Counters, terms: Terms) -> tuple[list[SlotRow], list[MemberRow]]:
    """Give the account's counts as the ledger would keep them. Raises StoreError."""
    channel = Channel(settings.store)
    await channel.connect()
    rows: list[SlotRow] = []
    members: list[MemberRow] = []
    try:
        for key, reading in await read_account(channel, settings.namespace, terms.account):
            limit = terms.limit(key.limit)
            if limit is None:
                continue
            row = _row(key, reading, limit)
            rows.append(row)
            if limit.kind == "members":
                name = members_name(share_name(settings.namespace, key), row.slot)
                names = await channel.members(name)
                members += [MemberRow(key, row.slot, member) for member in names]
    finally:
        await channel.close()
    return sorted(rows, key=lambda row: row.slot), members


def _row(key: TallyKey, reading: Reading, limit: LimitTerms) -> SlotRow:
    level = KINDS[limit.measure] == "level"
    return SlotRow(
        key,
        round(reading.starts_at * 1_000),
        FOREVER if math.isinf(reading.ends_at) else reading.ends_at,
        reading.settled if level else reading.used,
        limit.measure,
        reading.used if level else 0,
    )
