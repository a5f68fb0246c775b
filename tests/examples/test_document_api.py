"""The document service keeps what its routes promise, and says what each answer cost."""

import asyncio
import json
import re
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
from examples.document_api.app import BROKEN, MAX_BODY, create_app
from examples.document_api.pdf import render
from examples.document_api.store import Store

with warnings.catch_warnings(action="ignore"):  # it would rather have httpx2 than our httpx
    from starlette.testclient import TestClient

INVOICE = {"template": "invoice", "pages": 3, "data": {"name": "Ada"}}
PLAN = "/collaborations/plan"
GENERATORS = ["/documents", "/correspondence"]
WRONG = [
    ({}, ["template"]),
    ({"template": " ", "pages": 0, "data": []}, ["data", "pages", "template"]),
    ({"template": "\ud800", "pages": 501, "data": {"name": "a\nb"}}, ["data", "pages", "template"]),
    ({"template": f"a{80 * ' '}", "pages": True, "data": {"": "a"}}, ["data", "pages", "template"]),
    ({**INVOICE, "pages": "3", "data": {"paid": True}}, ["data", "pages"]),
    ({**INVOICE, "pages": 3.0, "data": dict.fromkeys(map(str, range(31)), 1)}, ["data", "pages"]),
    ({**INVOICE, "page": 3, "\ud800": 3, "data": {"name": {}}}, ["page", "?", "data"]),
]


@pytest.fixture
def client(tmp_path: Path) -> Iterator[TestClient]:
    """Return a client of the service over a new database."""
    with TestClient(create_app(tmp_path / "documents.db")) as client:
        yield client


def _objects(pdf: bytes) -> dict[bytes, bytes]:
    """Read a PDF as a viewer does: from its end, by the offsets in its table."""
    end = re.search(rb"\nstartxref\n(\d+)\n%%EOF\n\Z", pdf)
    assert end
    table = re.match(rb"xref\n0 (\d+)\n0{10} 65535 f \n((?:\d{10} 00000 n \n)*)trailer\n", _at(end))
    assert table
    offsets = [int(entry[:10]) for entry in table[2].splitlines()]
    assert len(offsets) == int(table[1]) - 1
    found = [re.match(rb"(\d+) 0 obj\n(.*?)\nendobj\n", pdf[at:], re.DOTALL) for at in offsets]
    objects = {match[1]: match[2] for match in found if match}
    assert list(objects) == [b"%d" % number for number in range(1, len(offsets) + 1)]
    return objects


def _at(offset: re.Match[bytes]) -> bytes:
    return offset.string[int(offset[1]) :]


def _texts(pdf: bytes) -> list[bytes]:
    """Return what each page says, found through the catalog and the tree of pages."""
    objects = _objects(pdf)
    root = re.search(rb"\ntrailer\n<< /Size (\d+) /Root (\d+) 0 R >>\n", pdf)
    assert root
    assert int(root[1]) == len(objects) + 1
    tree = objects[_reference(rb"/Type /Catalog /Pages", objects[root[2]])]
    kids = re.findall(rb"(\d+) 0 R", tree.partition(b"]")[0])
    assert b"/Count %d " % len(kids) in tree
    contents = [_reference(rb"/Type /Page /Parent 2 0 R /Contents", objects[kid]) for kid in kids]
    return [_content(objects[number]) for number in contents]


def _reference(name: bytes, value: bytes) -> bytes:
    match = re.search(rb"%b (\d+) 0 R" % name, value)
    assert match
    return match[1]


def _content(stream: bytes) -> bytes:
    match = re.fullmatch(rb"<< /Length (\d+) >>\nstream\n(.*)\nendstream", stream, re.DOTALL)
    assert match
    assert len(match[2]) == int(match[1])
    return match[2]


def _stored(answer: Any) -> int:
    return int(answer.headers["x-storage-bytes"])


def _as(account: str) -> dict[str, str]:
    return {"X-Fairuse-Account": account}


def _wrong_fields(answer: Any) -> list[str]:
    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")
    return [error["field"] for error in answer.json()["errors"]]


@pytest.mark.parametrize("pages", [1, 3, 500])
@pytest.mark.parametrize("path", GENERATORS)
def test_pages_are_what_the_header_says(client: TestClient, path: str, pages: int) -> None:
    """A generated PDF has as many pages as were asked for, and X-Pages says so."""
    answer = client.post(path, json=INVOICE | {"pages": pages})
    assert (answer.status_code, answer.headers["content-type"]) == (201, "application/pdf")
    assert (answer.headers["x-pages"], len(_texts(answer.content))) == (str(pages), pages)


