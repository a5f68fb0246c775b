"""Whatever is sent to the gateway's own pages, it answers, and never that it broke (F-51)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.control.stand import EVENT, SENDER, forged, standing
from tests.support import SALON

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.entry.portal.support import Asked

ANSWERS = {200, 400, 401, 403, 404, 405, 409, 413, 422}
KINDS = ["application/cloudevents+json", "application/cloudevents-batch+json", "text/plain", ""]
OFTEN = settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])

scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(10**30), 10**30)
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(["\ud800", "\x00", "e\u0301", "0001-01-01T00:00:00+23:59", "9" * 400])
)
values = st.recursive(
    scalars, lambda each: st.lists(each, max_size=3) | st.dictionaries(st.text(max_size=8), each)
)
moments = st.datetimes().map(lambda moment: f"{moment.isoformat()}Z") | st.sampled_from(
    ["0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", "2026-11-02T12:00:60Z"]
)
events = st.fixed_dictionaries(
    {name: st.just(value) | values for name, value in EVENT.items()}
    | {"time": st.just(EVENT["time"]) | moments | values}
    | {"data": st.dictionaries(st.sampled_from(["location", "user", "item", "seconds"]), values)}
)
texts = st.text(st.characters(codec="latin-1", exclude_categories=["Cc"]), max_size=40).map(
    str.strip
)
headers = st.dictionaries(
    st.sampled_from(
        [
            *("accept", "accept-language", "content-type", "origin", "sec-fetch-site", "cookie"),
            *("x-forwarded-for", "x-user", "ce-id", "ce-specversion", "ce-time", "ce-source"),
        ]
    ),
    texts,
    max_size=4,
)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asked]:
    """Run a gateway with a case that waits for a choice."""
    with standing(tmp_path_factory.mktemp("control")) as gateway:
        yield gateway


def sent(running: Asked, method: str, path: str, own: dict[str, str], body: bytes) -> None:
    """Send a request, and see that it is answered as what it is."""
    raw = [(name.encode(), value.encode("latin-1")) for name, value in own.items()]
    answer = running.front.client.request(method, path, headers=raw, content=body)
    assert answer.status_code in ANSWERS, answer.text
    html = answer.headers["content-type"].startswith("text/html")
    if answer.status_code >= 400 and method != "HEAD" and not html:
        told = answer.json()
        assert "refused" in told or told["status"] == answer.status_code
    assert answer.headers["cache-control"] == "no-store"


@OFTEN
@given(
    st.sampled_from(["GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS"]),
    st.sampled_from(["usage", "cases", "cases/1/choice", "events", "health", "choice/x", "link"]),
    st.sampled_from([SALON, SENDER, "nobody's", ""]),
    headers,
    st.binary(max_size=200) | values.map(lambda value: json.dumps(value).encode()),
)
def test_any_request_has_an_answer(
    running: Asked, method: str, page: str, key: str, own: dict[str, str], body: bytes
) -> None:
    """F-51: any method, key, header and body."""
    path = forged(running) if page == "link" else f"/fairuse/{page}"
    sent(running, method, path, {**own, "x-api-key": key}, body)


@OFTEN
@given(st.lists(events | values, max_size=4), st.sampled_from(KINDS))
def test_any_event_has_an_answer(running: Asked, told: list[Any], kind: str) -> None:
    """F-51: events that are nearly right, in any form."""
    body = json.dumps(told if "batch" in kind or not told else told[0]).encode()
    own = {"x-api-key": SENDER, "content-type": kind, "ce-specversion": "1.0"}
    sent(running, "POST", "/fairuse/events", own, body)


@OFTEN
@given(
    st.dictionaries(st.sampled_from(["choice", "name", "x"]), values),
    st.binary(max_size=60) | texts.map(lambda name: f"name={name}".encode()),
)
def test_any_choice_has_an_answer(running: Asked, told: dict[str, Any], form: bytes) -> None:
    """F-51: choices that are nearly right, by a program and on the page."""
    body = json.dumps(told).encode()
    sent(running, "POST", f"/fairuse/cases/{running.number}/choice", {"x-api-key": SALON}, body)
    sent(running, "POST", running.path("reduce"), {"accept": "text/html"}, form)
