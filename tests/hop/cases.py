"""What httpbin is asked, directly and through the gateway: each a request of its own."""

from __future__ import annotations

from typing import NamedTuple

Fields = tuple[tuple[str, str], ...]
FORM = "application/x-www-form-urlencoded"
MULTIPART = (
    b'--cut\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n'
    b'--cut\r\nContent-Disposition: form-data; name="file"; filename="caf\xc3\xa9.bin"\r\n'
    b"Content-Type: application/octet-stream\r\n\r\n\x00\x01\xff\r\n--cut--\r\n"
)
STATUSES = (
    *(200, 201, 202, 203, 204, 205, 206, 207, 226),
    *(300, 301, 302, 303, 304, 305, 307, 308),
    *(400, 401, 402, 403, 404, 405, 406, 408, 409, 410, 411, 412, 413, 415, 418, 422, 425, 428),
    *(429, 431, 451, 500, 501, 502, 503, 504, 505, 507, 511, 599),
)
BASIC = ("Authorization", "Basic dXNlcjpwYXNzd2Q=")


class Case(NamedTuple):
    """One request; a body in pieces is sent in chunks."""

    method: str
    target: str
    fields: Fields = ()
    body: bytes | tuple[bytes, ...] = b""

    def __str__(self) -> str:
        return f"{self.method} {self.target[:50]} {' '.join(name for name, _ in self.fields)}"


def _gets(*targets: str) -> list[Case]:
    return [Case("GET", target) for target in targets]


def _with(name: str, *values: str, target: str = "/headers") -> list[Case]:
    return [Case("GET", target, ((name, value),)) for value in values]