@pytest.mark.parametrize("path", GENERATORS)
def test_a_document_is_found_again(client: TestClient, path: str) -> None:
    """A document is the same at its address as when it was made; it has one page by default."""
    made = client.post(path, json={"template": "note"})
    found = client.get(made.headers["location"])
    assert (found.status_code, found.headers["content-type"]) == (200, "application/pdf")
    assert (found.content, made.headers["location"]) == (made.content, "/documents/1")
    assert made.headers["x-pages"] == "1"


def test_text_is_escaped() -> None:
    """What means something to PDF, and what its encoding lacks, breaks no text."""
    first, second = _texts(render("a(b", 2, {"sum": 1.5, "name": "\\) Tj Zoë €\u2603"}))
    assert b"(a\\(b, page 1 of 2) Tj" in first
    assert b"(sum:) Tj T*\n(1.5) Tj T*\n(name:) Tj T*\n(\\\\\\) Tj Zo\xeb \x80?) Tj T*\n" in first
    assert b"(a\\(b, page 2 of 2) Tj T*\nET" in second


@pytest.mark.parametrize("path", GENERATORS)
def test_a_failed_generation_costs_nothing(client: TestClient, path: str) -> None:
    """A generation that fails is a 500 that names no cost, and keeps nothing."""
    failed = client.post(path, json=INVOICE | {"template": BROKEN})
    assert (failed.status_code, failed.headers["content-type"]) == (500, "application/problem+json")
    assert not failed.headers.keys() & {"x-pages", "x-storage-bytes", "location"}
    made = client.post(path, json=INVOICE)
    assert _stored(made) == len(made.content)


@pytest.mark.parametrize("path", GENERATORS)
@pytest.mark.parametrize(("body", "fields"), WRONG)
def test_wrong_fields(
    client: TestClient, path: str, body: dict[str, object], fields: list[str]
) -> None:
    """A document with wrong fields is refused, and the problem names all of them."""
    assert _wrong_fields(client.post(path, content=json.dumps(body))) == fields


@pytest.mark.parametrize("body", [{}, {"pages": 0}, {"pages": 501}, {"pages": None}])
def test_a_draft_has_pages(client: TestClient, body: dict[str, object]) -> None:
    """A draft without a right number of pages is refused, and none is opened."""
    assert _wrong_fields(client.put(PLAN, json=body)) == ["pages"]
    assert client.get(PLAN).status_code == 404


@pytest.mark.parametrize("body", ["", "[]", "{", "\x00", "[" * 60_000], ids=len)
def test_a_body_must_be_a_json_object(client: TestClient, body: str) -> None:
    """Anything but a JSON object is a bad request."""
    answers = [client.post(path, content=body) for path in GENERATORS]
    for answer in (*answers, client.put(PLAN, content=body)):
        assert (answer.status_code, answer.json()["title"]) == (400, "Bad Request")


