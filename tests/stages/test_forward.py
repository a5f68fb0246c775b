"""Forward, over real sockets: what goes through goes through as it is, and as it comes."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING

import httpx
import pytest
from tests.stages.support import HEAD, before, before_bytes, exchange
from tests.support import APPOINTMENTS, DENTIST, SALON, Recorder, Served, front, write_config

if TYPE_CHECKING:
    from pathlib import Path

    from starlette.types import Receive, Scope, Send


def test_the_target_goes_through_byte_for_byte(tmp_path: Path, recorder: Recorder) -> None:
    """HTTP-21: percent-escapes, case, plus signs and empty values reach the upstream unchanged."""
    target = "/caf%C3%A9;v=1/%7Euser/a+b?x=%2F&flag&empty=&y=a+b%20c"
    with before(recorder, tmp_path) as gateway:
        exchange(gateway.server.port, f"GET {target} HTTP/1.1\r\n{HEAD}\r\n")
    scope, _ = recorder.requests[0]
    assert scope["raw_path"] + b"?" + scope["query_string"] == target.encode()


def test_hop_by_hop_headers_stay_here(tmp_path: Path, recorder: Recorder) -> None:
    """HTTP-1, HTTP-2, HTTP-20, F-8: Connection and all it names go; what we say of hops stays."""
    request = (
        f"GET / HTTP/1.1\r\n{HEAD}Connection: X-Secret, X-Fairuse-Account, X-Forwarded-For\r\n"
        "X-Secret: 1\r\nKeep-Alive: 5\r\nTE: trailers\r\nX_Account: other\r\n"
        "X-Fairuse-Account: other\r\nX-Twice: a\r\nX-Twice: b\r\n\r\n"
    )
    with before(recorder, tmp_path) as gateway:
        exchange(gateway.server.port, request)
    names = [name.decode() for name, _ in recorder.requests[0][0]["headers"]]
    assert not {"x-secret", "keep-alive", "te", "x_account"} & set(names)
    assert recorder.seen("x-twice") == ["a", "b"]
    assert recorder.seen("x-fairuse-account") == ["salon"]
    assert recorder.seen("x-forwarded-for") == ["127.0.0.1"]
    assert recorder.seen("host") == ["api.example"]


def test_a_trusted_proxy_tells_who_came_before_it(tmp_path: Path, recorder: Recorder) -> None:
    """HTTP-40: hops told by a trusted proxy are passed on with it; an untrusted one's are not."""
    with before(recorder, tmp_path) as gateway:
        gateway.book(address="203.0.113.9")
        assert recorder.seen("x-forwarded-for") == ["203.0.113.9, 127.0.0.1"]
    with (
        Served(recorder, lifespan="off") as upstream,
        front(write_config(tmp_path / "b", upstream=upstream.url, addresses="")) as gateway,
    ):
        gateway.book(address="203.0.113.9")
    assert recorder.seen("x-forwarded-for") == ["127.0.0.1"]


def test_cookies_stay_apart_and_are_kept_for_nobody(tmp_path: Path, recorder: Recorder) -> None:
    """HTTP-3, HTTP-36, F-48: two Set-Cookie stay two, and no other tenant ever sends them."""
    recorder.headers = [(b"set-cookie", b"a=1; Expires=Wed, 01 Jan 2031"), (b"set-cookie", b"b=2")]
    with before(recorder, tmp_path) as gateway:
        answer = gateway.book()
        gateway.client.cookies.clear()
        gateway.book(key=DENTIST)
    assert answer.headers.get_list("set-cookie") == ["a=1; Expires=Wed, 01 Jan 2031", "b=2"]
    assert recorder.seen("cookie") == []


@pytest.mark.parametrize(
    ("announced", "sent"),
    [
        ("Content-Length: 5\r\n\r\nhello", [("content-length", "5")]),
        (
            "Transfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n",
            [("transfer-encoding", "chunked")],
        ),
    ],
    ids=["HTTP-43 with a length", "HTTP-44 chunked"],
)
def test_a_body_keeps_its_framing(
    tmp_path: Path, recorder: Recorder, announced: str, sent: list[tuple[str, str]]
) -> None:
    """HTTP-42 to HTTP-44: a body arrives whole, with the one framing it came in."""
    with before(recorder, tmp_path) as gateway:
        exchange(gateway.server.port, f"DELETE /x HTTP/1.1\r\n{HEAD}{announced}")
    scope, body = recorder.requests[0]
    framing = {b"content-length", b"transfer-encoding"}
    assert body == b"hello"
    assert [(n.decode(), v.decode()) for n, v in scope["headers"] if n in framing] == sent


