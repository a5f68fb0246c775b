"""Usage events over a real socket: who may report, in which forms, and what is wrong with some."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from tests.entry.senders import (
    BATCH,
    CRM,
    PBX,
    SINGLE,
    config_of_senders,
    event,
    post,
    stored,
    told,
)
from tests.support import NOON, SALON, front

from fairuse.entry.events import MAX_BYTES, MAX_EVENTS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support import Front


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[Front]:
    """Run a gateway that two senders report to."""
    with front(config_of_senders(tmp_path)) as running:
        yield running


def used(gateway: Front) -> dict[str, Any]:
    """Give what the usage page says of each limit."""
    return {entry["limit"]: entry["used"] for entry in gateway.usage()["limits"]}


UNUSED = {
    "minutes-per-month": 0,
    "calls-per-month": 0,
    "short-calls-at-once": 0,
    "storage": 0,
    "places-in-use": 0,
}
ONE_CALL = UNUSED | {"minutes-per-month": 1.5, "calls-per-month": 1, "places-in-use": 1}


def test_one_event_as_json(gateway: Front) -> None:
    """S16: an event in structured mode moves every meter that counts its type, once it is told."""
    answer = post(gateway, event(), kind=f"{SINGLE}; charset=utf-8")
    assert (answer.status_code, answer.json()) == (200, told(counted=1))
    assert answer.headers["cache-control"] == "no-store"
    assert used(gateway) == ONE_CALL
    [entry] = [entry for entry in gateway.usage()["limits"] if "minutes" in entry["limit"]]
    assert entry["scope"] == {"location": "centrum"}


def test_a_batch_of_events(gateway: Front) -> None:
    """S16: a batch counts event by event: units, levels, places, and what is short enough."""
    short = event(data={"usage": {"minutes": 0.1}, "seconds": 6, "location": "noord"})
    answer = post(gateway, [event(), short, stored(70), event(subject="dentist"), stored(40)])
    assert (answer.status_code, answer.json()) == (200, told(counted=5))
    shown = used(gateway)
    assert shown["calls-per-month"] == shown["places-in-use"] == 2
    assert (shown["storage"], shown["short-calls-at-once"]) == (40, 1)
    minutes = {
        entry["scope"]["location"]: entry["used"]
        for entry in gateway.usage()["limits"]
        if entry["limit"] == "minutes-per-month"
    }
    assert minutes == {"centrum": 1.5, "noord": 0.1}
    assert post(gateway, []).json() == told()


def test_one_event_in_headers(gateway: Front) -> None:
    """S16: in binary mode the attributes are headers, percent-encoded, and the body is the data."""
    attributes = event(source="/pbx/caf%C3%A9", id='"a%20b"')
    data = attributes.pop("data")
    headers = {f"ce-{name}": value for name, value in attributes.items()}
    headers |= {"X-API-Key": CRM, "Content-Type": "application/json"}
    for answered in (told(counted=1), told(known=1)):
        answer = gateway.client.post("/fairuse/events", json=data, headers=headers)
        assert (answer.status_code, answer.json()) == (200, answered)
    same = event(source="/pbx/caf\u00e9", id="a b")
    assert post(gateway, same, kind=SINGLE).json() == told(known=1)
    assert used(gateway) == ONE_CALL


@pytest.mark.parametrize("key", [None, "", "wrong", SALON])
def test_only_a_sender_may_report(gateway: Front, key: str | None) -> None:
    """F-30: without a sender's key it is 401 and nothing counts; an account's own key is none."""
    answer = post(gateway, [event()], key=key)
    assert answer.status_code == 401
    assert answer.headers["content-type"] == "application/problem+json"
    assert used(gateway) == UNUSED


def test_a_senders_key_is_no_accounts(gateway: Front) -> None:
    """F-30: who may report usage can neither read an account's nor use its API."""
    for path in ("/fairuse/usage", "/calls"):
        answer = gateway.client.request("GET", path, headers={"X-API-Key": CRM})
        assert answer.status_code == 401


def test_guessing_keys_of_senders_is_slowed(gateway: Front) -> None:
    """F-22 (the bucket): an address that keeps guessing is told to wait, as anywhere else."""
    statuses = [post(gateway, [], key=f"guess-{number}").status_code for number in range(32)]
    assert statuses == [401] * 30 + [429] * 2
    assert post(gateway, []).status_code == 200


def test_an_event_counts_once(gateway: Front) -> None:
    """P8, S16: told twice in a batch, or again in the next one, an event counts once."""
    one, other = event(), event()
    assert post(gateway, [one, one, other]).json() == told(counted=2, known=1)
    changed = one | {"data": {"usage": {"minutes": 9}, "seconds": 1}}
    assert post(gateway, [other, one, changed]).json() == told(known=3)
    assert used(gateway)["calls-per-month"] == 2


def test_the_same_id_of_another_source_or_sender_is_another_event(gateway: Front) -> None:
    """P8, F-21: an event is named by sender, source and id; none of them alone makes it known."""
    one = event()
    other = one | {"source": "/pbx/rotterdam"}
    assert post(gateway, [one, other]).json() == told(counted=2)
    assert post(gateway, [one, other], key=PBX).json() == told(counted=2)
    assert used(gateway)["calls-per-month"] == 4


