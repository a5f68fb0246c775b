"""The token example: its policy does what its contract says."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest
from examples.token_api.app import MOST_TOKENS, app
from tests.support import NOON, REPOSITORY, Reply, call, mounted, told

from fairuse.base.clock import ManualClock
from fairuse.stores.configuration import Configuration

if TYPE_CHECKING:
    from pathlib import Path

    from starlette.types import ASGIApp, Receive, Scope, Send

pytestmark = pytest.mark.anyio

CONFIG = REPOSITORY / "examples/token_api/config"
DUTCH = "demo-vertaalbureau-noord"
GERMAN = "demo-kanzlei-adler"
HOUR = 3600.0
DAY = 24 * HOUR
DEAREST = MOST_TOKENS - 1
"""How often one word is said again in the dearest answer."""
A_DAY_FULL = 100_000 // MOST_TOKENS
"""How many of those one seat has in 24 hours."""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the ledger out of the repository."""
    monkeypatch.chdir(tmp_path)


async def complete(
    fair: ASGIApp, times: int = 1, *, key: str = GERMAN, user: str | None = "eva"
) -> Reply:
    """Ask for one word, and to have it said so many times."""
    headers = [(b"content-type", b"application/json")]
    if user is not None:
        headers.append((b"x-user", user.encode()))
    body = json.dumps({"prompt": "word", "n": times}).encode()
    return await call(
        fair,
        "POST",
        "/v1/completions",
        key=key,
        headers=headers,
        body=[{"type": "http.request", "body": body, "more_body": False}],
    )


async def usage(fair: ASGIApp, key: str = GERMAN) -> Any:
    """Read the usage page."""
    return (await call(fair, "GET", "/fairuse/usage", key=key)).json()


async def used(fair: ASGIApp, key: str = GERMAN) -> dict[str, tuple[int, int]]:
    """Give what is used of each limit, and its amount."""
    limits = (await usage(fair, key))["limits"]
    return {limit["limit"]: (limit["used"], limit["amount"]) for limit in limits}


def test_the_configuration_is_right_and_deserves_no_look() -> None:
    """Nothing is wrong with the example's configuration, and nothing is warned of."""
    configuration = Configuration(CONFIG)
    assert configuration.reload() == []
    assert configuration.warnings() == []


async def test_tokens_are_counted_as_the_answer_says() -> None:
    """What an answer says it cost is what counts, against a million a month for each seat."""
    async with mounted(CONFIG, app, ManualClock(NOON)) as fair:
        answers = [await complete(fair, times, key=DUTCH) for times in (1, 41, 7)]
        assert [answer.json()["usage"]["total_tokens"] for answer in answers] == [2, 42, 8]
        assert await used(fair, DUTCH) == {
            "tokens-per-month": (52, 2_000_000),
            "tokens-per-24-hours": (52, 200_000),
            "users-with-a-seat": (1, 2),
        }


async def test_what_the_api_refuses_costs_nothing() -> None:
    """A request that the API doesn't accept moves no meter."""
    async with mounted(CONFIG, app, ManualClock(NOON)) as fair:
        assert (await complete(fair, DEAREST + 1)).status == 400
        assert {amount for amount, _ in (await used(fair)).values()} == {0}


async def test_a_tenth_of_the_month_is_the_most_in_24_hours() -> None:
    """Beyond a tenth it is refused until the moment that it said, and then served again."""
    clock = ManualClock(NOON)
    async with mounted(CONFIG, app, clock) as fair:
        half = A_DAY_FULL // 2
        for _ in range(half):
            assert (await complete(fair, DEAREST)).status == 200
        clock.advance(6 * HOUR)
        for _ in range(A_DAY_FULL - half):
            assert (await complete(fair, DEAREST)).status == 200
        refused = await complete(fair)
        assert refused.status == 429
        assert refused.headers["retry-after"] == str(round(18 * HOUR))
        assert refused.headers["content-language"] == "de"
        problem = refused.json()
        assert problem["rule"] == "tokens-per-24-hours"
        assert (problem["used"], problem["amount"]) == (100_000, 100_000)
        assert problem["until"] == "2026-11-03T13:00:00+01:00"
        clock.advance(18 * HOUR - 1)
        assert (await complete(fair)).status == 429
        clock.advance(1)
        assert (await complete(fair)).status == 200


