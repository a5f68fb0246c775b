"""The logs: one JSON line each, whatever a client sent, and no secrets."""

from __future__ import annotations

import io
import json
import logging
import math
from contextlib import contextmanager, redirect_stderr
from typing import TYPE_CHECKING

import pytest
import structlog
from hypothesis import example, given
from hypothesis import strategies as st

from fairuse.base import log
from fairuse.base.log import MAX_FIELD, AccessLog, configure, logger, render, utc

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

VALUES = st.one_of(
    st.text(),
    st.text(alphabet='\r\n\x1b\x85\u2028\u2029\x00"\\{}'),
    st.integers(),
    st.floats(allow_nan=False),
    st.booleans(),
)


@given(st.dictionaries(st.text(min_size=1, max_size=9), VALUES | st.none(), max_size=6))
@example({"agent": "x" * 2**20, "path": "/a\r\n{}\x1b[31m\u2028"})
def test_a_line_is_one_line(line: dict[str, object]) -> None:
    """F-52: any text is one line of printable ASCII that parses back, cut to its bound."""
    text = render(line)
    assert text.endswith("}\n")
    assert text[:-1].isascii()
    assert text[:-1].isprintable()
    assert json.loads(text) == {
        name: value[:MAX_FIELD] if isinstance(value, str) else value
        for name, value in line.items()
        if value is not None
    }


@pytest.mark.parametrize(
    ("moment", "text"),
    [
        (0.0, "1970-01-01T00:00:00.000+00:00"),
        (1_793_620_800.25, "2026-11-02T12:00:00.250+00:00"),
    ],
)
def test_moments_are_utc(moment: float, text: str) -> None:
    """A moment in the log is UTC, to the millisecond."""
    assert utc(moment) == text


def _line(number: int) -> Callable[[], dict[str, object]]:
    return lambda: {"number": number}


def _numbers(stream: io.StringIO) -> list[int]:
    return [json.loads(line)["number"] for line in stream.getvalue().splitlines()]


def test_closing_writes_what_waits() -> None:
    """Every line recorded before the log is closed is written, in its order."""
    stream = io.StringIO()
    access_log = AccessLog(stream)
    access_log.start()
    for number in range(1_000):
        access_log.record(_line(number))
    access_log.close()
    assert _numbers(stream) == list(range(1_000))
    assert access_log.dropped == 0


def test_lines_are_written_in_rounds() -> None:
    """What comes in between two rounds is written in the second, and nothing twice."""
    stream = io.StringIO()
    access_log = AccessLog(stream)
    rounds = iter([False, False, True])

    def wait(_seconds: float) -> bool:
        access_log.record(_line(len(_numbers(stream))))
        return next(rounds)

    access_log._stop.wait = wait  # type: ignore[assignment, method-assign]
    access_log.start()
    access_log.close()
    assert _numbers(stream) == [0, 1, 2]


def test_a_slow_reader_costs_lines_not_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the bound lines are dropped and counted, the waiting ones are kept."""
    monkeypatch.setattr(log, "MAX_WAITING_LINES", 2)
    stream = io.StringIO()
    access_log = AccessLog(stream)
    for number in range(5):
        access_log.record(_line(number))
    assert access_log.dropped == 3
    access_log.start()
    access_log.close()
    assert _numbers(stream) == [0, 1]


def test_without_a_stream_nothing_is_rendered() -> None:
    """A log that is switched off calls nothing and starts no thread."""
    access_log = AccessLog(None)
    access_log.start()
    access_log.record(lambda: pytest.fail("this line is rendered"))
    access_log.close()
    access_log._flush()
    assert not access_log._thread.is_alive()


@contextmanager
def _service_log() -> Iterator[io.StringIO]:
    """Configure the service's log, catch what it writes, and put the old one back."""
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    root.handlers = []
    try:
        with redirect_stderr(io.StringIO()) as written:
            configure("warning")
        yield written
    finally:
        root.handlers = handlers
        root.setLevel(level)
        structlog.reset_defaults()


def test_the_service_log_is_json() -> None:
    """F-52: our lines and those of libraries are one JSON object each, from their level on."""
    with _service_log() as written:
        logger("fairuse.test").warning("reload-failed", reason="a\nb\u2028c\x1b")
        logging.getLogger("a.library").error("broke\r\n%s", "off")
        logger("fairuse.test").info("too quiet")
        logging.getLogger("httpx").info("too chatty")
    ours, library = map(json.loads, written.getvalue().splitlines())
    assert (ours["event"], ours["reason"]) == ("reload-failed", "a\nb\u2028c\x1b")
    assert (library["event"], library["level"]) == ("broke\r\noff", "error")
    assert ours["timestamp"].endswith("Z")


def test_chatty_libraries_are_quiet() -> None:
    """Libraries that log every request stay below warnings, also where we log more."""
    with _service_log() as written:
        logging.getLogger().setLevel("DEBUG")
        logging.getLogger("httpx").info("too chatty")
        logging.getLogger("a.library").info("welcome")
    assert [json.loads(line)["event"] for line in written.getvalue().splitlines()] == ["welcome"]


def test_a_traceback_shows_no_secrets() -> None:
    """F-52 (secrets): a traceback names the error and where it was, and no local variable."""

    def fail(api_key: str) -> float:
        return math.sqrt(-len(api_key))

    canary = "canary-" + "7" * 9
    with _service_log() as written:
        try:
            fail(canary)
        except ValueError:
            logger("fairuse.test").exception("failed")
    (line,) = written.getvalue().splitlines()
    assert canary not in line
    assert json.loads(line)["exception"][0]["exc_type"] == "ValueError"


def test_a_line_that_fails_keeps_no_other_from_being_written() -> None:
    """F-52: a line that can't be rendered says so in its place, and the others are written."""
    stream = io.StringIO()
    log = AccessLog(stream)
    for number in (1, object(), 2):
        log.record(lambda number=number: {"n": number})  # type: ignore[misc]
    log.start()
    log.close()
    first, failed, second = map(json.loads, stream.getvalue().splitlines())
    assert (first, second) == ({"n": 1}, {"n": 2})
    assert failed["event"] == "request_log.failed"


def test_a_stream_that_fails_does_not_end_the_log() -> None:
    """F-41: a log that can't be written is said on stderr and keeps nothing else from working."""
    stream = io.StringIO()
    stream.close()
    log = AccessLog(stream)
    log.start()
    log.record(lambda: {"n": 1})
    log.close()
    assert not log._thread.is_alive()
