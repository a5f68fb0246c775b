"""What somebody outside may try on the gateway's own pages (F-51), over a real socket."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from tests.control.stand import EVENT, SENDER, forged, standing
from tests.entry.portal.support import HTML, NAMED
from tests.support import DENTIST, SALON

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.entry.portal.support import Asked

USAGE, CASES, EVENTS = "/fairuse/usage", "/fairuse/cases", "/fairuse/events"
CUSTOMER, STRANGER, PROGRAM = {"x-api-key": SALON}, {"x-api-key": "guessed"}, {"x-api-key": SENDER}
CLOUD = {"content-type": "application/cloudevents+json"}
FORM = {"content-type": "application/x-www-form-urlencoded"}
CHOICE = json.dumps({"choice": "reduce"})
NAME = "name=Anna"
DEEP = "[" * 100_000
LARGE = "x" * 2_000_000


class Case(NamedTuple):
    """A request that somebody tries; `path` may depend on the case that is open."""

    status: int
    method: str
    path: str | Callable[[Asked], str]
    headers: Any = ()
    body: Any = None


def link(running: Asked) -> str:
    """Give the link that chooses to reduce."""
    return running.path("reduce")


def case(running: Asked) -> str:
    """Give where a program chooses in the case."""
    return f"{CASES}/{running.number}/choice"


def endless() -> Iterator[bytes]:
    """Give a body that does not say how long it is."""
    yield from [b"x" * 65_536] * 64


HOSTILE = {
    "usage: no key": Case(401, "GET", USAGE),
    "usage: a wrong key": Case(401, "GET", USAGE, STRANGER),
    "usage: the key in the URL": Case(401, "GET", f"{USAGE}?x-api-key={SALON}&key={SALON}"),
    "usage: the key as a cookie": Case(401, "GET", USAGE, {"cookie": f"x-api-key={SALON}"}),
    "usage: the key as a bearer": Case(401, "GET", USAGE, {"authorization": f"Bearer {SALON}"}),
    "usage: two keys": Case(401, "GET", USAGE, [("x-api-key", SALON), ("x-api-key", SALON)]),
    "usage: the key of a sender": Case(401, "GET", USAGE, PROGRAM),
    "usage: a method that changes": Case(405, "POST", USAGE, CUSTOMER),
    "usage: from a rebound name": Case(401, "GET", USAGE, {"host": "evil.example"}),
    "usage: a Host that is none": Case(400, "GET", USAGE, {**CUSTOMER, "host": "a/admin?"}),
    "usage: another spelling": Case(400, "GET", "/fairuse/%2e%2e/fairuse/usage", CUSTOMER),
    "usage: another case of letters": Case(401, "GET", "/FairUse/usage"),
    "cases: no key": Case(401, "POST", case, body=CHOICE),
    "cases: the key of somebody else": Case(404, "POST", case, {"x-api-key": DENTIST}, CHOICE),
    "cases: a number that overflows": Case(404, "POST", f"{CASES}/{'9' * 40}/choice", CUSTOMER),
    "cases: a method that changes": Case(405, "DELETE", CASES, CUSTOMER),
    "cases: a large body": Case(413, "POST", case, CUSTOMER, LARGE),
    "cases: a deep body": Case(400, "POST", case, CUSTOMER, DEEP[:4_000]),
    "cases: no choice": Case(422, "POST", case, CUSTOMER, '{"choice": "__proto__"}'),
    "events: no key": Case(401, "POST", EVENTS, CLOUD, json.dumps(EVENT)),
    "events: the key of a customer": Case(401, "POST", EVENTS, CLOUD | CUSTOMER, json.dumps(EVENT)),
    "events: a method that reads": Case(405, "GET", EVENTS, PROGRAM),
    "events: a large body": Case(413, "POST", EVENTS, CLOUD | PROGRAM, LARGE),
    "events: an endless body": Case(413, "POST", EVENTS, CLOUD | PROGRAM, endless),
    "events: a deep body": Case(400, "POST", EVENTS, CLOUD | PROGRAM, DEEP),
    "events: no account": Case(
        422, "POST", EVENTS, CLOUD | PROGRAM, json.dumps({**EVENT, "subject": "nobody"})
    ),
    "link: of another key": Case(404, "POST", forged, FORM, NAME),
    "link: cut off": Case(404, "POST", lambda running: link(running)[:-3], FORM, NAME),
    "link: a method that deletes": Case(405, "DELETE", link),
    "link: a large form": Case(413, "POST", link, FORM, LARGE),
    "link: no form": Case(400, "POST", link, FORM, b"\xff\xfe"),
    "link: from another site": Case(
        403, "POST", link, FORM | {"sec-fetch-site": "cross-site"}, NAME
    ),
    "link: from a neighbour's site": Case(
        403, "POST", link, FORM | {"sec-fetch-site": "same-site"}, NAME
    ),
    "link: from another origin": Case(
        403, "POST", link, FORM | {"origin": "https://evil.example"}, NAME
    ),
    "a head too large": Case(431, "GET", USAGE, CUSTOMER | {"x-long": "x" * 20_000}),
    "a method that shows the request": Case(405, "TRACE", USAGE, CUSTOMER),
}


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asked]:
    """Run a gateway with a case that waits for a choice."""
    with standing(tmp_path_factory.mktemp("control")) as gateway:
        yield gateway


@pytest.mark.parametrize("name", HOSTILE)
def test_refused_and_nothing_done(running: Asked, name: str) -> None:
    """F-51: refused as what it is, never a fault of ours, and no choice is made by it."""
    status, method, path, headers, body = HOSTILE[name]
    before = running.everything()
    answer = running.front.client.request(
        method,
        path if isinstance(path, str) else path(running),
        headers=headers,
        content=body() if callable(body) else body,
    )
    assert answer.status_code == status
    if status not in (422, 431):
        problem = answer.json()
        assert answer.headers["content-type"] == "application/problem+json"
        assert (problem["status"], bool(problem["title"])) == (status, True)
    assert SALON not in answer.text
    assert running.everything() == before


SAME_SITE = [
    {"sec-fetch-site": "same-origin", "origin": "null"},  # what a page without a referrer sends
    {"sec-fetch-site": "none"},
    {"origin": "https://usage.example"},
    {"origin": "null"},
    {},
]


@pytest.mark.parametrize("headers", SAME_SITE, ids=str)
def test_a_form_of_our_own_page_chooses(running: Asked, headers: dict[str, str]) -> None:
    """F-51, A23: who chooses on the page is let in, and replaying it changes nothing more."""
    for _ in range(2):
        answer = running.front.client.post(link(running), data=NAMED, headers=HTML | headers)
        assert answer.status_code == 200
    assert len(running.choices()) == 1


def test_an_event_told_again_counts_once(running: Asked) -> None:
    """F-51, P8: a request that somebody recorded and sends again does nothing."""
    first, again = (
        running.front.client.post(EVENTS, content=json.dumps(EVENT), headers=CLOUD | PROGRAM)
        for _ in range(2)
    )
    assert (first.json()["counted"], again.json()["counted"], again.json()["known"]) == (1, 0, 1)
