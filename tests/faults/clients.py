"""Clients of a gateway that may be killed at any moment: they remember all that they were told."""

from __future__ import annotations

import itertools
import json
import threading
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

from tests.faults.support import BURST_AMOUNT, PATIENCE, headers, path_of

if TYPE_CHECKING:
    from collections.abc import Iterator

BLOCKED_OFTEN = 8
"""How often a script is told that its address is blocked, until it takes another."""

READ_SECONDS = 0.01

_numbers = itertools.count(1)


class Notice(NamedTuple):
    """A notice as a customer reads it."""

    rule: str
    body: str


@dataclass(slots=True)
class Told:
    """What clients were told, and how many bookings had no answer when the gateway was killed.

    `admitted` are the moments (monotonic seconds) of the bookings that were accepted; `blocks` say
    of each address until when it is blocked, and `blocked_at` when that was told first.
    """

    admitted: list[float] = field(default_factory=list)
    refused: int = 0
    in_flight: int = 0
    blocks: dict[str, str] = field(default_factory=dict)
    blocked_at: dict[str, float] = field(default_factory=dict)
    tried: set[str] = field(default_factory=set)
    shown: dict[str, str] = field(default_factory=dict)
    notices: set[Notice] = field(default_factory=set)
    unlike: list[str] = field(default_factory=list)

    @property
    def promised(self) -> dict[str, str]:
        """Give the blocks of this time that anybody was told of, and until when they hold."""
        return self.blocks | {each: self.shown[each] for each in self.tried & self.shown.keys()}

    def add(self, other: Told) -> None:
        """Take in what another client was told."""
        self.admitted += other.admitted
        self.refused += other.refused
        self.in_flight += other.in_flight
        self.blocks |= other.blocks
        self.blocked_at |= other.blocked_at
        self.tried |= other.tried
        self.shown |= other.shown
        self.notices |= other.notices
        self.unlike += other.unlike


class Client(threading.Thread):
    """One connection, used until it breaks or it is told to stop."""

    def __init__(self, url: str, place: str, over: threading.Event) -> None:
        super().__init__()
        parts = urlsplit(url)
        self._connection = HTTPConnection(parts.hostname or "", parts.port, timeout=PATIENCE)
        self._place = place
        self._over = over
        self.told = Told()

    def run(self) -> None:
        """Go on until the gateway is gone."""
        with suppress(OSError, HTTPException):
            while not self._over.is_set():
                self.step()
        self._connection.close()

    def step(self) -> None:
        """Ask once, or a few times."""
        raise NotImplementedError

    def book(self, address: str) -> int:
        """Make a booking, and remember what came of it."""
        told = self.told
        told.in_flight = 1
        self._connection.request("POST", path_of(self._place), headers=headers(address))
        answer = self._connection.getresponse()
        told.in_flight = 0
        if answer.status == 201:
            told.admitted.append(time.monotonic())
        body = answer.read()
        if answer.status == 403:
            told.blocks.setdefault(address, json.loads(body)["until"])
            told.blocked_at.setdefault(address, time.monotonic())
        elif answer.status == 429:
            told.refused += 1
        elif answer.status != 201:
            told.unlike.append(f"{answer.status} {body!r}")
        return answer.status


class Customer(Client):
    """Books as people do: no address too often."""

    def step(self) -> None:
        """Book from one address."""
        address = new_address()
        for _ in range(BURST_AMOUNT):
            self.book(address)


class Script(Client):
    """Books from one address until it is blocked, and somewhat longer."""

    def step(self) -> None:
        """Use one address up."""
        address, blocked = new_address(), 0
        self.told.tried.add(address)
        while blocked < BLOCKED_OFTEN and not self._over.is_set():
            blocked += self.book(address) == 403


class Reader(Client):
    """Reads the usage: the notices it has seen, and the blocks."""

    def step(self) -> None:
        """Read once."""
        self._connection.request("GET", "/fairuse/usage", headers=headers("198.51.100.1"))
        usage: Any = json.loads(self._connection.getresponse().read())
        told = self.told
        told.shown |= {block["address"]: block["until"] for block in usage["blocks"]}
        told.notices |= {Notice(each["rule"], each["body"]) for each in usage["notices"]}
        self._over.wait(READ_SECONDS)


def new_address() -> str:
    """Give an address that nobody had before; it stands in a header only."""
    number = next(_numbers)
    return f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"


@contextmanager
def clients(url: str, place: str, customers: int, scripts: int) -> Iterator[Told]:
    """Run clients until the block ends; what they were told is known then."""
    over, told = threading.Event(), Told()
    running: list[Client] = [Reader(url, place, over)]
    running += [Customer(url, place, over) for _ in range(customers)]
    running += [Script(url, place, over) for _ in range(scripts)]
    for client in running:
        client.start()
    try:
        yield told
    finally:
        over.set()
        for client in running:
            client.join(PATIENCE)
            told.add(client.told)
