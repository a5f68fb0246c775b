"""Routes: a method and a path pattern, segment by segment."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from fairuse.rules.routes import Route, can_carry, canonical, path_pattern

PARTS = ["a", "A", "b.c", "a+", "(", "\u00e9", "\u00c9", "", "$"]
PATTERNS = st.lists(st.sampled_from([*PARTS, "*", "{x}", "{y}"]), max_size=4).filter(
    lambda parts: parts.count("{x}") < 2 and parts.count("{y}") < 2
)
PATHS = st.lists(st.sampled_from([*PARTS, "bXc", "B.C", "aa", "*", "a;v=1", ";"]), max_size=6)


def _without_last_slashes(parts: list[str]) -> list[str]:
    while parts and parts[-1] == "":
        parts = parts[:-1]
    return parts


def _naively(pattern: list[str], path: list[str]) -> bool:
    """Compare segment by segment, without parameters, last slashes and case."""
    rest = pattern[-1:] == ["**"]
    pattern = _without_last_slashes(pattern[:-1] if rest else pattern)
    path = _without_last_slashes([part.split(";")[0] for part in path])
    if rest:
        path = path[: len(pattern)]
    return len(pattern) == len(path) and all(
        part != "" if wanted == "*" or wanted.startswith("{") else part.lower() == wanted.lower()
        for wanted, part in zip(pattern, path, strict=True)
    )


@given(PATTERNS, st.booleans(), PATHS)
@example(["a"], True, ["a"])
@example([], True, ["a"])
@example([], True, [])
@example([], False, [])
@example([""], True, ["a"])
@example(["a", ""], False, ["a"])
@example(["a"], False, ["A;v=1", ";"])
@example(["a"], True, ["a", ""])
@example(["a", "*"], False, ["a", ""])
def test_a_route_matches_segment_by_segment(
    pattern: list[str], rest: bool, path: list[str]
) -> None:
    """A route matches exactly the paths that a comparison of their segments says it does."""
    wanted = [*pattern, "**"] if rest else pattern
    route = Route("GET /" + "/".join(wanted))
    assert route.matches("GET", canonical("/" + "/".join(path))) == _naively(wanted, path)


CASES = {
    "word": ("GET /a", "/a", True),
    "whole words": ("GET /a", "/ab", False),
    "beginnings": ("GET /a", "/a/b", False),
    "trailing slash": ("GET /a/", "/a", True),
    "trailing slashes": ("GET /a//", "/a", True),
    "trailing slash and rest": ("GET /a//**", "/a/b", True),
    "trailing slash of the root": ("GET /", "/", True),
    "the root only": ("GET /", "/a", False),
    "case": ("GET /a", "/A", True),
    "case of the template": ("GET /A/{x}", "/a/B", True),
    "case of other alphabets": ("GET /\u00e9", "/\u00c9", True),
    "name": ("GET /a/{x}/b", "/a/1/b", True),
    "name is one segment": ("GET /a/{x}", "/a/1/2", False),
    "rest of none": ("GET /a/**", "/a", True),
    "rest of a word": ("GET /a/**", "/ab", False),
    "rest of many": ("GET /a/**", "/a/b/c", True),
    "everything": ("GET /**", "/", True),
    "everything below": ("GET /**", "/a/b", True),
    "dots are dots": ("GET /a.csv", "/aXcsv", False),
    "any method": ("* /a", "/a", True),
    "another method": ("POST /a", "/a", False),
}


@pytest.mark.parametrize(("text", "path", "matches"), CASES.values(), ids=CASES)
def test_routes_of_a_policy(text: str, path: str, matches: bool) -> None:
    """A GET is on a route exactly when the route's method and whole path fit."""
    assert Route(text).matches("GET", path) == matches


def test_a_method_keeps_its_case() -> None:
    """RFC 9110 (9.1): a method in lower case is another method."""
    assert not Route("GET /a").matches("get", "/a")


CANONICAL = {
    "/a": "/a",
    "/a/": "/a",
    "/a//": "/a",
    "/": "/",
    "//": "/",
    "": "/",
    "/a//b": "/a//b",
    "/a;v=1/b": "/a/b",
    "/a;v=1;w=2/b;": "/a/b",
    "/a/;v=1/": "/a",
    "/;v=1": "/",
    "/A": "/A",
}


@pytest.mark.parametrize(("path", "known"), CANONICAL.items(), ids=map(repr, CANONICAL))
def test_paths_are_canonical(path: str, known: str) -> None:
    """Parameters and last slashes don't make another path; nothing else is taken away."""
    assert canonical(path) == known