def without(name: str) -> dict[str, Any]:
    """Leave an attribute out."""
    return {key: value for key, value in event().items() if key != name}


BAD: dict[str, tuple[Any, str]] = {
    "no event": ("call", "event: Input should be a valid dictionary"),
    "no id": (without("id"), "id: Field required"),
    "no source": (without("source"), "source: Field required"),
    "no subject": (without("subject"), "subject: Field required"),
    "no time": (without("time"), "time: Field required"),
    "an empty id": (event(id=""), "id: String should have at least 1 character"),
    "an id that is no text": (event(id=7), "id: Input should be a valid string"),
    "half a character": (event(id="\ud800"), "id: Input should be a valid string"),
    "a long source": (event(source="x" * 1_025), "source: String should have at most 1024"),
    "another version": (event(specversion="0.3"), "specversion: Input should be '1.0'"),
    "a time without a zone": (event(time="2026-11-02T12:00:00"), "time: "),
    "no time at all": (event(time="yesterday"), "time: "),
    "the future": (event(NOON + 3_600), "time lies in the future"),
    "data that is no object": (event(data=[1]), "data: Input should be a valid dictionary"),
    "an unknown account": (event(subject="nobody"), 'there is no account "nobody"'),
    "an unknown type": (event(type="call.began"), "counts events of type"),
    "no units": (event(data={"seconds": 9}), "data.usage.minutes is missing"),
    "units that are none": (event(data={"usage": {"minutes": "x"}, "seconds": 9}), "no number"),
    "negative units": (event(data={"usage": {"minutes": -1}, "seconds": 9}), "no number of units"),
    "no length": (event(data={"usage": {"minutes": 1}}), "data.seconds is missing"),
    "a location that is no text": (
        event(data={"usage": {"minutes": 1}, "seconds": 9, "location": 7}),
        "data.location must be a text",
    ),
}


@pytest.mark.parametrize("case", BAD.values(), ids=BAD)
def test_a_bad_event_keeps_no_other_from_counting(gateway: Front, case: tuple[Any, str]) -> None:
    """S16: what is wrong with one event is said with its place and its id; the others count."""
    bad, reason = case
    answer = post(gateway, [bad, event(), bad])
    assert answer.status_code == 422
    body = answer.json()
    assert (body["counted"], body["known"]) == (1, 0)
    assert [refused["index"] for refused in body["refused"]] == [0, 2]
    assert all(reason in refused["reason"] for refused in body["refused"])
    if isinstance(bad, dict):
        assert body["refused"][0]["id"] == json.loads(json.dumps(bad)).get("id")
    assert used(gateway) == ONE_CALL


def test_a_bad_event_can_be_told_again_when_it_is_right(gateway: Front) -> None:
    """S16: an event that was refused is not known; once corrected it counts."""
    bad = event(subject="saloon")
    assert post(gateway, [bad]).status_code == 422
    assert post(gateway, [bad | {"subject": "salon"}]).json() == told(counted=1)


@pytest.mark.parametrize(
    ("kind", "body", "reason"),
    [
        (BATCH, "{}", "a batch is a JSON array of events"),
        (BATCH, json.dumps([{}] * (MAX_EVENTS + 1)), "a batch may have 1000 events"),
        (BATCH, "[", "the body is no JSON"),
        (SINGLE, "[" * 100_000, "the body is no JSON"),
        (SINGLE, "9" * 5_000, "the body is no JSON"),
        ("application/json", "[]", "the content type must be"),
        ("", "", "the content type must be"),
    ],
    ids=["no array", "too many", "no JSON", "too deep", "too long a number", "other", "none"],
)
def test_a_body_that_holds_no_events_is_refused(
    gateway: Front, kind: str, body: str, reason: str
) -> None:
    """F-50 (as a caller): what is no CloudEvents body is 400 and says what it should be."""
    headers = {"X-API-Key": CRM, "Content-Type": kind}
    answer = gateway.client.post("/fairuse/events", content=body, headers=headers)
    assert answer.status_code == 400
    assert reason in answer.json()["detail"]


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_events_are_posted(gateway: Front, method: str) -> None:
    """Another method than POST is 405, and goes nowhere."""
    answer = gateway.client.request(method, "/fairuse/events", headers={"X-API-Key": CRM})
    assert answer.status_code == 405


def test_a_body_that_is_too_large_is_refused(gateway: Front) -> None:
    """F-12: more than a megabyte is 413, said or not said before, and nothing of it counts."""
    large = json.dumps([event(), "x" * MAX_BYTES]).encode()
    headers = {"X-API-Key": CRM, "Content-Type": BATCH}
    for content in (
        large,
        (large[start : start + 65_536] for start in range(0, len(large), 65_536)),
    ):
        answer = gateway.client.post("/fairuse/events", content=content, headers=headers)
        assert answer.status_code == 413
    assert used(gateway) == UNUSED


def test_events_refuse_nothing_and_are_not_refused(gateway: Front) -> None:
    """S16, P4: facts count over a hard limit too, and what comes after them is refused."""
    assert post(gateway, [event() for _ in range(6)]).json() == told(counted=6)
    assert used(gateway)["calls-per-month"] == 6
    refused = gateway.client.post("/calls", headers={"X-API-Key": SALON})
    assert (refused.status_code, refused.json()["used"]) == (429, 6)
