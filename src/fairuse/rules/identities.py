"""What tells entries of the record apart: of what is the same there is no second one (P8)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from fairuse.rules.read_entry import number, scope_of, text

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterator

    from fairuse.rules.record import Entry, Kind

IDENTITIES: dict[Kind, tuple[tuple[str, ...], ...]] = {
    "case.opened": (("case",),),
    "notice.written": (("notice",), ("once",)),
    "notice.delivered": (("notice", "channel"),),
    "measure.begun": (("measure",),),
    "measure.due": (("measure", "review"),),
    "charge.made": (
        ("charge",),
        ("case", "kind", "from"),
        ("account", "rule", "scope", "window"),
    ),
    "charge.final": (("charge",),),
    "grant.made": (("grant",), ("once",)),
}
"""What tells entries of a kind apart: the names of figures of theirs, or of `_PARTS`."""

_PARTS: dict[str, Callable[[Entry], str | int | float | None]] = {
    "case": lambda entry: entry.case,
    "account": lambda entry: entry.account,
    "scope": lambda entry: json.dumps(scope_of(entry), sort_keys=True),
    # A cost is of a moment and no window: two cases may each have one.
    "window": lambda entry: number(entry, "from") if text(entry, "kind") == "usage" else None,
}


def identities(entry: Entry) -> Iterator[Hashable]:
    """Give what tells an entry apart from others of its kind."""
    for names in IDENTITIES.get(entry.kind, ()):
        parts = [_PARTS[name](entry) if name in _PARTS else entry.data.get(name) for name in names]
        if all(isinstance(part, str | int | float) for part in parts):
            yield entry.kind, names, *parts
