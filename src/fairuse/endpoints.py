"""The gateway's own endpoints, as the way of a request knows them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from starlette.types import Receive

    from fairuse.rules.config import Config, Sender
    from fairuse.rules.exchange import Exchange, Subject
    from fairuse.rules.refusal import Refusal
    from fairuse.stages.answer import Answer

HEALTH_PATH = "/fairuse/health"
READY_PATH = "/fairuse/ready"
OUR_PATHS = "/fairuse/"


class Page(Protocol):
    """One of the gateway's own pages: read by an account, never metered."""

    async def __call__(
        self, exchange: Exchange, subject: Subject, receive: Receive, answer: Answer, /
    ) -> Refusal | None:
        """Answer a request, or give the refusal."""
        ...


class OpenPage(Protocol):
    """A page that needs no key, because its address is one."""

    async def __call__(
        self, exchange: Exchange, config: Config, receive: Receive, answer: Answer, /
    ) -> Refusal | None:
        """Answer a request, or give the refusal."""
        ...


class Pages(Protocol):
    """Finds the page of a path; None for a path that is not ours."""

    def of_account(self, path: str) -> Page | None:
        """Give the page that an account reads."""
        ...

    def open_to_all(self, path: str) -> OpenPage | None:
        """Give the page that anybody may open."""
        ...


class Vitals(Protocol):
    """Says how the service is."""

    @property
    def ready(self) -> bool:
        """Say whether requests should come here."""
        ...

    def report(self) -> dict[str, str]:
        """Give the state of each part in a word."""
        ...


class Events(Protocol):
    """Takes usage events from a sender."""

    async def __call__(
        self, exchange: Exchange, sender: Sender, config: Config, receive: Receive, answer: Answer
    ) -> Refusal | None:
        """Answer a request, or give the refusal."""
        ...
