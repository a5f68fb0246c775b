"""Meter: what a request says it costs, and what is done about one that does not say it clearly."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from tests.stages.support import pages, policy, used
from tests.support import call, mounted, write_config

from fairuse.base.jsonfield import MAX_REQUEST

if TYPE_CHECKING:
    from pathlib import Path

    from starlette.types import Message
    from tests.support import Recorder

    from fairuse.base.clock import ManualClock

pytestmark = pytest.mark.anyio

IN_BODY = policy('cost = { request_field = "job.pages" }')
IN_LIST = policy('cost = { request_field = "to" }')
IN_HEADER = policy('cost = { request_header = "X-Pages" }')
DECIMALS = policy('decimals = 2\ncost = { request_field = "job.pages" }')

TOLD: dict[str, tuple[str, bytes, float]] = {
    "a number": (IN_BODY, b'{"job": {"pages": 7}}', 7),
    "a number as text": (IN_BODY, b'{"job": {"pages": "7"}}', 7),
    "a fraction is rounded up": (IN_BODY, b'{"job": {"pages": 2.5}}', 3),
    "a fraction that is counted": (DECIMALS, b'{"job": {"pages": 2.505}}', 2.51),
    "nothing": (IN_BODY, b'{"job": {"pages": 0}}', 0),
    "a list": (IN_LIST, b'{"to": ["a", "b", {"c": ["d"]}]}', 3),
    "an empty list": (IN_LIST, b'{"to": []}', 0),
    "not said": (IN_BODY, b'{"pages": 7}', 1),
    "said elsewhere": (IN_BODY, b'{"other": {"job": {"pages": 7}}}', 1),
    "no body": (IN_BODY, b"", 1),
}


@pytest.mark.parametrize("chunk", [1, 100_000])
@pytest.mark.parametrize("case", TOLD.values(), ids=TOLD)
async def test_a_request_costs_what_it_says(
    tmp_path: Path,
    recorder: Recorder,
    clock: ManualClock,
    case: tuple[str, bytes, float],
    chunk: int,
) -> None:
    """D04: a number or a list's length in the body is the cost, and the API gets it untouched."""
    rules, body, cost = case
    async with mounted(write_config(tmp_path, policy=rules), recorder, clock) as fair:
        assert (await pages(fair, body, chunk=chunk)).status == 201
        counted = round(cost * 100) if rules is DECIMALS else cost
        assert await used(fair) == (cost, counted)
    assert recorder.requests[0][1] == body


@pytest.mark.parametrize(("header", "cost"), [(b"7", 7), (b" 2.5 ", 3), (None, 1)])
async def test_a_header_can_say_the_cost(
    tmp_path: Path, recorder: Recorder, clock: ManualClock, header: bytes | None, cost: int
) -> None:
    """D04: a cost that stands in a request's header needs no body to be read."""
    headers = [(b"x-pages", header)] if header is not None else []
    async with mounted(write_config(tmp_path, policy=IN_HEADER), recorder, clock) as fair:
        assert (await pages(fair, headers=headers)).status == 201
        assert await used(fair) == (cost, cost)


UNREADABLE: dict[str, tuple[bytes, list[tuple[bytes, bytes]]]] = {
    "no number": (b'{"job": {"pages": "many"}}', []),
    "negative": (b'{"job": {"pages": -1}}', []),
    "too much to be counted": (b'{"job": {"pages": 1e18}}', []),
    "infinite": (b'{"job": {"pages": 1e999}}', []),
    "twice": (b'{"job": {"pages": 1}, "job": {"pages": 9}}', []),
    "no JSON": (b"pages=7", []),
    "another encoding": ('{"job": {"pages": 7}}'.encode("utf-16"), []),
    "compressed": (b"\x1f\x8b", [(b"content-encoding", b"gzip")]),
}


@pytest.mark.parametrize("case", UNREADABLE.values(), ids=UNREADABLE)
async def test_a_cost_that_is_not_clear_is_refused(
    tmp_path: Path,
    recorder: Recorder,
    clock: ManualClock,
    case: tuple[bytes, list[tuple[bytes, bytes]]],
) -> None:
    """F-27, F-7: what is no number of units, or can be read as two, is 400 and counts nothing."""
    body, headers = case
    async with mounted(write_config(tmp_path, policy=IN_BODY), recorder, clock) as fair:
        refused = await pages(fair, body, headers=headers)
        assert refused.status == 400
        assert refused.headers["content-type"] == "application/problem+json"
        assert refused.json()["title"] == "This request does not say clearly what it costs"
        assert await used(fair) == (0, 0)
    assert recorder.requests == []


