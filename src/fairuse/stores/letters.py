"""A letter: a notice on its way to one contact, with all that a channel needs to know of it."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Literal, NamedTuple
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from fairuse.rules.ladder import Case
    from fairuse.stores.rows import NoticeRow

LetterState = Literal["waiting", "delivered", "dead", "to do"]
"""To do: a person delivers it, by telephone. Dead: nobody tries any more."""


class Letter(NamedTuple):
    """One delivery of a notice. `number` is the notice's, `id` its own; times are wall time.

    `done_at` and `done_by` say when it was delivered, and who did it; `error` why it was not.
    """

    id: int
    channel: str
    state: LetterState
    attempts: int
    due_at: float
    done_at: float | None
    done_by: str
    error: str
    number: int
    notice: NoticeRow
    case: Case | None

    @property
    def scheme(self) -> str:
        """Give what its contact begins with: `mailto`, `https`, or the name of a channel."""
        return self.channel.partition(":")[0]

    @property
    def recipient(self) -> str:
        """Give the rest of its contact."""
        return self.channel.partition(":")[2]

    @property
    def shown(self) -> str:
        """Give its contact as a log or the record may show it: a webhook's path may be secret."""
        if self.scheme != "https":
            return self.channel
        parts = urlsplit(self.channel)
        return f"https://{parts.netloc.rpartition('@')[2]}"

    @property
    def message_id(self) -> str:
        """Give what tells receivers that a message is the same one: it never changes."""
        notice = self.notice
        parts = (notice.tenant, notice.account, notice.rule, str(notice.written_at), self.number)
        text = "\x00".join(map(str, parts))
        return f"msg_{hashlib.sha256(text.encode()).hexdigest()[:32]}"
