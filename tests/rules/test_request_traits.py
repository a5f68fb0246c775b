"""What is told of a request is what its account recognises, whatever a client sends."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairuse.rules.request_traits import (
    LONGEST_AGENT,
    agent_name,
    path_prefix,
    path_shape,
    status_class,
)

LONGEST_PART = 32
QUOTED = 12
"""What one character comes to that may not be shown: four bytes, each `%F0`."""


@pytest.mark.parametrize(
    ("path", "shape"),
    [
        ("/film.mp4", "/film.mp4"),
        ("/", "/"),
        ("/wp-login.php", "/wp-login.php"),
        ("/locations/centrum/appointments", "/locations/centrum/appointments"),
        ("/orders/4711/lines", "/orders/*/lines"),
        ("/orders/7c9e6679-7425-40de-944b-e07fc1f90ae7", "/orders/*"),
        ("/days/2026-11-02", "/days/*"),
        ("/reset/dGhpc0lzQVNlY3JldDEyMw", "/reset/*"),
        ("/users/anna@salon.example", "/users/*"),
        ("/a/" + "b" * 33, "/a/*"),
        ("/a/b/c/d/e/f", "/a/b/c/d/**"),
        ("//a///b", "/a/b"),
        ("/summer-sale-2026", "/summer-sale-2026"),
        ("/a\nBcc: eve", "/a%0ABcc: eve"),
        ("/\u202efdp.exe", "/%E2%80%AEfdp.exe"),
        ("/\udcff", "/%3F"),
        ("/größe", "/größe"),
    ],
)
def test_a_path_is_told_without_what_is_only_one_things(path: str, shape: str) -> None:
    """C16: parts that name one thing, one person or a secret are `*`, and nothing controls."""
    assert path_shape("GET", path) == f"GET {shape}"


def test_a_prefix_is_the_first_part() -> None:
    """C16: paths that are all different begin with the same."""
    assert path_prefix("GET", "/search/red/shoes") == "GET /search/**"
    assert path_prefix("POST", "/search") == "POST /search"
    assert path_prefix("GET", "/1/2") == "GET /*/**"


@pytest.mark.parametrize(
    ("header", "name"),
    [
        (b"python-requests/2.31.0", "python-requests/2.31.0"),
        (b"", ""),
        (None, ""),
        (b"a\r\n\tb\x00c", "a b c"),
        (b"Bot/7.0 (+http://evil.example/pay)", "Bot/7.0 (+evil[.]example/pay)"),
        (b"pay at www.evil.example", "pay at www[.]evil[.]example"),
        (b"://evil.example", "evil[.]example"),
        (b":a:////evil.example", ":evil[.]example"),
        ("größe".encode(), "größe"),
        ("größe".encode("latin-1"), "gr\ufffd\ufffde"),
        (b"x" * 1_000_000, "x" * (LONGEST_AGENT - 1) + "…"),
    ],
)
def test_a_program_is_cut_and_makes_no_link(header: bytes | None, name: str) -> None:
    """C16: a name of a megabyte, of control characters or with a link in it does no harm."""
    assert agent_name(header) == name


PROGRAMS = st.binary(max_size=600) | st.text("a.:/").map(str.encode)


@given(st.text(max_size=20), st.text(max_size=600), PROGRAMS)
def test_what_is_told_is_short_and_printable(method: str, path: str, agent: bytes) -> None:
    """C16: whatever is sent, what is told of it has a bound and no control characters."""
    shape, name = path_shape(method, path), agent_name(agent)
    assert len(shape) <= QUOTED * (16 + 4 * LONGEST_PART) + 9
    assert len(name) <= LONGEST_AGENT
    assert (shape + name).isprintable()
    (shape + name).encode()
    assert "://" not in name


def test_an_answer_has_a_class() -> None:
    """C16: errors are told by their class."""
    assert [status_class(status) for status in (200, 404, 503, None)] == ["2xx", "4xx", "5xx", ""]
