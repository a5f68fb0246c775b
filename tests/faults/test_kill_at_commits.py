"""A process that is killed at any commit of a case: no step is lost, and none is done twice."""

from __future__ import annotations

import difflib
import os
import signal
from datetime import UTC, datetime
from itertools import cycle, islice, repeat
from typing import TYPE_CHECKING, get_args

import pytest
from standardwebhooks import Webhook
from tests.delivery.servers import SECRET, Authority
from tests.faults.killed.death import When
from tests.faults.killed.histories import (
    Post,
    Processes,
    configured,
    emptied,
    left_in,
    processes,
)
from tests.faults.killed.story import ANNA, BERT
from tests.scenarios.process import assert_expected
from tests.support import Served

from fairuse.stores.ledger import Ledger

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from starlette.types import Receive, Scope, Send
    from tests.ledgers import Place

pytestmark = pytest.mark.anyio

MOST_LIVES = 120


@pytest.fixture(scope="module")
def forked() -> Iterator[Processes]:
    """Give processes that begin at once."""
    with processes() as running:
        yield running


@pytest.fixture
def post(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Post, int]]:
    """Run a webhook's receiver, and give what it gets, and its port."""
    post, signer = Post(), Webhook(SECRET)

    async def receiver(scope: Scope, receive: Receive, send: Send) -> None:
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message["body"], message.get("more_body", False)
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        number, moment = headers["webhook-id"], int(headers["webhook-timestamp"])
        at = datetime.fromtimestamp(moment, UTC)
        assert headers["webhook-signature"] == signer.sign(number, at, body.decode())
        post.bodies.setdefault(number, []).append(body)
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    certificate = Authority(tmp_path, monkeypatch).certificate("localhost")
    with Served(receiver, ssl_certfile=str(certificate), lifespan="off") as server:
        yield post, server.port


class History:
    """A configuration whose story is lived through, with and without deaths."""

    def __init__(
        self, forked: Processes, folder: Path, place: Place, post: Post, port: int
    ) -> None:
        self._forked = forked
        self._config = configured(folder, place, port)
        self._place = place
        self._trust = {"SSL_CERT_FILE": os.environ["SSL_CERT_FILE"]}
        self.post = post

    async def of(self, deaths: Iterator[When | None]) -> dict[str, list[str]]:
        """Give what is left once the story is over, of lives that each have their death."""
        await emptied(self._config, self._place)
        self.post.bodies.clear()
        for death in islice(deaths, MOST_LIVES):
            ended = self._forked.live(self._config, death, self._trust)
            if ended == 0:
                return await left_in(self._place)
            said = (self._config.parent / "said.log").read_text()
            assert ended == -signal.SIGKILL, said
        pytest.fail("it never came to its end")

    def commits(self) -> list[str]:
        """Give the commits that were died at, or all, in words."""
        return (self._config.parent / "commits").read_text().splitlines()


def changed(before: dict[str, list[str]], after: dict[str, list[str]]) -> list[str]:
    """Give what is otherwise, a line each."""
    old, new = (
        [f"{name}: {line}" for name in sorted(each) for line in each[name]]
        for each in (before, after)
    )
    return [line for line in difflib.ndiff(old, new) if line[0] in "+-"]


@pytest.fixture
async def history(
    forked: Processes, tmp_path: Path, place: Place, post: tuple[Post, int]
) -> History:
    """Give a history of either database."""
    await (await Ledger.open(place.url)).close()
    return History(forked, tmp_path, place, *post)


async def test_killed_before_and_after_every_commit(history: History) -> None:
    """S15, F-39, F-53, F-54, P8: each life ends by kill -9; no step is lost, none is done twice.

    The first ends before the story's first commit, the next after it, and so on until none is left.
    """
    undisturbed = await history.of(repeat(None))
    lines = [f"{line}\n" for account in (ANNA, BERT) for line in undisturbed[account]]
    assert_expected("".join(lines), "killed")
    commits, messages = history.commits(), len(history.post.bodies)
    assert history.post.most == 1
    left = await history.of(cycle(get_args(When)))
    assert {*history.commits()} == {*commits}
    assert changed(undisturbed, left) == []
    assert len(history.post.bodies) == messages
    assert history.post.is_same
    assert history.post.most > 1  # who died between sending and noting has sent it again
