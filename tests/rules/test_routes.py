"""Routes: a method and a path pattern, segment by segment."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from fairuse.rules.routes import Route, path_pattern

PARTS = ["a", "b.c", "a+", "(", "\u00e9", "", "$"]
PATTERNS = st.lists(st.sampled_from([*PARTS, "*", "{x}", "{y}"]), min_size=1, max_size=4).filter(
    lambda parts: parts.count("{x}") < 2 and parts.count("{y}") < 2
)
PATHS = st.lists(st.sampled_from([*PARTS, "bXc", "aa", "*"]), min_size=1, max_size=6)


def _naively(pattern: list[str], path: list[str]) -> bool:
    """Compare segment by segment."""
    if pattern[-1] == "**":
        pattern = pattern[:-1]
        path = path[: len(pattern)]
    return len(pattern) == len(path) and all(
        part != "" if wanted == "*" or wanted.startswith("{") else part == wanted
        for wanted, part in zip(pattern, path, strict=True)
    )


@given(PATTERNS, st.booleans(), PATHS)
@example(["a"], True, ["a"])
@example(["a"], True, ["a", ""])
@example(["a", "*"], False, ["a", ""])
def test_a_route_matches_segment_by_segment(
    pattern: list[str], rest: bool, path: list[str]
) -> None:
    """A route matches exactly the paths that a comparison of their segments says it does."""
    wanted = [*pattern, "**"] if rest else pattern
    route = Route("GET /" + "/".join(wanted))
    assert route.matches("GET", "/" + "/".join(path)) == _naively(wanted, path)


CASES = {
    "word": ("GET /a", "/a", True),
    "whole words": ("GET /a", "/ab", False),
    "beginnings": ("GET /a", "/a/b", False),
    "trailing slash": ("GET /a", "/a/", False),
    "case": ("GET /a", "/A", False),
    "name": ("GET /a/{x}/b", "/a/1/b", True),
    "name is one segment": ("GET /a/{x}", "/a/1/2", False),
    "rest of none": ("GET /a/**", "/a", True),
    "rest of a word": ("GET /a/**", "/ab", False),
    "rest of many": ("GET /a/**", "/a/b/c", True),
    "everything": ("GET /**", "/", True),
    "dots are dots": ("GET /a.csv", "/aXcsv", False),
    "any method": ("* /a", "/a", True),
    "another method": ("POST /a", "/a", False),
}


@pytest.mark.parametrize(("text", "path", "matches"), CASES.values(), ids=CASES)
def test_routes_of_a_policy(text: str, path: str, matches: bool) -> None:
    """A GET is on a route exactly when the route's method and whole path fit."""
    assert Route(text).matches("GET", path) == matches


def test_a_route_shows_its_text() -> None:
    """A route's repr is what the policy file says."""
    assert repr(Route("POST /a/{x}")) == "Route('POST /a/{x}')"


def test_a_name_catches_its_segment() -> None:
    """A named segment gives what the path has there."""
    found = re.compile(path_pattern("/locations/{location}/**")).fullmatch("/locations/c d/x/y")
    assert found is not None
    assert found["location"] == "c d"


METHOD = '"{}" must begin with a method (or *) and a space'
PART = '"{}" is no part of a path; write a word, * or {{name}}'
WRONG = {
    "no method": ("/a", METHOD.format("/a")),
    "lower case": ("get /a", METHOD.format("get /a")),
    "unknown method": ("FETCH /a", METHOD.format("FETCH /a")),
    "no space": ("GET/a", METHOD.format("GET/a")),
    "empty": ("", METHOD.format("")),
    "no path": ("GET", 'the path "" must begin with "/"'),
    "no slash": ("GET a", 'the path "a" must begin with "/"'),
    "two spaces": ("GET  /a", 'the path " /a" must begin with "/"'),
    "open brace": ("GET /{a", PART.format("{a")),
    "empty name": ("GET /{}", PART.format("{}")),
    "upper case name": ("GET /{A}", PART.format("{A}")),
    "name and word": ("GET /a{b}", PART.format("a{b}")),
    "star and word": ("GET /a*", PART.format("a*")),
    "a name twice": ("GET /{a}/{a}", 'the path "/{a}/{a}" uses a name twice'),
    "rest in the middle": ("GET /**/a", PART.format("**")),
}


@pytest.mark.parametrize(("text", "message"), WRONG.values(), ids=WRONG)
def test_what_is_no_route(text: str, message: str) -> None:
    """A text that is no route is an error that shows the wrong part."""
    with pytest.raises(ValueError, match=r"must begin|is no part|twice") as caught:
        Route(text)
    assert str(caught.value) == message
