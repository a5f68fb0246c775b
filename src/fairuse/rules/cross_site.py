"""Whether another website had a browser send a form (F-51).

Browsers say so themselves, in `Sec-Fetch-Site`. Old ones send an `Origin` at most; our own page's
is "null", for it tells nobody where its reader came from. Programs send neither: they are let in.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

from fairuse.base.wire import PORTS

if TYPE_CHECKING:
    from collections.abc import Sequence

OURS = frozenset({b"same-origin", b"none"})
"""`none` is what a person typed, or followed from a mail."""


class _Site(NamedTuple):
    scheme: str
    host: str | None
    port: int | None


def by_another_site(fetch_site: Sequence[bytes], origin: Sequence[bytes], own: str) -> bool:
    """Say it of the lines of both headers; `own` is the address that customers have of us."""
    if fetch_site:
        return not OURS.issuperset(fetch_site)
    sites = [line.decode("latin-1") for line in origin if line != b"null"]
    return any(_site(text) != _site(own) for text in sites)


def _site(url: str) -> _Site | None:
    try:
        parts = urlsplit(url)
        return _Site(parts.scheme, parts.hostname, parts.port or PORTS.get(parts.scheme))
    except ValueError:
        return None
