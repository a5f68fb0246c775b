"""Fixtures: whom to trust, what names mean, and messages to send."""

from __future__ import annotations

import os
import socket
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from tests.delivery.servers import SECRET, Authority, Names, Receiver, on_the_clock, receiving
from tests.stores.letters import CASE, NOTICE

from fairuse.base.hop.trust import tls_context
from fairuse.delivery.message import Means, Message
from fairuse.rules.settings import Notices
from fairuse.stores.letters import Letter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from fairuse.base.clock import ManualClock
    from fairuse.delivery.message import Figures

    MakeMeans = Callable[..., Means]
    MakeMessage = Callable[[str], Message]


@pytest.fixture
def authority(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Authority:
    """Give whom everybody trusts."""
    return Authority(tmp_path, monkeypatch)


@pytest.fixture
def receiver(
    authority: Authority, monkeypatch: pytest.MonkeyPatch, clock: ManualClock
) -> Iterator[Receiver]:
    """Run a webhook's receiver."""
    on_the_clock(monkeypatch, clock)
    receiver = Receiver()
    with receiving(receiver, authority):
        yield receiver


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Names:
    """Decide what names mean."""
    names = Names()
    monkeypatch.setattr(socket, "getaddrinfo", names)
    return names


@pytest.fixture
def means() -> Iterator[MakeMeans]:
    """Give means with some settings; a tenant's webhooks are signed."""
    threads = ThreadPoolExecutor(2)

    def make(**notices: object) -> Means:
        own = {"webhooks": {"salon": SECRET}, "allow_private": True}
        settings = Notices.model_validate(own | notices)
        return Means(settings, os.environ, tls_context(None, None, None), threads)

    yield make
    threads.shutdown()


@pytest.fixture
def message(clock: ManualClock) -> MakeMessage:
    """Give a message to a contact, sent now."""

    def make(channel: str) -> Message:
        case = CASE._replace(id=7)
        letter = Letter(1, channel, "waiting", 1, 0.0, None, "", "", 3, NOTICE, case)
        figures: Figures = {"reading": 5_001, "amount": 5_000}
        figures |= {"unit": "appointment", "source": "policy"}
        return Message(letter, clock.wall, figures, {"reduce": "https://choose.example/x"})

    return make
