"""Routes as a policy writes them: `POST /locations/{location}/appointments`, `* /export/**`."""

from __future__ import annotations

import re

_METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "*"}
_SEGMENT = re.compile(r"^(?:\*|\{([a-z_][a-z0-9_]*)\}|[^{}*/]*)$")


class Route:
    """A method and a path pattern, matched against the decoded path."""

    __slots__ = ("_fullmatch", "method", "text")

    def __init__(self, text: str) -> None:
        """Read a route. Raises ValueError where it is none."""
        method, _, path = text.partition(" ")
        if method not in _METHODS:
            raise ValueError(f'"{text}" must begin with a method (or *) and a space')
        self.text = text
        self.method = method
        self._fullmatch = re.compile(path_pattern(path)).fullmatch

    def matches(self, method: str, path: str) -> bool:
        """Say whether a request is on this route."""
        return self.method in (method, "*") and self._fullmatch(path) is not None

    def __repr__(self) -> str:
        return f"Route({self.text!r})"


def path_pattern(path: str) -> str:
    """Turn a path pattern into a regular expression. Raises ValueError where it is none."""
    if not path.startswith("/"):
        raise ValueError(f'the path "{path}" must begin with "/"')
    rest = path.endswith("/**")
    segments = path.removesuffix("/**").split("/")[1:]
    names = [segment for segment in segments if segment.startswith("{")]
    if len(names) != len(set(names)):
        raise ValueError(f'the path "{path}" uses a name twice')
    pattern = "".join("/" + _segment_pattern(segment) for segment in segments)
    return pattern + "(?s:/.*)?" if rest else pattern


def _segment_pattern(segment: str) -> str:
    found = _SEGMENT.match(segment)
    if not found:
        raise ValueError(f'"{segment}" is no part of a path; write a word, * or {{name}}')
    if found[1]:
        return f"(?P<{found[1]}>[^/]+)"
    return "[^/]+" if segment == "*" else re.escape(segment)