@pytest.mark.parametrize("value", [b"many", b"-1", b"", b"1e18", b"nan"])
async def test_a_header_that_is_no_number_is_refused(
    tmp_path: Path, recorder: Recorder, clock: ManualClock, value: bytes
) -> None:
    """F-27: a header that is no number of units is 400, and the API never sees the request."""
    async with mounted(write_config(tmp_path, policy=IN_HEADER), recorder, clock) as fair:
        refused = await pages(fair, headers=[(b"x-pages", value)])
        assert (refused.status, refused.json()["rule"]) == (400, "m")
        assert await used(fair) == (0, 0)
    assert recorder.requests == []


async def test_a_header_that_says_it_twice_is_refused(
    tmp_path: Path, recorder: Recorder, clock: ManualClock
) -> None:
    """F-7, F-27: of two headers the API might take the other one, so both are refused."""
    async with mounted(write_config(tmp_path, policy=IN_HEADER), recorder, clock) as fair:
        refused = await pages(fair, headers=[(b"x-pages", b"1"), (b"x-pages", b"9")])
        assert (refused.status, refused.json()["rule"]) == (400, "m")
    assert recorder.requests == []


MEMBERS = {
    "addresses": ('["POST /pages"]', "/pages", ["192.0.2.1", "192.0.2.2", "2001:db8::1"]),
    "locations": ('["POST /locations/**"]', "/locations/{}/pages", ["a", "b", "c"]),
}


@pytest.mark.parametrize("measure", MEMBERS)
async def test_members_are_told_apart(
    tmp_path: Path, recorder: Recorder, clock: ManualClock, measure: str
) -> None:
    """A25: with two agreed the third address or location is refused, and the two come back."""
    routes, path, members = MEMBERS[measure]
    rules = policy(f'measure = "{measure}"\ncount = {routes}', amount="2")
    async with mounted(write_config(tmp_path, policy=rules), recorder, clock) as fair:
        for _ in range(2):
            statuses = []
            for member in members:
                address = member if measure == "addresses" else "203.0.113.9"
                reply = await call(fair, path=path.format(member), address=address)
                statuses.append(reply.status)
            assert statuses == [201, 201, 429]
        assert (await used(fair))[0] == 2
        if measure == "addresses":  # another one of the same /64 (F-19)
            same = await call(fair, path=path, address="2001:db8::2")
            assert same.status == 429
        else:  # what names no location is of none
            assert (await call(fair, path="/locations")).status == 201


async def test_a_body_too_large_to_be_read_is_refused(
    tmp_path: Path, recorder: Recorder, clock: ManualClock
) -> None:
    """F-12 (where the cost is read): a body over a megabyte is 413, one of a megabyte is served."""
    head, tail = b'{"job": {"pages": 2}, "x": "', b'"}'
    whole = head + b"x" * (MAX_REQUEST - len(head) - len(tail)) + tail
    async with mounted(write_config(tmp_path, policy=IN_BODY), recorder, clock) as fair:
        refused = await pages(fair, whole + b" ", headers=[(b"transfer-encoding", b"chunked")])
        assert (refused.status, "connection" in refused.headers) == (413, False)
        assert str(MAX_REQUEST) in refused.json()["detail"]
        assert (await pages(fair, whole)).status == 201
        assert await used(fair) == (2, 2)
    assert [len(body) for _, body in recorder.requests] == [MAX_REQUEST]


async def test_what_is_said_is_reserved_before_it_is_done(
    tmp_path: Path, recorder: Recorder, clock: ManualClock
) -> None:
    """D04, F-24: a request that says it costs more than is left is refused, and burns nothing."""
    async with mounted(write_config(tmp_path, policy=IN_BODY), recorder, clock) as fair:
        statuses = [
            (await pages(fair, json.dumps({"job": {"pages": count}}).encode())).status
            for count in (7, 4, 3, 1)
        ]
        assert statuses == [201, 429, 201, 429]
        assert await used(fair) == (10, 10)


async def test_a_request_that_moves_nothing_is_not_read(
    tmp_path: Path, recorder: Recorder, clock: ManualClock
) -> None:
    """A cost in a body is read on the meter's own routes; elsewhere a body may be of any size."""
    async with mounted(write_config(tmp_path, policy=IN_BODY), recorder, clock) as fair:
        large = {"type": "http.request", "body": b"x" * (MAX_REQUEST + 1), "more_body": False}
        assert (await call(fair, path="/other", body=[large])).status == 201
        assert await used(fair) == (0, 0)


async def test_a_client_that_leaves_its_body_half_sent_counts_as_it_would(
    tmp_path: Path, recorder: Recorder, clock: ManualClock
) -> None:
    """F-46: a body that breaks off before its cost is known is handed on as it came."""
    messages: list[Message] = [
        {"type": "http.request", "body": b'{"job": {"pa', "more_body": True},
        {"type": "http.disconnect"},
    ]
    async with mounted(write_config(tmp_path, policy=IN_BODY), recorder, clock) as fair:
        await call(fair, path="/pages", body=[*messages])
    assert recorder.requests[0][1] == b'{"job": {"pa'
