"""S9, S10 and S11 over real sockets, with the sample document service behind the gateway."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
from examples.document_api import app as service
from examples.document_api.pdf import render
from tests.scenarios.support_documents import ACME, contract, key_of, moment, write_contracts
from tests.support import Served, front

from fairuse.base.clock import ManualClock

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import httpx
    from tests.support import Front

PLAN = "/collaborations/plan"
ORDER = """
[packages.standard]
packs = 4
parallel-generations = 5
[packages.collaborate]
users = 10
"""


@pytest.fixture
def clock() -> ManualClock:
    """Give a clock at 10 March 2025, 15:00 in Berlin."""
    return ManualClock(moment("2025-03-10T15:00"))


@pytest.fixture
def documents(tmp_path: Path, clock: ManualClock) -> Iterator[Front]:
    """Run the gateway in front of the document service."""
    with Served(service.create_app(tmp_path / "documents.db"), lifespan="on") as upstream:
        config = write_contracts(tmp_path, upstream.url, acme=contract(ACME, ORDER))
        with front(config, clock) as running:
            yield running


def send(
    documents: Front, method: str, path: str, user: str = "ada", **body: Any
) -> httpx.Response:
    """Send a request of a user of the account."""
    headers = {"X-API-Key": key_of(ACME), "X-User": user}
    return documents.client.request(method, path, json=body or None, headers=headers)


def generate(documents: Front, pages: int = 1, **options: Any) -> httpx.Response:
    """Generate a document of so many pages."""
    return send(documents, "POST", "/documents", template="letter", pages=pages, **options)


def settled(documents: Front) -> None:
    """Wait until every request was settled; its answer is there a moment before."""

    async def done(tasks: set[asyncio.Task[None]]) -> None:
        if tasks:
            await asyncio.wait(tasks)

    documents.server.run(done(documents.server._server.server_state.tasks))


def limits(documents: Front) -> dict[str, Any]:
    """Give what the usage page says of each limit."""
    settled(documents)
    return {entry["limit"]: entry for entry in documents.usage(key_of(ACME))["limits"]}


def notices(documents: Front) -> list[str]:
    """Give the rules of the account's notices, oldest first."""
    settled(documents)
    told = documents.server.run(documents.told().notices(ACME))
    return [notice.rule for notice in reversed(told) if notice.kind != "warning"]


def upkeep(documents: Front, local: str) -> None:
    """Let time pass until a moment of the customer's own time, and do what is due."""
    documents.clock.advance(moment(local) - documents.clock.wall)
    keeper = documents.gateway.service.upkeep
    assert keeper is not None
    documents.server.run(keeper.run())


def test_seven_generations_at_the_same_time_of_five(
    documents: Front, monkeypatch: pytest.MonkeyPatch
) -> None:
    """S9, E12: all seven are served while the others run; two over five are recorded and told."""
    meeting = threading.Barrier(7)

    def together(*given: Any) -> bytes:
        meeting.wait(20)
        return render(*given)

    monkeypatch.setattr(service, "render", together)
    with ThreadPoolExecutor(7) as pool:
        replies = list(pool.map(lambda _: generate(documents), range(7)))
    assert [reply.status_code for reply in replies] == [201] * 7
    assert {reply.content[:5] for reply in replies} == {b"%PDF-"}
    entry = limits(documents)["on-demand-generations"]
    assert (entry["used"], entry["highest"], entry["amount"]) == (0, 7, 5)
    assert notices(documents) == ["on-demand-generations"]


def test_the_eleventh_user_of_ten(documents: Front) -> None:
    """S10, E21: the eleventh gets a 403 that says why, and each of the ten is served after it."""

    def letter(user: str) -> httpx.Response:
        return send(documents, "POST", "/correspondence", user, template="letter")

    users = [f"user-{number}" for number in range(10)]
    assert {letter(user).status_code for user in users} == {201}
    refused = letter("user-11")
    assert refused.status_code == 403
    assert refused.headers["content-type"] == "application/problem+json"
    assert refused.json()["rule"] == "active-users"
    assert {letter(user).status_code for user in users} == {201}
    assert limits(documents)["correspond-pages"]["used"] == 20


def test_an_unfinished_page_ages_twelve_months(documents: Front) -> None:
    """S11, E28, E29: opened on 10 March 2025; warned in February 2026, counted in March, once."""
    assert send(documents, "PUT", PLAN, pages=4).status_code == 201
    upkeep(documents, "2026-02-09T12:00")
    assert notices(documents) == []
    upkeep(documents, "2026-02-10T12:00")
    assert notices(documents) == ["unfinished-pages"]
    upkeep(documents, "2026-03-09T23:59")
    assert limits(documents)["collaborative-pages"]["used"] == 0
    for local in ("2026-03-10T00:00", "2026-03-10T00:01"):
        upkeep(documents, local)
        assert limits(documents)["collaborative-pages"]["used"] == 4
    assert send(documents, "POST", f"{PLAN}/finish").status_code == 201
    assert limits(documents)["collaborative-pages"]["used"] == 4
    assert notices(documents) == ["unfinished-pages"]


def test_pages_are_what_the_service_says(documents: Front) -> None:
    """E37: seven generated pages cost seven; what the service could not generate costs none."""
    for broken in ("broken", ""):
        reply = send(documents, "POST", "/documents", template=broken, pages=7)
        assert reply.status_code in (422, 500)
    assert limits(documents)["on-demand-pages"]["used"] == 0
    assert generate(documents, 7).headers["x-pages"] == "7"
    assert limits(documents)["on-demand-pages"]["used"] == 7
    assert limits(documents)["pages-per-minute"]["used"] == 7


def test_storage_is_what_the_service_says(documents: Front) -> None:
    """E22, E27, E28: stored bytes and pages rise and fall with what the service keeps."""
    made = generate(documents, 2)
    assert limits(documents)["stored-bytes"]["used"] == len(made.content)
    send(documents, "PUT", PLAN, pages=4)
    assert limits(documents)["stored-pages"]["used"] == 4
    assert limits(documents)["stored-bytes"]["used"] > len(made.content)
    assert send(documents, "DELETE", PLAN).status_code == 204
    assert send(documents, "DELETE", made.headers["location"]).status_code == 204
    found = limits(documents)
    assert (found["stored-bytes"]["used"], found["stored-pages"]["used"]) == (0, 0)


def test_views_cost_the_pages_that_were_seen(documents: Front) -> None:
    """E24: reading a draft of four pages is four views, and a finished document's is none."""
    send(documents, "PUT", PLAN, pages=4)
    assert send(documents, "GET", PLAN).status_code == 200
    finished = send(documents, "POST", f"{PLAN}/finish")
    assert send(documents, "GET", finished.headers["location"]).status_code == 200
    assert limits(documents)["collaborative-views"]["used"] == 4
    assert limits(documents)["collaborative-pages"]["used"] == 4
