"""What is over is gone: answers don't wait for the garbage collector, with their bodies."""

from __future__ import annotations

import gc
import weakref
from typing import TYPE_CHECKING

import pytest

from fairuse.base.errors import UpstreamBroken
from fairuse.base.hop.reply import Reply

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@pytest.fixture
def _uncollected() -> Iterator[None]:
    gc.disable()
    yield
    gc.enable()


class _Loop:
    def create_future(self) -> _Loop:
        """Give what nobody waits for."""
        return self

    def done(self) -> bool:
        """Say that it was told already."""
        return True


class _Watched(Reply):
    """One that can be referred to weakly, for it has no slots."""


ENDS: dict[str, Callable[[Reply], None]] = {
    "whole": lambda reply: reply.feed(OK),
    "with the connection": lambda reply: reply.end(),
    "broken off": lambda reply: reply.fail(UpstreamBroken("it broke off")),
}


@pytest.mark.usefixtures("_uncollected")
@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS)
def test_an_answer_that_is_over_is_gone_at_once(end: Callable[[Reply], None]) -> None:
    """HTTP-32 (the memory): an answer that nobody holds is freed without the garbage collector."""
    reply = _Watched(None, _Loop(), head_only=False)  # type: ignore[arg-type]
    end(reply)
    gone = weakref.ref(reply)
    del reply
    assert gone() is None
