"""A scripted day over real sockets: letters by ten users and an eleventh, and a large batch."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import httpx
from rich.box import SIMPLE_HEAD
from rich.progress import track
from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rich.console import Console

ACCOUNT = "versicherung-nord"
USERS = 10
Send = tuple[str, dict[str, object], str]


@dataclass(slots=True)
class Part:
    """One part of the day: what is sent, and what came back."""

    name: str
    sends: Callable[[], Iterator[Send]]
    statuses: Counter[int] = field(default_factory=Counter)
    pages: int = 0
    rule: str = ""


def parts() -> list[Part]:
    """Give the parts of the day, in their order."""
    return [
        Part("a letter by ten users", lambda: _letters(range(1, USERS + 1))),
        Part("an eleventh user", lambda: _letters([USERS + 1])),
        Part("the first user again", lambda: _letters([1])),
        Part("three that fail", lambda: _documents(3, "broken", 5)),
        Part("ten invoices, 4 pages", lambda: _documents(10, "invoice", 4)),
    ]


def _letters(users: range | list[int]) -> Iterator[Send]:
    for user in users:
        yield "/correspondence", {"template": "letter", "pages": 1}, f"user-{user}"


def _documents(count: int, template: str, pages: int) -> Iterator[Send]:
    for _ in range(count):
        yield "/documents", {"template": template, "pages": pages}, ""


def play(gateway: str, console: Console) -> None:
    """Play the day against a running gateway and show how it went."""
    day = parts()
    with httpx.Client(base_url=gateway, trust_env=False, timeout=30) as client:
        sends = [(part, send) for part in day for send in part.sends()]
        for part, send in track(sends, "A day of documents", console=console):
            _send(client, part, send)
        usage = client.get("/fairuse/usage", headers=_headers("")).json()
    console.print(_table(day))
    console.print(_usage_table(usage["limits"]))


def _send(client: httpx.Client, part: Part, send: Send) -> None:
    path, body, user = send
    response = client.post(path, json=body, headers=_headers(user))
    part.statuses[response.status_code] += 1
    part.pages += int(response.headers.get("x-pages", 0))
    if response.headers["content-type"] == "application/problem+json" and "rule" in (
        problem := response.json()
    ):
        part.rule = problem["rule"]


def _headers(user: str) -> dict[str, str]:
    headers = {"X-API-Key": f"demo-{ACCOUNT}", "X-Forwarded-For": "192.0.2.21"}
    return {**headers, "X-User": user} if user else headers


def _table(day: list[Part]) -> Table:
    table = Table(title=f"The day of {ACCOUNT}", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for name in ("what", "sent", "made", "pages", "failed", "refused", "by"):
        table.add_column(name, justify="right" if name in _NUMBERS else "left", no_wrap=True)
    for part in day:
        made, failed = part.statuses[201], part.statuses[500]
        table.add_row(
            part.name,
            str(part.statuses.total()),
            str(made),
            str(part.pages),
            str(failed),
            str(part.statuses.total() - made - failed),
            part.rule,
        )
    return table


def _usage_table(limits: list[dict[str, object]]) -> Table:
    table = Table(title="What it used", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for name in USED:
        table.add_column(name, justify="right" if name in _NUMBERS else "left", no_wrap=True)
    for limit in limits:
        if limit["used"]:
            cells = (limit[name] for name in USED)
            table.add_row(*(f"{cell:,}" if isinstance(cell, int) else str(cell) for cell in cells))
    return table


USED = ("limit", "used", "amount", "window", "over")
_NUMBERS = ("sent", "made", "pages", "failed", "refused", "used", "amount")
