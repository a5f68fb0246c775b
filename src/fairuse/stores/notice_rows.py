"""Notices as rows: a template that is filled in, for the account's own contacts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fairuse.rules.notice import write
from fairuse.stores.rows import NoticeRow

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fairuse.rules.notice import Notice
    from fairuse.rules.terms import Terms


def notice_row(
    template: Notice,
    rule: str,
    account: str,
    terms: Terms,
    words: Mapping[str, str],
    moment: float,
    kind: str,
) -> NoticeRow:
    """Write a notice, for now without figures, a day by which to tell it, or what it tells of."""
    text = write(template, terms, words)
    return NoticeRow(
        tenant=terms.tenant,
        account=account,
        rule=rule,
        written_at=moment,
        reading=0,
        amount=0,
        source="",
        language=terms.language,
        contact=terms.contact,
        subject=text.subject,
        body=text.body,
        kind=kind,
    )