async def test_many_at_once_stay_within_the_24_hours_together() -> None:
    """What isn't answered yet is reserved, so no more are let in than there is room for."""
    answering = asyncio.Event()

    async def slow(scope: Scope, receive: Receive, send: Send) -> None:
        await answering.wait()
        await app(scope, receive, send)

    async with mounted(CONFIG, slow, ManualClock(NOON)) as fair, asyncio.timeout(20):
        calls = [asyncio.create_task(complete(fair, DEAREST)) for _ in range(A_DAY_FULL + 5)]
        while sum(one.done() for one in calls) < 5:
            await asyncio.wait(
                [one for one in calls if not one.done()], return_when=asyncio.FIRST_COMPLETED
            )
        answering.set()
        statuses = [answer.status for answer in await asyncio.gather(*calls)]
        assert sorted(statuses) == [200] * A_DAY_FULL + [429] * 5
        assert (await used(fair))["tokens-per-24-hours"] == (100_000, 100_000)


async def test_over_the_month_nothing_is_refused_and_the_price_is_told() -> None:
    """Beyond the month's million requests are served, and a notice says what they may cost."""
    clock = ManualClock(NOON)
    async with mounted(CONFIG, app, clock) as fair:
        for _ in range(10):
            for _ in range(A_DAY_FULL):
                assert (await complete(fair, DEAREST)).status == 200
            clock.advance(DAY)
        assert (await used(fair))["tokens-per-month"] == (1_000_000, 1_000_000)
        await told(fair.service)
        assert (await usage(fair))["notices"] == []
        assert (await complete(fair)).status == 200
        await told(fair.service)
        page = await usage(fair)
        assert [(case["rule"], case["state"]) for case in page["cases"]] == [
            ("tokens-per-month", "open")
        ]
        (notice,) = page["notices"]
        assert "0,000002\N{NO-BREAK SPACE}€ je Token" in notice["body"]
        assert (await complete(fair)).status == 200


async def test_only_as_many_users_as_seats() -> None:
    """Whoever comes after the seats are taken gets 403 all month, and the others go on."""
    clock = ManualClock(NOON)
    async with mounted(CONFIG, app, clock) as fair:
        assert (await complete(fair, user="eva")).status == 200
        refused = await complete(fair, user="otto")
        assert refused.status == 403
        assert refused.json()["rule"] == "users-with-a-seat"
        assert refused.json()["until"] == "2026-12-01T00:00:00+01:00"
        assert (await complete(fair, user=None)).status == 403
        assert (await complete(fair, user="eva")).status == 200
        clock.advance(int(refused.headers["retry-after"]))
        assert (await complete(fair, user="otto")).status == 200


async def test_a_bought_seat_brings_a_user_and_its_tokens() -> None:
    """From December on the German customer has two seats, and twice the tokens."""
    async with mounted(CONFIG, app, ManualClock(NOON + 30 * DAY)) as fair:
        users = [(await complete(fair, user=user)).status for user in ("eva", "otto", "ida")]
        assert users == [200, 200, 403]
        assert await used(fair) == {
            "tokens-per-month": (4, 2_000_000),
            "tokens-per-24-hours": (4, 200_000),
            "users-with-a-seat": (2, 2),
        }


async def test_a_restart_keeps_the_counts() -> None:
    """What was used and who has a seat is known after a restart, and still refused."""
    clock = ManualClock(NOON)
    async with mounted(CONFIG, app, clock) as fair:
        for _ in range(A_DAY_FULL):
            await complete(fair, DEAREST)
        before = await used(fair)
    clock.advance(HOUR)
    async with mounted(CONFIG, app, clock) as fair:
        assert await used(fair) == before
        refused = await complete(fair)
        assert refused.status == 429
        assert refused.headers["retry-after"] == str(round(23 * HOUR))
        clock.advance(DAY)
        assert (await complete(fair, user="otto")).status == 403
