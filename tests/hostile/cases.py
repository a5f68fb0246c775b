"""The cases as they stand in files: bytes for the wire, and beside them what must come of them."""

from __future__ import annotations

import random
import re
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

HERE = Path(__file__).parent
EDGE = 1_000
"""Of long bytes only so many at either end go out one by one."""

Status = int | list[int]

_PROMISE = re.compile(r"(?:(?:F|HTTP)-[0-9]{1,2}(?:, |: ))+[^\s].*")
_ESCAPE = re.compile(rb"\\(?:x([0-9A-Fa-f]{2})|([rnt\\])|\((\d+)\*(.*?)\\\))", re.DOTALL)
_NAMED = {b"r": b"\r", b"n": b"\n", b"t": b"\t", b"\\": b"\\"}
_JOINED = re.compile(rb"(?<!\\)(\\\\)*\\$")


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer that the client must get; a field without a colon must only be there."""

    status: Status
    fields: list[str] = field(default_factory=list)
    absent: list[str] = field(default_factory=list)
    body: str | None = None


@dataclass(frozen=True, slots=True)
class Upstream:
    """A request that the upstream must get."""

    line: str
    fields: list[str] = field(default_factory=list)
    absent: list[str] = field(default_factory=list)
    body: str = ""


@dataclass(frozen=True, slots=True)
class OfRequest:
    """What must come of the bytes of a client."""

    promise: str
    answers: list[Status | dict[str, Any]]
    closed: bool | None = None
    upstream: str | list[dict[str, Any]] = "nothing"
    counted: int | None = None
    head: bool = False
    hangs_up: bool = False


@dataclass(frozen=True, slots=True)
class OfAnswer:
    """What must come of the bytes of an upstream."""

    promise: str
    status: Status
    ended: str = "whole"
    fields: list[str] = field(default_factory=list)
    absent: list[str] = field(default_factory=list)
    body: str | None = None
    discarded: bool | None = None
    counted: int | None = None
    request: list[str] = field(default_factory=lambda: ["GET /hostile HTTP/1.1"])
    request_body: str = ""
    then: str = "open"
    early: bool = False


Outcome = TypeVar("Outcome", OfRequest, OfAnswer)


def read(folder: str, kind: type[Outcome]) -> dict[str, tuple[bytes, Outcome]]:
    """Read every case of a folder. Raises AssertionError or TypeError where one is not complete."""
    cases = {}
    for file in sorted((HERE / folder).glob("*.http")):
        outcome = kind(**tomllib.loads(file.with_suffix(".toml").read_text()))
        assert _PROMISE.fullmatch(outcome.promise), file
        cases[file.stem] = on_the_wire(file.read_bytes()), outcome
    assert len(cases) == len(list((HERE / folder).glob("*.toml")))
    return cases


def on_the_wire(text: bytes) -> bytes:
    """Turn a file into the bytes that it stands for; README.md says how."""
    wire = b""
    for line in text.splitlines():
        joined = _JOINED.search(line) is not None
        wire += _unescaped(line[:-1] if joined else line) + (b"" if joined else b"\r\n")
    return wire


def _unescaped(line: bytes) -> bytes:
    def stands_for(found: re.Match[bytes]) -> bytes:
        code, name, times, repeated = found.groups()
        if code:
            return bytes.fromhex(code.decode())
        return _NAMED[name] if name else int(times) * _unescaped(repeated)

    return _ESCAPE.sub(stands_for, line)


def _by_line(wire: bytes, _seed: str) -> list[bytes]:
    return re.findall(rb"[^\n]*\n|[^\n]+", wire)


def _by_byte(wire: bytes, _seed: str) -> list[bytes]:
    head, middle = wire[:EDGE], wire[EDGE:]
    middle, tail = middle[:-EDGE], middle[-EDGE:]
    singles = [[bytes([code]) for code in part] for part in (head, tail)]
    return [*singles[0], *([middle] if middle else []), *singles[1]]


def _at_random(wire: bytes, seed: str) -> list[bytes]:
    dice = random.Random(seed)  # noqa: S311  the same places every time
    places = sorted(dice.sample(range(len(wire) + 1), min(len(wire), dice.randint(2, 9))))
    return [wire[start:end] for start, end in zip([0, *places], [*places, None], strict=True)]


SPLITS: dict[str, Callable[[bytes, str], Sequence[bytes]]] = {
    "whole": lambda wire, _seed: [wire],
    "by line": _by_line,
    "by byte": _by_byte,
    "at random": _at_random,
}


def split(wire: bytes, how: str, seed: str) -> Iterator[tuple[bytes, int]]:
    """Give the pieces, and how many turns everybody else has after each."""
    dice = random.Random(seed + how)  # noqa: S311
    for piece in SPLITS[how](wire, seed):
        if piece:
            # A piece is read in the turn after it came. Long pauses let what was read so far
            # reach the upstream before the rest comes.
            yield piece, dice.choice((4, 60)) if how == "at random" else 4
