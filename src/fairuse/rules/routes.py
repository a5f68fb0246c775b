"""Routes as a policy writes them: `POST /locations/{location}/appointments`, `* /export/**`."""

from __future__ import annotations

import re

from fairuse.rules.nearest import suggestion

_METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "*"}
_SEGMENT = re.compile(r"(?:\*|\{([a-z_][a-z0-9_]*)\}|[^{}*/?#;]*)")


class Route:
    """A method and a path pattern, matched against canonical paths, whatever their case."""

    __slots__ = ("_fullmatch", "method", "text")

    def __init__(self, text: str) -> None:
        """Read a route. Raises ValueError where it is none."""
        method, _, path = text.partition(" ")
        if method not in _METHODS:
            near = suggestion(method.upper(), _METHODS)
            raise ValueError(f'"{text}" must begin with a method (or *) and a space{near}')
        self.text = text
        self.method = method
        self._fullmatch = re.compile(path_pattern(path), re.IGNORECASE).fullmatch

    @property
    def breadth(self) -> tuple[bool, bool]:
        """Say how much it takes in: exact routes sort before those of any rest or any method."""
        return (self.text.endswith("/**"), self.method == "*")

    def matches(self, method: str, path: str) -> bool:
        """Say whether a request is on this route."""
        return self.method in (method, "*") and self._fullmatch(path) is not None

    def part(self, path: str, name: str) -> str:
        """Give the part of a path that the route gives a name, or "" where it gives it to none."""
        found = self._fullmatch(path)
        return (found.groupdict().get(name) or "") if found else ""

    def __repr__(self) -> str:
        return f"Route({self.text!r})"


def can_carry(route: str, location: str) -> bool:
    """Say whether a request on a route can be about a location; both as they are written."""
    parts = route.partition(" ")[2].lower().strip("/").split("/")
    wanted = location.lower().removesuffix("/**").strip("/").split("/")
    if len(parts) < len(wanted) and parts[-1] != "**":
        return False
    return all(
        part == want or any(text.startswith(("*", "{")) for text in (part, want))
        for part, want in zip(parts, wanted, strict=False)
    )


def canonical(path: str) -> str:
    """Give the path as routes are matched against it: no parameters (`;v=1`), no last slash.

    Some servers take those for the same resource; what they do not accept is not counted anyway.
    """
    if ";" in path:
        path = "/".join(segment.partition(";")[0] for segment in path.split("/"))
    return path.rstrip("/") or "/"


def path_pattern(path: str) -> str:
    """Turn a path pattern into a regular expression. Raises ValueError where it is none."""
    if not path.startswith("/"):
        raise ValueError(f'the path "{path}" must begin with "/"')
    rest = path.endswith("/**")
    path = path.removesuffix("/**").rstrip("/") or ("" if rest else "/")
    segments = path.split("/")[1:]
    names = [segment for segment in segments if segment.startswith("{")]
    if len(names) != len(set(names)):
        raise ValueError(f'the path "{path}" uses a name twice')
    pattern = "".join("/" + _segment_pattern(segment) for segment in segments)
    return pattern + "(?s:/.*)?" if rest else pattern


def _segment_pattern(segment: str) -> str:
    found = _SEGMENT.fullmatch(segment)
    if not found:
        raise ValueError(f'"{segment}" is no part of a path; write a word, * or {{name}}')
    if found[1]:
        return f"(?P<{found[1]}>[^/]+)"
    return "[^/]+" if segment == "*" else re.escape(segment)
