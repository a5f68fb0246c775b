"""Measures on the way of a request: each refuses what it is for, says why, and ends by itself."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
from tests.measures import (
    CONTACT,
    DAY,
    REASON,
    ask,
    configured,
    ended,
    measured,
    status,
    take_up,
)
from tests.support import NOON, mounted, told

from fairuse.stores.history import breaches_since

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.support import Recorder, Reply

    from fairuse import FairUse
    from fairuse.base.clock import ManualClock
    from fairuse.stores.ledger import Ledger

pytestmark = pytest.mark.anyio

CENTRUM, NOORD = "/locations/centrum/appointments", "/locations/noord/appointments"
AT_CENTRUM = (("location", "centrum"),)


@asynccontextmanager
async def running(
    folder: Path, app: Recorder, clock: ManualClock
) -> AsyncIterator[tuple[FairUse, Ledger]]:
    """Run a gateway with two accounts, and give its ledger."""
    async with mounted(configured(folder), app, clock) as fair:
        assert fair.service.ledger is not None
        yield fair, fair.service.ledger


async def statuses(fair: FairUse, *paths: str, account: str = "salon") -> list[int]:
    """Give what an account is answered."""
    return [await status(fair, path, account) for path in paths]


async def test_a_suspended_account_and_nobody_else(
    tmp_path: Path, recorder: Recorder, clock: ManualClock
) -> None:
    """F-54, C21, P6, P9, A32: the account is refused, others are served, and it ends by itself."""
    async with running(tmp_path, recorder, clock) as (fair, ledger):
        assert await statuses(fair, CENTRUM, "/sms") == [201, 201]
        await measured(ledger, "suspend", NOON)
        await take_up(fair)
        assert await statuses(fair, CENTRUM, "/sms", "/anything") == [403, 403, 403]
        assert await statuses(fair, CENTRUM, "/sms", account="dentist") == [201, 201]
        assert await status(fair, "/fairuse/usage", method="GET") == 200
        clock.advance(DAY - 1)
        assert await status(fair, "/sms") == 403
        clock.advance(1)
        assert await statuses(fair, CENTRUM, "/sms") == [201, 201]
    assert len(recorder.requests) == 6


async def test_a_suspended_location_and_no_other(
    tmp_path: Path, recorder: Recorder, clock: ManualClock
) -> None:
    """C21 (partly), P9: one location is refused; the others, and what is about none, go on."""
    async with running(tmp_path, recorder, clock) as (fair, ledger):
        await measured(ledger, "suspend", NOON, scope=AT_CENTRUM)
        await take_up(fair)
        assert await statuses(fair, CENTRUM, NOORD, "/sms") == [403, 201, 201]
        assert await status(fair, CENTRUM.upper().replace("LOCATIONS", "locations")) == 403
        assert await status(fair, CENTRUM, "dentist") == 201


async def test_one_channel_is_blocked_and_the_other_is_served(
    tmp_path: Path, recorder: Recorder, clock: ManualClock
) -> None:
    """D14, B15, P9: the routes of the measure are refused with all below them, others are not."""
    async with running(tmp_path, recorder, clock) as (fair, ledger):
        await measured(ledger, "suspend", NOON, rule="sms", routes=("POST /sms", "* /addon/**"))
        await take_up(fair)
        assert await statuses(fair, "/sms", "/addon/calls", "/emails") == [403, 403, 201]
        assert await status(fair, "/sms", method="GET") == 201


async def test_a_feature_is_switched_off_and_comes_back(
    tmp_path: Path, recorder: Recorder, clock: ManualClock
) -> None:
    """A10, B14: exports are off with a reason, the rest is served; at the end they are back."""
    async with running(tmp_path, recorder, clock) as (fair, ledger):
        await measured(ledger, "degrade", NOON, routes=("* /export/**",))
        await take_up(fair)
        assert await statuses(fair, "/export/all", CENTRUM) == [403, 201]
        clock.advance(DAY)
        assert await statuses(fair, "/export/all", CENTRUM) == [201, 201]


async def test_a_measure_that_is_ended_early_is_over(
    tmp_path: Path, recorder: Recorder, clock: ManualClock
) -> None:
    """A08, P6: who brought the use back is served again from the next request on."""
    async with running(tmp_path, recorder, clock) as (fair, ledger):
        measure = await measured(ledger, "suspend", NOON, ends_at=None, until_under=True)
        await take_up(fair)
        assert await status(fair, "/sms") == 403
        clock.advance(100 * DAY)
        assert await status(fair, "/sms") == 403
        await ended(ledger, measure, clock.wall)
        await take_up(fair)
        assert await status(fair, "/sms") == 201


async def test_a_measure_holds_after_a_restart(
    tmp_path: Path, recorder: Recorder, clock: ManualClock
) -> None:
    """S15, A32: a node that starts knows what is in force, and when it ends."""
    async with running(tmp_path, recorder, clock) as (_, ledger):
        await measured(ledger, "suspend", NOON)
    async with mounted(tmp_path / "config", recorder, clock) as fair:
        await take_up(fair)
        assert await status(fair, "/sms") == 403
        clock.advance(DAY)
        assert await status(fair, "/sms") == 201


TOLD: dict[str, tuple[str, str, str]] = {
    "en": (
        "This is suspended for a while",
        f"are refused until November 3, 2026, 1:00:00\u202fPM +0100: {REASON}.",
        "You were told beforehand; this request was not counted.",
    ),
    "nl": (
        "Dit is een tijdje opgeschort",
        f"geweigerd tot 3 november 2026, 13:00:00 CET: {REASON}.",
        "U bent hierover vooraf bericht",
    ),
    "de": (
        "Dies ist für eine Weile gesperrt",
        f"werden bis zum 3. November 2026, 13:00:00 MEZ abgelehnt: {REASON}.",
        "Sie wurden vorab darüber informiert",
    ),
}


@pytest.mark.parametrize(("language", "said"), TOLD.items())
async def test_a_refusal_says_everything(
    tmp_path: Path,
    recorder: Recorder,
    clock: ManualClock,
    language: str,
    said: tuple[str, str, str],
) -> None:
    """P10: the rule, the figures, why, until when and whom to ask, in the reader's language."""
    async with running(tmp_path, recorder, clock) as (fair, ledger):
        await measured(ledger, "suspend", NOON, scope=AT_CENTRUM)
        await take_up(fair)
        wanted = [(b"accept-language", language.encode())]
        reply = await ask(fair, CENTRUM, headers=wanted)
    problem = reply.json()
    title, *sentences = said
    assert problem["title"] == title
    assert [sentence for sentence in sentences if sentence not in problem["detail"]] == []
    assert reply.headers["content-type"] == "application/problem+json"
    assert reply.headers["retry-after"] == str(DAY)
    assert problem["type"] == "urn:fairuse:problem:suspended"
    assert problem["rule"] == "appointments-per-month"
    assert (problem["used"], problem["amount"], problem["unit"]) == (61, 60, "appointment")
    assert problem["scope"] == {"location": "centrum"}
    assert problem["until"] == "2026-11-03T13:00:00+01:00"
    assert problem["contact"] == CONTACT


