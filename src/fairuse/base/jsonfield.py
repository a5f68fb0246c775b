"""Finds one field in JSON that arrives in pieces, keeping nothing else of it."""

from __future__ import annotations

from typing import Any

import ijson

MAX_REQUEST = 1_048_576
"""Bytes of a request that may have to be held until its cost is known."""
MAX_ANSWER = 16 * 1_048_576
"""Bytes of an answer after which the search is given up: they pass, and nothing is held."""
MAX_LINE = 1_048_576
MAX_DEPTH = 64
SLICE = 4_096


class JsonField:
    """Reads chunks and remembers a field's value: a number, a text, or a list's length.

    The field is named by its path, such as `usage.total_tokens`. `found` says how often it was
    there, and `ambiguous` whether its name was: programs differ in which of two they take.
    `broken` says that it is no JSON, or none that anybody writes: nested deeper than MAX_DEPTH,
    or with integers of more than 64 bits.
    """

    def __init__(self, path: str, at_most: int = MAX_ANSWER) -> None:
        self._wanted: list[str | None] = [*path.split(".")]
        self._events = ijson.sendable_list()
        # Without floats the parser makes integers of any length, and dies of very long ones.
        self._parser: Any = ijson.basic_parse_coro(self._events, use_float=True)
        self._place: list[str | None] = []
        self._left = at_most
        self._length: int | None = None
        self._named = [0] * len(self._wanted)
        self.value: object = None
        self.found = 0
        self.broken = False

    @property
    def ambiguous(self) -> bool:
        """Say whether its name, or one on the way to it, is there more than once."""
        return any(times > 1 for times in self._named)

    @property
    def over(self) -> bool:
        """Say whether it was found, or will not be."""
        return self.found > 0 or self.broken or self._left <= 0

    def feed(self, chunk: bytes) -> None:
        """Read on, as far as it is bounded, a slice at a time: the depth is looked at between."""
        for start in range(0, len(chunk), SLICE):
            if self.broken or self._left <= 0:
                return
            piece = chunk[start : start + SLICE]
            self._left -= len(piece)
            try:
                self._parser.send(piece)
            except (ijson.JSONError, StopIteration, ArithmeticError, ValueError):
                self.broken = True
            for event, value in self._events:
                self._look(event, value)
            self._events.clear()

    def end(self) -> None:
        """Have read all there is: what is not complete is broken."""
        if self.broken or self._left <= 0:
            return
        try:
            self._parser.send(b"")
        except StopIteration:
            return
        except (ijson.JSONError, ArithmeticError, ValueError):
            self.broken = True

    def _look(self, event: str, value: Any) -> None:
        place = self._place
        match event:
            case "map_key":
                place[-1] = value
                if place == self._wanted[: len(place)]:
                    self._named[len(place) - 1] += 1
            case "end_map":
                place.pop()
            case "end_array":
                place.pop()
                if place == self._wanted and self._length is not None:
                    self._take(self._length)
                    self._length = None
            case _:
                self._begin(event, value)

    def _begin(self, event: str, value: object) -> None:
        """Look at a value that begins; within an array it has no name."""
        place = self._place
        if place == self._wanted:
            if event == "start_array":
                self._length = 0
            elif event in ("number", "string"):
                self._take(value)
        elif self._length is not None and place == [*self._wanted, None]:
            self._length += 1
        if event in ("start_map", "start_array"):
            place.append("" if event == "start_map" else None)
            self.broken = self.broken or len(place) > MAX_DEPTH

    def _take(self, value: object) -> None:
        self.value = value
        self.found += 1


class EventStreamField:
    """Finds the field in the JSON events of a `text/event-stream`; the last one that has it.

    Which one is the last, only the end of the stream says: it is never `over` before.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._line = b""
        self._left = MAX_ANSWER
        self.value: object = None

    @property
    def over(self) -> bool:
        """Say whether nothing more is read; until then a later event may tell better."""
        return self._left <= 0

    def end(self) -> None:
        """Have read all there is: the last line needs no end of its own."""
        self.feed(b"\n")

    def feed(self, chunk: bytes) -> None:
        """Read on, line by line; a line that is too long is passed over."""
        if self.over:
            return
        self._left -= len(chunk)
        *lines, rest = (self._line + chunk).replace(b"\r", b"\n").split(b"\n")
        self._line = rest if len(rest) <= MAX_LINE else b""
        for line in lines:
            if line.startswith(b"data:"):
                field = JsonField(self._path)
                field.feed(line.removeprefix(b"data:"))
                self.value = field.value if field.found else self.value
