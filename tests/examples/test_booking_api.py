"""The booking service keeps what its routes promise."""

import asyncio
import csv
import json
import sys
import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from subprocess import PIPE, Popen
from typing import Any
from unittest.mock import AsyncMock

import httpx
import pytest
from examples.booking_api.app import MAX_BODY, create_app
from examples.booking_api.store import PAGE, Appointment, Store

with warnings.catch_warnings(action="ignore"):  # it would rather have httpx2 than our httpx
    from starlette.testclient import TestClient

PLACE = "/locations/main-street/appointments"
BOOKING = {"customer": "Ada", "start": "2026-12-01T10:00"}
WRONG = [
    ({}, ["customer", "start"]),
    ({"customer": " ", "start": "soon", "minutes": True}, ["customer", "minutes", "start"]),
    ({"customer": "\ud800", "start": "2026-02-30T10:00"}, ["customer", "start"]),
    ({**BOOKING, "start": "2026-12-01T10:00+01:00", "minutes": 481}, ["minutes", "start"]),
    ({**BOOKING, "minute": 45, "\ud800": 45, "minutes": 4}, ["minute", "?", "minutes"]),
]


@pytest.fixture
def client(tmp_path: Path) -> Iterator[TestClient]:
    """Return a client of the service over a new database."""
    with TestClient(create_app(tmp_path / "booking.db")) as client:
        yield client


def _book(client: TestClient, **fields: object) -> int:
    return int(client.post(PLACE, json=BOOKING | fields).json()["id"])


def _ids(answer: Any) -> list[int]:
    return [appointment["id"] for appointment in answer.json()["appointments"]]


def _wrong_fields(answer: Any) -> list[str]:
    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")
    return [error["field"] for error in answer.json()["errors"]]


def test_a_booking_is_found_where_location_says(client: TestClient) -> None:
    """A new appointment comes back whole, takes 30 minutes and has an address."""
    whole = {"id": 1, "location": "main-street", **BOOKING, "minutes": 30}
    answer = client.post(PLACE, json=BOOKING)
    assert (answer.status_code, answer.json()) == (201, whole)
    assert client.get(answer.headers["location"]).json() == whole


@pytest.mark.parametrize(("body", "fields"), WRONG)
def test_wrong_fields(client: TestClient, body: dict[str, object], fields: list[str]) -> None:
    """A booking with wrong fields is refused, and the problem names all of them."""
    assert _wrong_fields(client.post(PLACE, content=json.dumps(body))) == fields


@pytest.mark.parametrize("body", ["", "[]", "{", "\x00", "[" * 60_000], ids=len)
def test_a_body_must_be_a_json_object(client: TestClient, body: str) -> None:
    """Anything but a JSON object is a bad request."""
    answer = client.post(PLACE, content=body)
    assert (answer.status_code, answer.json()["title"]) == (400, "Bad Request")


@pytest.mark.parametrize(("headers", "reads"), [([(b"content-length", b"65537")], 0), ([], 5)])
def test_a_large_body_is_not_read(tmp_path: Path, headers: object, reads: int) -> None:
    """Reading stops before a body that says it is too large, and within one that does not."""
    chunk = {"type": "http.request", "body": bytes(MAX_BODY // 4), "more_body": True}
    receive, send = AsyncMock(return_value=chunk), AsyncMock()
    scope = {"type": "http", "method": "POST", "path": PLACE, "headers": headers}
    asyncio.run(create_app(tmp_path / "booking.db")(scope, receive, send))
    assert (send.await_args_list[0].args[0]["status"], receive.await_count) == (413, reads)


def test_the_list_is_newest_first(client: TestClient) -> None:
    """The list holds one location's bookings, the last one first, by day and limit if asked."""
    client.post("/locations/elsewhere/appointments", json=BOOKING)
    first, second, other_day = _book(client), _book(client), _book(client, start="2026-12-02T00:00")
    assert _ids(client.get(PLACE)) == [other_day, second, first]
    assert _ids(client.get(f"{PLACE}?day=2026-12-01")) == [second, first]
    assert _ids(client.get(f"{PLACE}?day=2026-12-01&limit=1")) == [second]


@pytest.mark.parametrize("limit", ["0", "501", "many", "-1", ""])
def test_a_list_is_bounded(client: TestClient, limit: str) -> None:
    """A limit outside 1 to 500 and a day that is none are both refused by name."""
    assert _wrong_fields(client.get(f"{PLACE}?limit={limit}&day=today")) == ["day", "limit"]


def test_an_appointment_moves(client: TestClient) -> None:
    """A change of start or minutes leaves the other as it was; no change at all is refused."""
    one = f"{PLACE}/{_book(client)}"
    assert client.patch(one, json={"minutes": 60}).json()["start"] == BOOKING["start"]
    assert client.patch(one, json={"start": "2026-12-03T09:30"}).json()["minutes"] == 60
    assert _wrong_fields(client.patch(one, json={})) == ["minutes", "start"]
    assert _wrong_fields(client.patch(one, json={"minutes": 5, "customer": "B"})) == ["customer"]


def test_a_deleted_appointment_is_gone(client: TestClient) -> None:
    """Deletion answers 204 once; after it the appointment is unknown to every method."""
    one = f"{PLACE}/{_book(client)}"
    assert client.delete(one).status_code == 204
    answers = [client.get(one), client.delete(one), client.patch(one, json={"minutes": 5})]
    assert [answer.json()["title"] for answer in answers] == ["Not Found"] * 3


@pytest.mark.parametrize("place", ["Main", "a_b", "a" * 65, "%2E", "a/b"])
def test_a_location_is_a_slug(client: TestClient, place: str) -> None:
    """A location that is no slug, a huge id and a trailing slash are all unknown addresses."""
    for path in (f"/locations/{place}/appointments", f"{PLACE}/{'9' * 19}", f"{PLACE}/"):
        assert client.get(path).status_code == 404


def test_the_export_holds_every_row(client: TestClient) -> None:
    """The CSV export has a header and all bookings, also beyond one page."""
    rows = [[str(_book(client, customer='A, "B"')), 'A, "B"'] for _ in range(PAGE + 1)]
    answer = client.get(f"{PLACE}.csv")
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    header, *found = csv.reader(answer.text.splitlines())
    assert (header, [[row[0], row[2]] for row in found]) == (list(Appointment._fields), rows)


def test_threads_share_the_store(tmp_path: Path) -> None:
    """Bookings of one moment from many threads are all kept, each under an id of its own."""
    with closing(Store(tmp_path / "booking.db")) as store, ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda name: store.add("here", name, "", 30), map(str, range(400))))
        assert sorted(store.newest("here", None, 500)) == sorted(made)


def test_the_service_says_where_it_listens(tmp_path: Path) -> None:
    """Started as a program it prints its address in one line, and answers there."""
    command = [sys.executable, "-mexamples.booking_api", "--port=0", f"--database={tmp_path}/db"]
    with Popen(command, stdout=PIPE, text=True, cwd=Path(__file__).parents[2]) as process:
        try:
            address = process.stdout.readline().split()[-1] if process.stdout else ""
            assert httpx.get(f"{address}/health").json() == {"status": "ok"}
        finally:
            process.terminate()