def test_an_encoded_body_is_not_touched(tmp_path: Path, recorder: Recorder) -> None:
    """HTTP-6: an encoded body goes through undecoded, and no encoding is asked for."""
    recorder.headers = [(b"content-encoding", b"br"), (b"content-length", b"4")]
    recorder.body = b"\x00\x01\x02\xff"
    with before(recorder, tmp_path) as gateway:
        received = exchange(gateway.server.port, f"GET / HTTP/1.1\r\n{HEAD}\r\n")
    assert received.endswith(b"\r\n\r\n\x00\x01\x02\xff")
    assert recorder.seen("accept-encoding") == []


def test_head_keeps_its_length_and_304_has_none(tmp_path: Path) -> None:
    """HTTP-7, HTTP-8: HEAD answers with the length of the body it leaves out, 304 without."""
    for answer, wanted in (
        (b"HTTP/1.1 200 OK\r\nContent-Length: 42\r\n\r\n", b"content-length: 42\r\n"),
        (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 42\r\nETag: x\r\n\r\n", b"etag: x\r\n"),
    ):
        folder = tmp_path / wanted[:4].decode()
        with before_bytes(answer, folder) as gateway:
            received = exchange(gateway.server.port, f"HEAD / HTTP/1.1\r\n{HEAD}\r\n")
        assert wanted in received
        assert received.endswith(b"\r\n\r\n")
        assert (b"content-length" in received) == (b"200 OK" in received)


@pytest.mark.parametrize("trailer", ["X-API-Key: key-of-dentist", "X-Forwarded-For: 6.6.6.6"])
def test_a_trailer_is_no_header(tmp_path: Path, recorder: Recorder, trailer: str) -> None:
    """HTTP-18: what comes after the body names no account and no address."""
    request = (
        f"POST {APPOINTMENTS} HTTP/1.1\r\n{HEAD}X-Forwarded-For: 203.0.113.9\r\n"
        f"Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n{trailer}\r\n\r\n"
    )
    with before(recorder, tmp_path) as gateway:
        assert exchange(gateway.server.port, request).startswith(b"HTTP/1.1 201 ")
        usage = gateway.usage(address="203.0.113.9")
        assert [entry["used"] for entry in usage["limits"]] == [1, 1, 1, 1]
    assert recorder.seen("x-fairuse-account") == ["salon"]
    assert recorder.seen("x-forwarded-for") == ["203.0.113.9, 127.0.0.1"]


@pytest.mark.parametrize(
    ("header", "sent", "hops"),
    [
        ("forwarded", "Forwarded: for=198.51.100.7", "198.51.100.7, 127.0.0.1"),
        ("cf-connecting-ip", "CF-Connecting-IP: 198.51.100.7", "198.51.100.7, 127.0.0.1"),
        ("forwarded", "X-Other: 1", "127.0.0.1"),
    ],
)
def test_only_the_trusted_header_is_passed_on(
    tmp_path: Path, recorder: Recorder, header: str, sent: str, hops: str
) -> None:
    """HTTP-40, F-16: an X-Forwarded-For that our proxy does not vouch for goes no further."""
    addresses = f'trusted_proxies = ["127.0.0.0/8"]\nheader = "{header}"'
    request = f"GET / HTTP/1.1\r\n{HEAD}X-Forwarded-For: 6.6.6.6\r\n{sent}\r\n\r\n"
    with (
        Served(recorder, lifespan="off") as upstream,
        front(write_config(tmp_path, upstream=upstream.url, addresses=addresses)) as gateway,
    ):
        exchange(gateway.server.port, request)
    assert recorder.seen("x-forwarded-for") == [hops]


def test_an_old_client_without_a_host_is_served(tmp_path: Path, recorder: Recorder) -> None:
    """HTTP-17: HTTP/1.0 has no Host; the upstream, which needs one, gets its own."""
    with before(recorder, tmp_path) as gateway:
        received = exchange(gateway.server.port, f"GET / HTTP/1.0\r\nX-API-Key: {SALON}\r\n\r\n")
    assert received.split()[1] == b"201"
    assert recorder.seen("host")[0].startswith("127.0.0.1:")


def test_an_answer_has_one_id_and_one_date(tmp_path: Path, recorder: Recorder) -> None:
    """HTTP-39: ours replaces an upstream's request id; a refusal of ours has a Date of its own."""
    recorder.headers = [(b"x-request-id", b"theirs"), (b"date", b"Mon, 02 Nov 2026 12:00:00 GMT")]
    with before(recorder, tmp_path) as gateway:
        answers = [gateway.book(), gateway.book(key="wrong")]
    for answer in answers:
        assert len(answer.headers.get_list("x-request-id")) == 1
        assert len(answer.headers.get_list("date")) == 1
    assert answers[0].headers["x-request-id"] != "theirs"


@pytest.mark.parametrize("path", ["/LOCATIONS/centrum/Appointments", f"{APPOINTMENTS}/"])
def test_another_spelling_of_a_path_is_counted_too(
    tmp_path: Path, recorder: Recorder, path: str
) -> None:
    """F-7 (one verdict): an upstream may take case and a last slash for the same, so they count."""
    with before(recorder, tmp_path) as gateway:
        gateway.book(path=path)
        gateway.book(path=f"{APPOINTMENTS};v=2")
        limits = gateway.usage()["limits"]
    assert [entry["used"] for entry in limits] == [2, 2, 1, 2]
    assert recorder.requests[0][0]["path"] == path


def test_a_refused_upload_sees_its_refusal(tmp_path: Path, recorder: Recorder) -> None:
    """HTTP-28, F-11: a refusal is read whole by a client that still uploads, then closed."""
    with before(recorder, tmp_path) as gateway:
        for _ in range(20):
            refused = httpx.post(
                gateway.url + APPOINTMENTS,
                content=b"x" * 200_000,
                headers={"X-API-Key": "wrong"},
                trust_env=False,
            )
            assert refused.status_code == 401
            assert refused.headers["connection"] == "close"
    assert recorder.requests == []


def test_a_body_that_waits_to_be_asked_for_is_not(tmp_path: Path, recorder: Recorder) -> None:
    """HTTP-27, F-14: a refused Expect: 100-continue gets its refusal without a 100 before it."""
    request = (
        f"POST {APPOINTMENTS} HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n"
        "Expect: 100-continue\r\n\r\n"
    )
    with before(recorder, tmp_path) as gateway:
        received = exchange(gateway.server.port, request)
    assert received.startswith(b"HTTP/1.1 401 ")
    assert b"100 Continue" not in received


def test_a_body_that_waits_to_be_asked_for_is_not_while_nobody_takes_it(tmp_path: Path) -> None:
    """HTTP-27: before an upstream that is down nobody is invited to send a body."""
    request = (
        f"POST {APPOINTMENTS} HTTP/1.1\r\n{HEAD}Content-Length: 9\r\nExpect: 100-continue\r\n\r\n"
    )
    with front(write_config(tmp_path)) as gateway:
        received = exchange(gateway.server.port, request)
    assert received.startswith(b"HTTP/1.1 502 ")
    assert b"100 Continue" not in received


def test_a_stream_is_passed_on_as_it_comes(tmp_path: Path) -> None:
    """HTTP-33: the first bytes of a response arrive before its last are written."""
    seen = threading.Event()

    async def stream(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"first", "more_body": True})
        await asyncio.to_thread(seen.wait, 20)
        await send({"type": "http.response.body", "body": b"last"})

    with (
        before(stream, tmp_path) as gateway,
        gateway.client.stream("GET", "/", headers={"X-API-Key": SALON}) as response,
    ):
        chunks = response.iter_raw()
        assert next(chunks) == b"first"
        seen.set()
        assert b"".join(chunks) == b"last"
