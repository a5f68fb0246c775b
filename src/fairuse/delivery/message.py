"""What a channel is given: the letter with what it says, and the means to send it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import ssl
    from collections.abc import Mapping
    from concurrent.futures import Executor

    from fairuse.rules.settings import Notices
    from fairuse.stores.letters import Letter

Figures = dict[str, int | float | str]


class Message(NamedTuple):
    """A letter that is sent at a moment (wall time).

    `figures` are in units, as people count; `choices` are the links that a customer may follow, by
    what they choose.
    """

    letter: Letter
    at: float
    figures: Figures | None
    choices: Mapping[str, str]


class Means(NamedTuple):
    """The settings, the environment that holds secrets, whom to trust, and threads to wait in.

    The threads are not the loop's own: the journal writes in those, and must not wait for a mail
    server.
    """

    notices: Notices
    environment: Mapping[str, str]
    tls: ssl.SSLContext
    threads: Executor
