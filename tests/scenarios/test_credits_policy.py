"""The credits policy: a meter for each channel, whatever tells how much was sent through it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from tests.scenarios.support_documents import (
    ACME,
    contract,
    event,
    office,
    write_contracts,
)

if TYPE_CHECKING:
    from pathlib import Path

    from fairuse.base.clock import ManualClock

pytestmark = pytest.mark.anyio

CHANNELS = ("email", "sms", "phone", "push")
CREDITS = """
[packages.automation]
email-credits = 100
sms-credits   = 20
phone-credits = 5
push-credits  = 3
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """Give the contract of a customer with some credits for each channel."""
    return write_contracts(tmp_path, acme=contract(ACME, CREDITS, policy="credits"))


async def test_each_channel_has_credits_of_its_own(config: Path, clock: ManualClock) -> None:
    """D01, P9: what one channel sends is taken off its own credits, and off no other's."""
    async with office(config, clock) as desk:
        await desk.send("POST", "/emails", body={"recipients": ["a@x.example", "b@x.example"]})
        await desk.send("POST", "/push")
        limits = await desk.limits()
        assert {name: (limits[name]["used"], limits[name]["amount"]) for name in CHANNELS} == {
            "email": (2, 100),
            "sms": (0, 20),
            "phone": (0, 5),
            "push": (1, 3),
        }
        assert {entry["window"] for entry in limits.values()} == {"calendar month"}
        for _ in range(3):
            assert (await desk.send("POST", "/push")).status == 201
        assert await desk.cases() == ["push"]
        standings = {name: entry["standing"] for name, entry in (await desk.limits()).items()}
        assert standings == {**dict.fromkeys(CHANNELS, "within"), "push": "excessive"}


@pytest.mark.parametrize(
    ("recipients", "units"),
    [
        ([f"{number}@x.example" for number in range(50)], 50),
        (["a@x.example"], 1),
        ([], 0),
        (7, 7),
        (None, 1),
    ],
    ids=["fifty", "one", "none", "a number", "not told"],
)
async def test_an_email_costs_its_recipients(
    config: Path, clock: ManualClock, recipients: object, units: int
) -> None:
    """D04: one request to fifty recipients is fifty, and the API gets the whole of it."""
    async with office(config, clock) as desk:
        message = {"subject": "spring sale", "recipients": recipients}
        assert (await desk.send("POST", "/emails", body=message)).status == 201
        assert json.loads(desk.api.heard) == message
        assert (await desk.limits())["email"]["used"] == units
        assert await desk.metered("email") == units


@pytest.mark.parametrize("recipients", [-1, "many", 10**20])
async def test_an_email_to_no_number_of_recipients_is_one(
    config: Path,
    clock: ManualClock,
    caplog: pytest.LogCaptureFixture,
    recipients: object,
) -> None:
    """D04, P4, F-27: what can't be counted is sent, counts as one, and the operator is told."""
    async with office(config, clock) as desk:
        sent = await desk.send("POST", "/emails", body={"recipients": recipients})
        assert sent.status == 201
        assert await desk.metered("email") == 1
    said = [record.msg for record in caplog.records if isinstance(record.msg, dict)]
    assert [line["meter"] for line in said if line["event"] == "cost.unreadable"] == ["email"]


async def test_an_sms_costs_what_the_answer_says(config: Path, clock: ManualClock) -> None:
    """D05: the answer's number of segments counts; a message that was not sent costs nothing."""
    async with office(config, clock) as desk:
        desk.api.body = b'{"id": 7, "segments": 3, "to": {"segments": 9}}'
        assert (await desk.send("POST", "/sms", body={"text": "hello"})).status == 201
        assert (await desk.limits())["sms"]["used"] == 3
        desk.api.status = 502
        await desk.send("POST", "/sms", body={"text": "hello"})
        assert (await desk.limits())["sms"]["used"] == 3
        desk.api.status, desk.api.body = 201, b'{"id": 8}'
        await desk.send("POST", "/sms", body={"text": "hello"})
        assert (await desk.limits())["sms"]["used"] == 4


async def test_calls_count_by_machine_and_by_hand(config: Path, clock: ManualClock) -> None:
    """D06: a call the software makes and one that somebody dials are units of one meter."""
    async with office(config, clock) as desk:
        assert (await desk.send("POST", "/calls")).status == 201
        for number in range(3):
            await desk.tell(event("call.made", number, "2026-11-02T12:00", user="ada"))
        assert (await desk.limits())["phone"]["used"] == 4
        assert await desk.metered("phone") == 4
        await desk.tell(event("call.made", "fifth", "2026-11-02T12:30"))
        assert await desk.cases() == []
        assert (await desk.send("POST", "/calls")).status == 201
        assert await desk.cases() == ["phone"]


async def test_a_new_channel_is_configuration(config: Path, clock: ManualClock) -> None:
    """D07: video calls are counted, limited and told as soon as the files say what they are."""
    policy, tenant = config / "policies/credits.toml", config / "tenants/acme.toml"
    video = """
[meters.video]
unit  = "video minute"
count = ["POST /video", "event video.ended"]
cost  = { response_field = "minutes", event_field = "minutes" }
[limits.video]
meter  = "video"
scope  = "account"
amount = "video-credits"
window = "calendar month"
over   = "charge"
tariff = "video"
"""
    counts = '[counts]\nvideo-credits = "video credits"'
    policy.write_text(policy.read_text().replace("[counts]", counts) + video)
    text = tenant.read_text().replace(
        "[packages.automation]\n", "[packages.automation]\nvideo-credits = 40\n"
    )
    tenant.write_text(text + '\n[[tariffs.video]]\nprice = "EUR 0.30"\n')
    async with office(config, clock) as desk:
        desk.api.body = b'{"minutes": 25}'
        assert (await desk.send("POST", "/video")).status == 201
        await desk.tell(event("video.ended", 1, "2026-11-02T12:00", minutes=16))
        entry = (await desk.limits())["video"]
        assert (entry["used"], entry["amount"]) == (41, 40)
        assert await desk.cases() == ["video"]


async def test_everything_told_names_whom_to_ask(config: Path, clock: ManualClock) -> None:
    """D27, P10: every notice and every refusal says whom to contact about it."""
    async with office(config, clock) as desk:
        for number in range(6):
            await desk.send("POST", "/push")
            await desk.send("POST", "/sms")
            await desk.tell(event("call.made", number, "2026-11-02T12:00"))
        await desk.send("POST", "/emails", body={"recipients": 101})
        notices = await desk.notices()
        assert {notice.rule for notice in notices} == {"push", "phone", "email"}
        replies = [
            await desk.send("POST", "/push", account="nobody"),
            await desk.send("TRACE", "/push"),
        ]
        assert [reply.status for reply in replies] == [401, 405]
    told = [notice.body for notice in notices] + [reply.json()["contact"] for reply in replies]
    assert {"mailto:support@documents.example" in text for text in told} == {True}
