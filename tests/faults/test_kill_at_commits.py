"""A process that is killed at any commit of a case: no step is lost, and none is done twice."""

from __future__ import annotations

import difflib
import os
import signal
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from standardwebhooks import Webhook
from tests.delivery.servers import SECRET, Authority
from tests.faults.killed.death import Death
from tests.faults.killed.histories import (
    Post,
    Processes,
    configured,
    emptied,
    left_in,
    processes,
)
from tests.support import Served

from fairuse.stores.ledger import Ledger

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from starlette.types import Receive, Scope, Send
    from tests.ledgers import Place

pytestmark = pytest.mark.anyio

MOST_LIVES = 60


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
    """A configuration whose story is lived through again and again, with other deaths."""

    def __init__(
        self, forked: Processes, folder: Path, place: Place, post: Post, port: int
    ) -> None:
        self._forked = forked
        self._config = configured(folder, place, port)
        self._place = place
        self._post = post
        self._trust = {"SSL_CERT_FILE": os.environ["SSL_CERT_FILE"]}
        self.lives = 0

    async def of(self, *deaths: Death | None) -> dict[str, list[str]]:
        """Give what is left once the story is over: each life has its death, the last again."""
        await emptied(self._config, self._place)
        self._post.bodies.clear()
        self.lives = 0
        for death in [*deaths, *[deaths[-1]] * MOST_LIVES]:
            self.lives += 1
            ended = self._forked.live(self._config, death, self._trust)
            if ended == 0:
                return await left_in(self._place)
            said = (self._config.parent / "said.log").read_text()
            assert ended == -signal.SIGKILL, said
        pytest.fail("it never came to its end")

    def commits(self) -> list[str]:
        """Give what was committed, in words."""
        return (self._config.parent / "commits").read_text().splitlines()

    def sent_as_promised(self, at_most: int) -> bool:
        """Say whether all was sent, always as before, and hardly anything more than once."""
        bodies = self._post.bodies.values()
        return self._post.twice() <= at_most and all(len(set(each)) == 1 for each in bodies)


def changed(before: dict[str, list[str]], after: dict[str, list[str]]) -> list[str]:
    """Give what is otherwise, a line each."""
    lines = (
        [f"{name}: {line}" for name in sorted(each) for line in each[name]]
        for each in (before, after)
    )
    return [line for line in difflib.ndiff(*lines) if line[0] in "+-"]


@pytest.fixture
async def history(
    forked: Processes, tmp_path: Path, place: Place, post: tuple[Post, int]
) -> History:
    """Give a history of either database."""
    await (await Ledger.open(place.url)).close()
    return History(forked, tmp_path, place, *post)


async def test_killed_at_any_commit_the_next_process_goes_on(history: History) -> None:
    """S15, F-39, F-54, P8: kill -9 before and after each commit: the ledger ends the same."""
    undisturbed = await history.of(None)
    commits = history.commits()
    assert len(commits) > 20
    for number, what in enumerate(commits, 1):
        # Who comes after the first death has that commit as its own first.
        left = await history.of(Death(number, "before"), Death(1, "after"), None)
        assert history.lives == 3, what
        assert changed(undisturbed, left) == [], what
        assert history.sent_as_promised(at_most=2), what


async def test_killed_again_and_again_it_comes_to_its_end(history: History) -> None:
    """S15, F-39, F-53, P8: no life has more than three commits, and the ledger ends the same."""
    undisturbed = await history.of(None)
    messages = len(history.commits())
    left = await history.of(Death(3, "after"))
    assert changed(undisturbed, left) == []
    assert history.lives > messages / 6
    assert history.sent_as_promised(at_most=MOST_LIVES)
