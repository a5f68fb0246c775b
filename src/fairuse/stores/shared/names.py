"""Keys in the store: no two counts can meet (F-21), and those of an account are on one node."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING
from urllib.parse import quote

from fairuse.rules.tally import TallyKey

if TYPE_CHECKING:
    from fairuse.rules.tally import ScopeKey


def index_name(namespace: str, account: str) -> str:
    """Name the index of an account's tallies; what is in braces decides the node of a cluster."""
    return f"{namespace}:{{{quote(account, safe='')}}}"


def share_name(namespace: str, key: TallyKey) -> str:
    """Name a tally."""
    account, *rest = key
    return f"{index_name(namespace, account)}:{json.dumps(rest, separators=(',', ':'))}"


def members_name(name: str, window: int) -> str:
    """Name the set of those who were told apart in a tally's window (its start, milliseconds)."""
    return f"{name}:{window}"


def tally_of(account: str, name: str) -> TallyKey:
    """Read which tally of an account has a name."""
    limit, window, scope = json.loads(name[name.index("}:") + 2 :])
    parts: ScopeKey = tuple((part, value) for part, value in scope)
    return TallyKey(account, limit, window, parts)
