"""The hostile requests, as files: what can be read in two ways gets no further than the gateway."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.hostile.cases import SPLITS, OfRequest, read, split
from tests.hostile.checks import check_answers, check_echoes, check_upstream
from tests.hostile.client import Client, pause
from tests.hostile.stand import Stand, stand

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.hostile.client import Got

CASES = read("requests", OfRequest)


@pytest.fixture(scope="module")
def tried(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stand]:
    """Run one gateway for all cases."""
    with stand(tmp_path_factory.mktemp("hostile")) as running:
        running.upstream.before_answering = running.turn
        yield running


@pytest.mark.parametrize("how", SPLITS)
@pytest.mark.parametrize("name", CASES)
def test_a_hostile_request_ends_as_its_file_says(tried: Stand, name: str, how: str) -> None:
    """F-1 to F-9, F-11, F-15: answered, forwarded, counted and closed just as promised."""
    wire, case = CASES[name]
    tried.next_minute()
    tried.run(_try(tried, case, wire, how, name))


async def _try(tried: Stand, case: OfRequest, wire: bytes, how: str, name: str) -> None:
    neighbour = await tried.neighbour()
    used = await tried.used()
    tried.upstream.seen.clear()
    client = await Client.connect(tried.port)
    try:
        await client.send(split(wire, how, name))
        got = await _check(tried, case, client)
    finally:
        client.close()
        await tried.still()
    seen = [one for one in tried.upstream.seen if not one.line.startswith("GET /neighbour/")]
    check_upstream(case.upstream, seen)
    if not case.head and not case.hangs_up:
        check_echoes(await client.answers(0), seen)
    await tried.serves(neighbour, 2)
    neighbour.close()
    served = sum(200 <= answer.status < 300 for answer in got)
    counted = used + (served if case.counted is None else case.counted)
    assert await tried.settles_at(counted) == counted


async def _check(tried: Stand, case: OfRequest, client: Client) -> list[Got]:
    """Check and give the answers, and whether the connection is closed after them or goes on."""
    if case.hangs_up:
        await pause(60)
        client.close()
        assert await client.ended()
    got = await client.answers(len(case.answers), head=case.head)
    check_answers(case, got)
    if case.closed:
        assert await client.ended(), "the connection is still open"
        check_answers(case, await client.answers(0, head=case.head))
        return got
    await pause(20)
    assert not client.gone or case.closed is None
    if not case.head and not client.gone:
        await tried.serves(client, len(got) + 1)
    return got
