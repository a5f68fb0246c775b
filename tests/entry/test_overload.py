"""Overload over real sockets: a slow upstream, and two accounts that load it unequally."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import httpx
from tests.scenarios.support import months, used_before
from tests.support import APPOINTMENTS, DENTIST, SALON, Served, front, write_config

from fairuse.entry.overload import BUSY, EVERYBODY
from fairuse.rules.emergency import OVERLOAD

if TYPE_CHECKING:
    from concurrent.futures import Future
    from pathlib import Path

    from starlette.types import Receive, Scope, Send
    from tests.support import Front

    from fairuse.base.clock import ManualClock

PATIENCE = 30.0
LOOKS_EVERY = 0.01


class SlowApi:
    """An upstream whose answers wait until they may go."""

    def __init__(self) -> None:
        self.waiting = 0
        self.answers = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, once it may be."""
        if scope["type"] != "http":
            return
        await receive()
        self.waiting += 1
        while not self.answers:  # noqa: ASYNC110  it is told from another thread
            await asyncio.sleep(LOOKS_EVERY)
        self.waiting -= 1
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"{}"})


class Customers:
    """Customers of a gateway, each request in a thread of its own."""

    def __init__(self, front: Front, api: SlowApi, threads: ThreadPoolExecutor) -> None:
        self._front = front
        self._api = api
        self._threads = threads
        self._asked: list[Future[httpx.Response]] = []

    def get(self, key: str) -> httpx.Response:
        """Send a request and wait for the answer."""
        headers = {"x-api-key": key}
        return httpx.get(self._front.url + APPOINTMENTS, headers=headers, timeout=PATIENCE)

    def ask(self, key: str, count: int = 1) -> None:
        """Send requests, and wait until the upstream has them."""
        self._asked += [self._threads.submit(self.get, key) for _ in range(count)]

        async def there() -> None:
            async with asyncio.timeout(PATIENCE):
                while self._api.waiting < len(self._asked):  # noqa: ASYNC110  as above
                    await asyncio.sleep(LOOKS_EVERY)

        asyncio.run(there())

    def answered(self) -> set[int]:
        """Have the upstream answer, and give the statuses."""
        self._api.answers = True
        statuses = {each.result(PATIENCE).status_code for each in self._asked}
        self._asked.clear()
        self._api.answers = False
        return statuses

    def pass_by(self, seconds: int) -> None:
        """Let seconds pass, with a look at the load in each."""
        watch = self._front.gateway.service.overload
        assert watch is not None

        async def looked() -> None:
            for _ in range(seconds):
                self._front.clock.advance(1)
                await watch.look()

        self._front.server.run(looked())


def test_whose_overload_it_is(tmp_path: Path, clock: ManualClock) -> None:
    """A12, A29, A31, E33: who loads it most is throttled meanwhile, and has a case the second time.

    The other one is served throughout, and so is the first one as soon as it is over.
    """
    api = SlowApi()
    with Served(api) as upstream, ThreadPoolExecutor(20) as threads:
        config = write_config(tmp_path, upstream=upstream.url, response_timeout="60 seconds")
        gateway = config / "gateway.toml"
        gateway.write_text(gateway.read_text() + "[overload]\nnormal = 1\n")
        usual = {"salon": 20_000_000, "dentist": 80_000_000, EVERYBODY: 100_000_000}
        past = {
            account: dict.fromkeys(months("2026-10", 1), units) for account, units in usual.items()
        }
        asyncio.run(used_before(config, BUSY, past))
        with front(config, clock) as running:
            customers = Customers(running, api, threads)
            for _ in range(2):
                customers.pass_by(1)
                customers.ask(SALON, 6)
                customers.ask(DENTIST, 1)
                customers.pass_by(31)
                refused = customers.get(SALON)
                assert (refused.status_code, refused.json()["rule"]) == (503, OVERLOAD)
                assert (refused.json()["used"], refused.json()["amount"]) == (6, 1)
                customers.ask(DENTIST, 3)
                assert customers.answered() == {200}
                customers.pass_by(90)
                customers.ask(SALON)
                assert customers.answered() == {200}
                clock.advance(86_400)
            upkeep = running.gateway.service.upkeep
            assert upkeep is not None
            running.server.run(upkeep.run())
            ledger = running.told()
            [case] = running.server.run(ledger.cases("salon"))
            assert (case.rule, case.state, case.reading) == (OVERLOAD, "open", 2)
            assert running.server.run(ledger.cases("dentist")) == []
            kinds = [notice.kind for notice in running.server.run(ledger.notices("salon"))]
            assert sorted(kinds) == ["overload", "throttled", "throttled"]