@pytest.mark.parametrize(("headers", "reads"), [([(b"content-length", b"65537")], 0), ([], 5)])
def test_a_large_body_is_not_read(tmp_path: Path, headers: object, reads: int) -> None:
    """Reading stops before a body that says it is too large, and within one that does not."""
    chunk = {"type": "http.request", "body": bytes(MAX_BODY // 4), "more_body": True}
    receive, send = AsyncMock(return_value=chunk), AsyncMock()
    scope = {"type": "http", "method": "POST", "path": "/documents", "headers": headers}
    asyncio.run(create_app(tmp_path / "documents.db")(scope, receive, send))
    assert (send.await_args_list[0].args[0]["status"], receive.await_count) == (413, reads)


def test_storage_grows_and_shrinks(client: TestClient) -> None:
    """Each write says what the account has stored after it: documents, letters and drafts."""
    document, letter = (client.post(path, json=INVOICE) for path in GENERATORS)
    kept = len(document.content) + len(letter.content)
    opened, edited = (client.put(PLAN, json={"pages": pages}) for pages in (4, 2))
    assert (_stored(document), _stored(letter)) == (len(document.content), kept)
    assert _stored(opened) > _stored(edited) > kept
    assert _stored(client.delete(PLAN)) == kept
    assert _stored(client.delete(document.headers["location"])) == len(letter.content)
    assert _stored(client.delete(letter.headers["location"])) == 0


def test_a_read_costs_what_is_viewed(client: TestClient) -> None:
    """A view of a draft costs its pages; a document read again costs none; neither is a write."""
    made = client.post("/documents", json=INVOICE)
    client.put(PLAN, json={"pages": 4})
    viewed, read = client.get(PLAN), client.get(made.headers["location"])
    assert (viewed.headers["x-pages"], viewed.json()["pages"]) == ("4", 4)
    assert "x-pages" not in read.headers
    assert not {"x-storage-bytes"} & {*viewed.headers, *read.headers}


def test_a_draft_lives_until_it_is_finished(client: TestClient) -> None:
    """A draft is opened, edited and finished: then it is a document, and a draft no more."""
    opened, edited = (client.put(PLAN, json={"pages": pages}) for pages in (2, 4))
    assert (opened.status_code, opened.headers["x-pages"]) == (201, "2")
    assert (edited.status_code, edited.headers["x-pages"]) == (200, "4")
    assert edited.json() == client.get(PLAN).json() == {"item": "plan", "pages": 4, "edits": 2}
    finished = client.post(f"{PLAN}/finish")
    assert (finished.status_code, finished.headers["content-type"]) == (201, "application/pdf")
    assert (finished.headers["x-pages"], len(_texts(finished.content))) == ("4", 4)
    assert _stored(finished) == _stored(edited) == len(finished.content)
    assert client.get(finished.headers["location"]).content == finished.content
    assert client.get(PLAN).status_code == 404
    assert client.put(PLAN, json={"pages": 1}).status_code == 201


def test_what_is_gone_is_unknown(client: TestClient) -> None:
    """Deletion answers 204 once; after it a document and a draft are unknown to every method."""
    one = client.post("/documents", json=INVOICE).headers["location"]
    client.put(PLAN, json={"pages": 4})
    assert [client.delete(path).status_code for path in (one, PLAN)] == [204, 204]
    answers = [client.get(one), client.delete(one), client.get(PLAN), client.delete(PLAN)]
    answers.append(client.post(f"{PLAN}/finish"))
    assert [answer.json()["title"] for answer in answers] == ["Not Found"] * 5
    assert not {"x-pages", "x-storage-bytes"} & {name for each in answers for name in each.headers}


def test_a_draft_is_no_document_yet(client: TestClient) -> None:
    """An open draft has no address among the documents."""
    client.put(PLAN, json={"pages": 4})
    assert client.get("/documents/1").status_code == 404
    assert client.delete("/documents/1").status_code == 404
    assert client.get(PLAN).status_code == 200


def test_accounts_are_kept_apart(client: TestClient) -> None:
    """No account reads, changes, deletes or pays for what another has; no name is one as well."""
    one = client.post("/documents", json=INVOICE, headers=_as("salon")).headers["location"]
    client.put(PLAN, json={"pages": 4}, headers=_as("salon"))
    for other in (_as("clinic"), _as("")):
        for method, path in (("GET", one), ("DELETE", one), ("GET", PLAN), ("DELETE", PLAN)):
            assert client.request(method, path, headers=other).status_code == 404
        assert client.post(f"{PLAN}/finish", headers=other).status_code == 404
        opened = client.put(PLAN, json={"pages": 1}, headers=other)
        assert (opened.status_code, _stored(opened)) == (201, len(render("plan", 1, {})))
    assert client.get(PLAN).json() == client.get(PLAN, headers=_as("")).json()
    assert client.get(PLAN, headers=_as("salon")).json()["pages"] == 4
    assert client.get(one, headers=_as("salon")).status_code == 200


@pytest.mark.parametrize("item", ["Plan", "a_b", "a" * 65, "%2E", "a/b", ""])
def test_an_item_is_a_slug(client: TestClient, item: str) -> None:
    """An item that is no slug, a huge id and a trailing slash are all unknown addresses."""
    for path in (f"/collaborations/{item}", f"/documents/{'9' * 19}", f"{PLAN}/"):
        assert client.get(path).status_code == 404
    assert client.put(f"/collaborations/{'a-0' * 21}", json={"pages": 1}).status_code == 201


def test_documents_outlive_a_restart(tmp_path: Path) -> None:
    """What one run of the service made is there in the next one, and still counted."""
    with TestClient(create_app(tmp_path / "documents.db")) as client:
        made = client.post("/documents", json=INVOICE)
    with TestClient(create_app(tmp_path / "documents.db")) as client:
        assert client.get(made.headers["location"]).content == made.content
        assert _stored(client.post("/documents", json=INVOICE)) == 2 * len(made.content)


def test_threads_share_the_store(tmp_path: Path) -> None:
    """Of edits of one moment from many threads none is lost, and one of them opens the draft."""
    with closing(Store(tmp_path / "documents.db")) as store, ThreadPoolExecutor(8) as pool:
        edits = pool.map(lambda pages: store.edit("", "plan", pages, b"pdf").edits, range(400))
        assert (sorted(edits), store.stored("")) == (list(range(1, 401)), 3)


def test_the_service_says_where_it_listens(tmp_path: Path) -> None:
    """Started as a program it prints its address in one line, and answers there."""
    command = [sys.executable, "-mexamples.document_api", "--port=0", f"--database={tmp_path}/db"]
    with Popen(command, stdout=PIPE, text=True, cwd=Path(__file__).parents[2]) as process:
        try:
            address = process.stdout.readline().split()[-1] if process.stdout else ""
            assert httpx.get(f"{address}/health").json() == {"status": "ok"}
        finally:
            process.terminate()