METHODS = [
    *(Case(method, "/anything/x?a=1") for method in ("GET", "HEAD", "OPTIONS")),
    *(
        Case(method, "/anything", (("Content-Type", "text/plain"),), body)
        for method in ("POST", "PUT", "PATCH", "DELETE")
        for body in (b"", b"hello", b"\x00\xff" * 5_000, (b"he", b"llo"), (b"x" * 70_000, b"y"))
    ),
    *(Case(method, "/get") for method in ("HEAD", "OPTIONS", "POST", "PUT", "DELETE", "PATCH")),
    *(Case("HEAD", target) for target in ("/gzip", "/bytes/9?seed=1", "/stream/3", "/status/304")),
    Case("PROPFIND", "/anything"),
    Case("GET", "/anything", (), b"a body of a GET"),
]
ANSWERS = [
    *_gets(*(f"/status/{status}" for status in STATUSES)),
    *(Case(method, "/status/404") for method in ("POST", "PUT", "DELETE", "PATCH", "HEAD")),
    *_gets("/nowhere", "/deny", "/robots.txt", "/html", "/xml", "/json", "/encoding/utf8"),
    *_gets("/gzip", "/deflate", "/brotli", "/forms/post", "/ip", "/user-agent", "/"),
    *_gets("/redirect/3", "/relative-redirect/2", "/absolute-redirect/2"),
    *_gets("/redirect-to?url=http%3A%2F%2Felse.example%2F%3Fa%3Db", "/redirect-to?url=/x"),
    *_gets("/redirect-to?status_code=307&url=%2Fget"),
    *_gets("/links/5", "/links/5/2", "/base64/ZmFpciB1c2U=", "/cache/60", "/delay/0"),
    *_gets("/image/png", "/image/jpeg", "/image/webp", "/image/svg", "/static/favicon.ico"),
    *_gets("/bytes/0", "/bytes/1?seed=1", "/bytes/100000?seed=2"),
    *_gets("/stream/1", "/stream/20", "/stream-bytes/0?seed=1"),
    *_gets("/stream-bytes/99999?seed=3&chunk_size=7000", "/stream-bytes/50?seed=4&chunk_size=1"),
    *_gets("/drip?duration=0.05&numbytes=5&delay=0", "/drip?duration=0&numbytes=3&code=500"),
    *_gets("/range/1000", "/range/99999?chunk_size=500", "/range/0"),
    *_with("Range", "bytes=0-9", "bytes=-5", "bytes=990-", "bytes=5000-", target="/range/1000"),
    *_with("Accept", "image/webp", "image/*", "text/plain", target="/image"),
]
CONDITIONS = [
    *_gets("/etag/abc"),
    *_with("If-Modified-Since", "Mon, 02 Nov 2026 12:00:00 GMT", target="/cache"),
    *_with("If-None-Match", "abc", '"abc"', "*", 'W/"abc", "d"', target="/etag/abc"),
    *_with("If-Match", "abc", '"x"', "*", target="/etag/abc"),
    Case("GET", "/basic-auth/user/passwd"),
    Case("GET", "/basic-auth/user/passwd", (BASIC,)),
    Case("GET", "/hidden-basic-auth/user/wrong", (BASIC,)),
    *_with("Authorization", "Bearer a.b-c_d~e+f/g==", "Basic x", target="/bearer"),
]
FIELDS = [
    *_with("X-One", "", "a, b", '"quo\\"ted"', "a\tb", "caf\xe9 \xff", "x" * 8_000),
    *_with("Accept-Encoding", "gzip", "br;q=1.0, *;q=0", "identity"),
    *_with("Cookie", "a=1; b=2", 'q="x y"; empty=; =v', target="/cookies"),
    *_with("Origin", "https://app.example", "null", target="/get"),
    Case("GET", "/headers", (("X-Twice", "a"), ("X-Other", "-"), ("X-Twice", "b"))),
    Case("GET", "/headers", (("Cookie", "a=1"), ("Cookie", "b=2"))),
    Case("GET", "/headers", (("ACCEPT", "*/*"), ("user-AGENT", "Tést/1".encode().decode("l1")))),
    Case("GET", "/headers", (("Accept-Language", "nl"), ("Accept-Language", "en;q=0.5"))),
    Case("GET", "/headers", tuple((f"X-N{number}", str(number)) for number in range(60))),
    Case("GET", "/headers", (("Via", "1.0 fred"), ("Max-Forwards", "3"), ("Pragma", "no-cache"))),
    Case(
        "OPTIONS",
        "/put",
        (("Origin", "https://a.example"), ("Access-Control-Request-Headers", "X-A, X-B")),
    ),
    *_gets("/cookies/set?a=1&b=2&c=x%20y", "/cookies/set/name/value", "/cookies/delete?a&b"),
    *_gets("/response-headers?X-A=1&X-A=2&X-A=3", "/response-headers?X-Latin=caf%C3%A9"),
    *_gets("/response-headers?Set-Cookie=a%3D1&Set-Cookie=b%3D2", "/response-headers?X-Empty="),
    *_gets("/response-headers?Cache-Control=no-store&Vary=Accept&Vary=Cookie&Age=5"),
    *_gets("/response-headers?Content-Type=text/plain;%20charset=utf-16&ETag=W/%22x%22"),
    *_gets("/response-headers?Link=%3C/a%3E;%20rel=next&Link=%3C/b%3E&Warning=199%20-%20%22x%22"),
    *_gets("/response-headers?Www-Authenticate=Basic&Www-Authenticate=Bearer&Retry-After=3"),
]
TARGETS = [
    *_gets("/anything/caf%C3%A9/%7Euser/a+b", "/anything/%E2%82%AC%20x", "/anything/%ff%fe"),
    *_gets("/anything/;v=1;w=2/x", "/anything/a:b@c!$&'()*,=", "/anything/a%25b%3Fc%23d"),
    *_gets("/anything?a=1&a=2&b=&c", "/anything?q=%2F%3F%26+%20&u=http://x.example/?y"),
    *_gets("/anything?caf%c3%a9=%E2%82%AC", "/anything?&&=&", "/anything??a?=?"),
    *_gets(f"/anything?long={'x' * 3_000}", "/anything/%41%2D%2e%5F", "/anything?a[]=1&a[b]={}|^"),
]
FORMS = [
    Case("POST", "/post", (("Content-Type", FORM),), b"a=1&a=2&b=%20+%C3%A9&c="),
    Case("POST", "/post", (("Content-Type", FORM),), (b"a=1&", b"b=2")),
    Case("POST", "/post", (("Content-Type", "multipart/form-data; boundary=cut"),), MULTIPART),
    Case("PUT", "/put", (("Content-Type", "multipart/form-data; boundary=cut"),), (MULTIPART,)),
    Case("POST", "/post", (("Content-Type", "application/json"),), '{"é": [1, "€"]}'.encode()),
    Case("POST", "/post", (("Content-Type", "application/json"),), b"{no json"),
    Case("POST", "/post", (("Content-Encoding", "gzip"),), b"\x1f\x8b\x08\x00no gzip\xff"),
    Case("PATCH", "/patch", (("Content-Type", "text/plain; charset=latin-1"),), b"caf\xe9"),
    Case("DELETE", "/delete", (("Content-Type", FORM),), b"why=gone"),
    Case("POST", "/response-headers?X-A=1&X-A=2", (), b"ignored"),
]
CASES = [*METHODS, *ANSWERS, *CONDITIONS, *FIELDS, *TARGETS, *FORMS]
