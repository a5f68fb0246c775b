"""Which forms another website had a browser send (F-51)."""

from __future__ import annotations

import pytest

from fairuse.rules.cross_site import by_another_site

OWN = "https://usage.example/api"


@pytest.mark.parametrize(
    ("fetch_site", "origin", "another"),
    [
        ([], [], False),
        ([b"same-origin"], [b"null"], False),
        ([b"none"], [], False),
        ([b"cross-site"], [b"https://usage.example"], True),
        ([b"same-site"], [], True),
        ([b"same-origin", b"cross-site"], [], True),
        ([b"\xff"], [], True),
        ([], [b"null"], False),
        ([], [b"https://usage.example"], False),
        ([], [b"https://USAGE.example:443"], False),
        ([], [b"http://usage.example"], True),
        ([], [b"https://usage.example:8443"], True),
        ([], [b"https://usage.example.evil.example"], True),
        ([], [b"https://usage.example", b"https://evil.example"], True),
        ([], [b"https://[broken"], True),
        ([], [b""], True),
    ],
)
def test_who_sent_it(fetch_site: list[bytes], origin: list[bytes], *, another: bool) -> None:
    """F-51: what a browser says of itself counts; without it the origin, if there is any."""
    assert by_another_site(fetch_site, origin, OWN) is another