@given(st.text(alphabet="/;aB.=") | st.text())
@example("/a/;/;//")
def test_a_canonical_path_stays(path: str) -> None:
    """A canonical path has no parameters and no last slash, so made canonical again it stays."""
    known = canonical(path)
    assert canonical(known) == known
    assert ";" not in known
    assert known == "/" or (known != "" and not known.endswith("/"))
    assert canonical(path + "/") == canonical(path + ";v=1") == known


CARRIES = {
    "as it is": ("POST /l/{location}", "/l/{location}", True),
    "another name": ("POST /l/{x}/y", "/l/{location}", True),
    "word": ("POST /l/centrum", "/l/{location}", True),
    "wildcard": ("POST /*/*/y", "/l/{location}", True),
    "everything": ("* /**", "/l/{location}", True),
    "rest": ("* /l/**", "/l/{location}", True),
    "rest of more": ("* /l/**", "/l/m/{location}", True),
    "last slashes": ("POST /l/{x}/", "/l/{location}/", True),
    "another word": ("POST /m/{location}", "/l/{location}", False),
    "another word before the rest": ("POST /m/**", "/l/{location}", False),
    "too short": ("POST /l", "/l/{location}", False),
    "too short, wildcard": ("POST /*", "/l/{location}", False),
}


@pytest.mark.parametrize(("route", "location", "carries"), CARRIES.values(), ids=CARRIES)
def test_a_route_can_carry_a_location(route: str, location: str, carries: bool) -> None:
    """A route can carry a location exactly when some path on it names one."""
    assert can_carry(route, location) == carries


def test_a_route_shows_its_text() -> None:
    """A route's repr is what the policy file says."""
    assert repr(Route("POST /a/{x}")) == "Route('POST /a/{x}')"


def test_a_name_catches_its_segment() -> None:
    """A named segment gives what the path has there."""
    found = re.compile(path_pattern("/locations/{location}/**")).fullmatch("/locations/c d/x/y")
    assert found is not None
    assert found["location"] == "c d"


PARTS_OF = {
    "a name": ("PUT /documents/{item}", "/documents/17", "17"),
    "as it is written": ("PUT /documents/{item}", "/DOCUMENTS/Doc%20A", "Doc%20A"),
    "another name": ("PUT /documents/{document}", "/documents/17", ""),
    "no name": ("PUT /documents/*", "/documents/17", ""),
    "one of two": ("POST /{folder}/{item}/finish", "/a/17/finish", "17"),
    "before a rest": ("* /documents/{item}/**", "/documents/17/pages/2", "17"),
    "another path": ("PUT /documents/{item}", "/pages/17", ""),
}


@pytest.mark.parametrize(("route", "path", "part"), PARTS_OF.values(), ids=PARTS_OF)
def test_a_route_names_a_part_of_the_path(route: str, path: str, part: str) -> None:
    """E28 (which item): a part of a path is what the route gives that name, as it was written."""
    assert Route(route).part(path, "item") == part


METHOD = '"{}" must begin with a method (or *) and a space'
NEAR = '; did you mean "{}"?'
PART = '"{}" is no part of a path; write a word, * or {{name}}'
WRONG = {
    "no method": ("/a", METHOD.format("/a")),
    "lower case": ("get /a", METHOD.format("get /a") + NEAR.format("GET")),
    "lower case, near": ("pots /a", METHOD.format("pots /a") + NEAR.format("POST")),
    "unknown method": ("FETCH /a", METHOD.format("FETCH /a") + NEAR.format("PATCH")),
    "method near none": ("BREW /a", METHOD.format("BREW /a")),
    "no space": ("GET/a", METHOD.format("GET/a") + NEAR.format("GET")),
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
    "rest and a last slash": ("GET /a/**/", PART.format("**")),
    "query": ("GET /a?b=c", PART.format("a?b=c")),
    "fragment": ("GET /a#b", PART.format("a#b")),
    "parameters": ("GET /a;v=1/b", PART.format("a;v=1")),
    "name and line feed": ("GET /{a}\n", PART.format("{a}\n")),
    "star and line feed": ("GET /*\n", PART.format("*\n")),
}


@pytest.mark.parametrize(("text", "message"), WRONG.values(), ids=WRONG)
def test_what_is_no_route(text: str, message: str) -> None:
    """A text that is no route is an error that shows the wrong part."""
    with pytest.raises(ValueError, match=r"must begin|is no part|twice") as caught:
        Route(text)
    assert str(caught.value) == message


def test_exact_routes_come_before_broad_ones() -> None:
    """E27: of two routes that match, the one that takes in less is the request's."""
    texts = ["* /pages/**", "POST /pages/**", "* /pages/{x}/end", "POST /pages/{x}/end"]
    in_order = sorted(map(Route, texts), key=lambda route: route.breadth)
    assert [route.text for route in in_order] == texts[::-1]
