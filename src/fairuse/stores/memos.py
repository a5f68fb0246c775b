"""Memos in the outbox: operators are told by the same way as customers, and as durably."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fairuse.rules.memo import KIND, OPERATORS
from fairuse.stores.casebook import add_notice
from fairuse.stores.rows import NoticeRow

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.ext.asyncio import AsyncConnection

    from fairuse.rules.memo import Memo


async def tell_operators(
    connection: AsyncConnection, memo: Memo, contacts: Sequence[str], moment: float
) -> bool:
    """Write a memo, as a part of the transaction of what it tells; False where it was before.

    It belongs to no account and no case: no customer sees it, and it is nobody's notice of a case.
    """
    if not contacts:
        return False
    row = NoticeRow(
        tenant=OPERATORS,
        account="",
        rule=memo.about,
        written_at=moment,
        reading=0,
        amount=0,
        source="",
        language="en",
        contact=tuple(contacts),
        subject=memo.subject,
        body=memo.body,
        kind=KIND,
        once=f"{KIND}:{memo.once}",
    )
    return await add_notice(connection, row, None, contacts)
