"""What a customer recognises of a request: which path, which program, which answer (C16).

Whoever sends a request writes most of this, and it ends up in mails and on pages: it is cut,
nothing in it controls anything, and what tells single things or people apart is left out.
"""

from __future__ import annotations

import re
from functools import lru_cache
from urllib.parse import quote

LONGEST_AGENT = 120
LOOKED_AT = 256
"""Of a path or a name: more is neither read nor remembered."""
LONGEST_METHOD = 16
DEEPEST = 4
"""How many parts of a path are told; the rest is `/**`, as in a policy's routes."""
ANY = "*"
"""What stands for a number, an id, a mail address or a token in a path."""

_ID = re.compile(
    r"[0-9]+"
    r"|(?=.*[0-9])[0-9A-Fa-f-]{8,}"  # a UUID, a hash, a day
    r"|(?=.*[0-9])(?=.*[A-Za-z])[0-9A-Za-z_]{16,}"
    r"|.*@.*"
    r"|.{33,}",
    re.DOTALL,
)
_SCHEME = re.compile(r"(?:[A-Za-z][A-Za-z0-9+.-]{0,15})?:/{2,}")  # or what is left made one
_LINK_DOT = re.compile(r"(?<=\w)\.(?=[^\W\d]{2})")


def path_shape(method: str, path: str) -> str:
    """Give a request's path as a customer knows it: `GET /orders/*/lines`."""
    return _shape(method[:LONGEST_METHOD], path[:LOOKED_AT])


@lru_cache(maxsize=4_096)
def _shape(method: str, path: str) -> str:
    parts = _parts(path)
    rest = "/**" if len(parts) > DEEPEST else ""
    return f"{_part(method)} /{'/'.join(parts[:DEEPEST])}{rest}"


def path_prefix(method: str, path: str) -> str:
    """Give the first part alone, for paths that are all different: `GET /search/**`."""
    return _prefix(method[:LONGEST_METHOD], path[:LOOKED_AT])


@lru_cache(maxsize=4_096)
def _prefix(method: str, path: str) -> str:
    parts = _parts(path)
    return f"{_part(method)} /{parts[0]}/**" if len(parts) > 1 else _shape(method, path)


def agent_name(header: bytes | None) -> str:
    """Give the program that a `User-Agent` names, and "" for none.

    A mail program makes links of names with dots: here `[.]` keeps it from that.
    """
    return _agent((header or b"")[:LOOKED_AT])


@lru_cache(maxsize=1_024)
def _agent(header: bytes) -> str:
    text = header.decode("utf-8", "replace")
    text = "".join(letter if letter.isprintable() else " " for letter in text)
    text = _LINK_DOT.sub("[.]", _SCHEME.sub("", " ".join(text.split())))
    return text if len(text) <= LONGEST_AGENT else f"{text[: LONGEST_AGENT - 1]}…"


def status_class(status: int | None) -> str:
    """Give the class of an answer: `4xx`; "" where there was none."""
    return "" if status is None else f"{status // 100}xx"


def _parts(path: str) -> list[str]:
    return [_part(part) for part in path.split("/") if part]


def _part(part: str) -> str:
    if _ID.fullmatch(part):
        return ANY
    if part.isprintable():
        return part
    letters = (each if each.isprintable() else quote(each, errors="replace") for each in part)
    return "".join(letters)
