"""The hostile answers, as files: an upstream that breaks the rules harms one request at most."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from tests.hostile.cases import SPLITS, OfAnswer, read, split
from tests.hostile.checks import check_fields, check_status
from tests.hostile.client import PATIENCE, Client
from tests.hostile.stand import ACCOUNT, Stand, stand
from tests.hostile.upstream import Script

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.hostile.client import Got

CASES = read("answers", OfAnswer)


@pytest.fixture(scope="module")
def tried(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stand]:
    """Run one gateway for all cases."""
    with stand(tmp_path_factory.mktemp("hostile")) as running:
        yield running


@pytest.mark.parametrize("how", SPLITS)
@pytest.mark.parametrize("name", CASES)
def test_a_hostile_answer_ends_as_its_file_says(tried: Stand, name: str, how: str) -> None:
    """F-10, F-15, HTTP-7 to HTTP-13, HTTP-35: told as it is or not at all, and to nobody else."""
    wire, case = CASES[name]
    tried.next_minute()
    script = Script(list(split(wire, how, name)), case.then, case.early)
    tried.run(_try(tried, case, script))


async def _try(tried: Stand, case: OfAnswer, script: Script) -> None:
    upstream = tried.upstream
    upstream.script = script
    neighbour = await tried.neighbour()
    used = await tried.used()
    upstream.seen.clear()
    upstream.told.clear()
    client = await Client.connect(tried.port)
    head = case.request[0].startswith("HEAD ")
    try:
        await client.send([(_request(case), 1)])
        async with asyncio.timeout(PATIENCE):
            # Whatever is left over lies in the connection by the time another tenant could get it.
            await upstream.told.wait()
        final = await _check(case, client, head=head)
        [asked] = upstream.seen
        await tried.serves(neighbour, 2)
        reused = upstream.seen[-1].connection == asked.connection
        assert case.discarded is None or reused != case.discarded
        if case.ended == "whole" and not (client.gone or head or case.early):
            await tried.serves(client, len(await client.answers(0)) + 1)
    finally:
        client.close()
        neighbour.close()
    served = 200 <= final.status < 300
    counted = used + (served if case.counted is None else case.counted)
    assert await tried.settles_at(counted) == counted


def _request(case: OfAnswer) -> bytes:
    lines = [case.request[0], *ACCOUNT.split("\r\n"), *case.request[1:], "", case.request_body]
    return "\r\n".join(lines).encode()


async def _check(case: OfAnswer, client: Client, *, head: bool) -> Got:
    """Check and give the answer that came, and how it ended."""
    while True:
        interim = [one for one in await client.answers(0, head=head) if one.status < 200]
        got = await client.answers(len(interim) + 1, head=head)
        finals = [one for one in got if one.status >= 200]
        if finals or client.gone:
            break
    assert all(one.status not in (100, 101) for one in got)
    [final] = finals
    check_status(final, case.status)
    await _check_end(case, client, final)
    if final.status != 502:
        check_fields(final, case.fields, case.absent)
        assert case.body is None or final.body == case.body.encode()
    assert b"POISON" not in client.received
    return final


async def _check_end(case: OfAnswer, client: Client, final: Got) -> None:
    """Check that the answer ended as promised, not cleanly where the upstream's did not."""
    assert case.ended in ("whole", "aborted", "broken", "reset")
    if case.ended == "whole" or (case.ended == "broken" and final.status == 502):
        assert final.whole, final
        return
    assert await client.ended()
    if case.ended == "reset":
        assert client.reset
    else:
        [*_, cut] = await client.answers(0)
        assert not cut.whole