OPEN_ENDS: dict[str, tuple[dict[str, Any], str, str | None]] = {
    "looked at again": (
        {"review_at": NOON + 7 * DAY},
        "until it is looked at again on November 9, 2026",
        "2026-11-09T13:00:00+01:00",
    ),
    "under the limit": (
        {"until_under": True, "review_at": NOON + DAY},
        "until the use is within the agreed amount again",
        None,
    ),
}


@pytest.mark.parametrize(("ends", "words", "review"), OPEN_ENDS.values(), ids=OPEN_ENDS)
async def test_an_open_end_says_what_ends_it(
    tmp_path: Path,
    recorder: Recorder,
    clock: ManualClock,
    ends: dict[str, Any],
    words: str,
    review: str | None,
) -> None:
    """P6, P10: where no moment is known, the refusal says what is waited for."""
    async with running(tmp_path, recorder, clock) as (fair, ledger):
        await measured(ledger, "degrade", NOON, ends_at=None, routes=("* /export/**",), **ends)
        await take_up(fair)
        reply = await ask(fair, "/export/all")
    problem = reply.json()
    assert words in problem["detail"]
    assert problem.get("review") == review
    assert "until" not in problem
    assert "retry-after" not in reply.headers
    assert problem["type"] == "urn:fairuse:problem:feature-off"


async def chat(fair: FairUse, user: str, account: str = "salon", path: str = "/chat") -> Reply:
    """Have a user send a request."""
    return await ask(fair, path, account, headers=[(b"x-user", user.encode())])


async def test_new_users_are_kept_out_and_the_others_go_on(
    tmp_path: Path, recorder: Recorder, clock: ManualClock
) -> None:
    """E21, P9, P6: who was active before goes on; a new one waits for the end of the measure."""
    async with running(tmp_path, recorder, clock) as (fair, ledger):
        assert [(await chat(fair, user)).status for user in ("jan", "piet")] == [201, 201]
        await measured(ledger, "deny new users", NOON, rule="users", limit="users")
        await take_up(fair)
        found = [(await chat(fair, user)).status for user in ("jan", "klaas", "piet", "klaas")]
        assert found == [201, 403, 201, 403]
        problem = (await chat(fair, "klaas")).json()
        assert problem["type"] == "urn:fairuse:problem:no-new-users"
        assert problem["rule"] == "users"
        assert REASON in problem["detail"]
        assert problem["until"] == "2026-11-03T13:00:00+01:00"
        assert (await chat(fair, "klaas", "dentist")).status == 201
        assert (await chat(fair, "klaas", path="/sms")).status == 201
        clock.advance(DAY)
        assert (await chat(fair, "klaas")).status == 201
        breaches = await breaches_since(await told(fair.service), 0)
        assert breaches == []


async def test_in_a_new_window_nobody_is_new(
    tmp_path: Path, recorder: Recorder, clock: ManualClock
) -> None:
    """P9 (deny new users): in December nobody was seen yet, so nobody is kept out."""
    async with running(tmp_path, recorder, clock) as (fair, ledger):
        await chat(fair, "jan", path="/visit")
        kept: dict[str, Any] = {"limit": "visitors", "ends_at": NOON + 60 * DAY}
        await measured(ledger, "deny new users", NOON, rule="visitors", **kept)
        await take_up(fair)
        found = [(await chat(fair, user, path="/visit")).status for user in ("jan", "klaas")]
        assert found == [201, 403]
        clock.advance(29 * DAY)
        found = [(await chat(fair, user, path="/visit")).status for user in ("klaas", "jan")]
        assert found == [201, 201]
