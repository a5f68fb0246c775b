"""The logs: one JSON line each, whatever a client sent, and no secrets."""

from __future__ import annotations

import io
import json
import logging
import math
import threading
from contextlib import contextmanager, redirect_stderr
from typing import TYPE_CHECKING

import pytest
import structlog
from hypothesis import example, given
from hypothesis import strategies as st

from fairuse.base import log
from fairuse.base.log import MAX_FIELD, AccessLog, RequestLine, configure, cut, logger, render, utc

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

NASTY = st.text() | st.text(alphabet='\r\n\x1b\x7f\x85\u2028\u2029\x00\udcff"\\{}')
MAYBE = st.none() | NASTY
LINES = st.builds(
    RequestLine,
    time=st.floats(0, 4e9),
    request_id=NASTY,
    method=NASTY,
    path=NASTY,
    status=st.none() | st.integers(),
    address=MAYBE,
    account=MAYBE,
    location=MAYBE,
    rule=MAYBE,
    fault=MAYBE,
    sent_bytes=st.integers(),
    seconds=st.floats(0, 1e6),
)


def _line(number: int) -> RequestLine:
    return RequestLine(
        time=0.0,
        request_id=str(number),
        method="GET",
        path="/a",
        status=None,
        address=None,
        account=None,
        location=None,
        rule=None,
        fault=None,
        sent_bytes=0,
        seconds=0.0,
    )


@given(LINES)
@example(_line(1)._replace(path="/a\r\n{}\x1b[31m\u2028", account="\udcff"))
def test_a_line_is_one_line(line: RequestLine) -> None:
    """F-52: any request is one line of printable ASCII that parses back to what is known."""
    text = render(line)
    assert text.endswith("}\n")
    assert text[:-1].isascii()
    assert text[:-1].isprintable()
    known = {name: value for name, value in line._asdict().items() if value is not None}
    milliseconds = round(known.pop("seconds") * 1_000, 3)
    assert json.loads(text) == known | {"time": utc(line.time), "milliseconds": milliseconds}


def test_a_line_in_full() -> None:
    """A line says when, what, for whom, how it ended and how long it took; nothing unknown."""
    line = _line(7)._replace(time=1_793_620_800.25, status=201, account="salon", seconds=0.0123456)
    assert render(line) == (
        '{"time":"2026-11-02T12:00:00.250+00:00","request_id":"7","method":"GET","path":"/a",'
        '"status":201,"account":"salon","sent_bytes":0,"milliseconds":12.346}\n'
    )


@given(NASTY)
@example("x" * 2**20)
@example("x" * (MAX_FIELD + 1))
@example("x" * MAX_FIELD)
def test_what_a_client_chose_is_bounded(text: str) -> None:
    """F-52: a field that a client chose is cut to its bound, and only there."""
    assert len(cut(text)) == min(len(text), MAX_FIELD)
    assert text.startswith(cut(text))


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


def _numbers(stream: io.StringIO) -> list[int]:
    return [int(json.loads(line)["request_id"]) for line in stream.getvalue().splitlines()]


def _events(caplog: pytest.LogCaptureFixture) -> list[tuple[str, int | None]]:
    """Give the service log's events with their number of lines."""
    said = [record.msg for record in caplog.records if isinstance(record.msg, dict)]
    return [(event["event"], event.get("lines")) for event in said]


def _in_rounds(access_log: AccessLog, rounds: list[Callable[[], object]]) -> None:
    """Do something before each round of writing, and stop after the last."""
    todo = list(rounds)

    def wait(_seconds: float) -> bool:
        todo.pop(0)()
        return not todo

    access_log._stop.wait = wait  # type: ignore[assignment, method-assign]
    access_log.start()
    access_log._thread.join(20)
    access_log.close()


def test_closing_writes_what_waits(caplog: pytest.LogCaptureFixture) -> None:
    """Every line recorded before the log is closed is written, in its order, and none is lost."""
    stream = io.StringIO()
    access_log = AccessLog(stream)
    access_log.start()
    for number in range(1_000):
        access_log.record(_line(number))
    access_log.close()
    assert _numbers(stream) == list(range(1_000))
    assert _events(caplog) == []


def test_lines_are_written_in_rounds() -> None:
    """What comes in between two rounds is written in the second, and nothing twice."""
    stream = io.StringIO()
    access_log = AccessLog(stream)
    _in_rounds(access_log, [lambda: access_log.record(_line(len(_numbers(stream))))] * 3)
    assert _numbers(stream) == [0, 1, 2]


def test_a_slow_reader_costs_lines_not_memory(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Beyond the bound lines are dropped, the waiting ones are kept, and it is said how many."""
    monkeypatch.setattr(log, "MAX_WAITING_LINES", 2)
    stream = io.StringIO()
    access_log = AccessLog(stream)
    for number in range(5):
        access_log.record(_line(number))
    assert len(access_log._waiting) == 2
    access_log.start()
    access_log.close()
    assert _numbers(stream) == [0, 1]
    assert _events(caplog) == [("request_log.dropped", 3)]


class _Failing(io.StringIO):
    """A stream that can't be written while it is full."""

    full = True

    def write(self, text: str) -> int:
        if self.full:
            raise OSError("No space left on device")
        return super().write(text)


def test_dropped_lines_are_said_once_writing_works(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """F-41: a log that failed goes on where it stopped, and says once what it dropped meanwhile."""
    monkeypatch.setattr(log, "MAX_WAITING_LINES", 1)
    stream = _Failing()
    access_log = AccessLog(stream)

    def record(*numbers: int) -> None:
        for number in numbers:
            access_log.record(_line(number))

    def repair() -> None:
        assert _events(caplog) == [("request_log.failed", None)]
        stream.full = False
        record(4, 5)

    _in_rounds(access_log, [lambda: record(1, 2, 3), repair, lambda: record(6)])
    assert _numbers(stream) == [1, 4, 6]
    assert _events(caplog) == [("request_log.failed", None), ("request_log.dropped", 3)]


def test_without_a_stream_nothing_is_kept() -> None:
    """A log that is switched off keeps no line and starts no thread."""
    access_log = AccessLog(None)
    access_log.start()
    access_log.record(_line(1))
    assert not access_log._waiting
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


def test_an_app_decides_where_the_log_goes(
    caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    """Without `configure` an event reaches the standard library's handlers and no stream."""
    logger("fairuse.test").info("too quiet")
    logger("fairuse.test").warning("reload-failed", reason="a")
    (record,) = caplog.records
    assert (record.name, record.levelname) == ("fairuse.test", "WARNING")
    assert isinstance(record.msg, dict)
    assert (record.msg["event"], record.msg["reason"]) == ("reload-failed", "a")
    assert "reload-failed" in caplog.text
    assert capfd.readouterr() == ("", "")


def test_an_app_keeps_its_own_structlog() -> None:
    """Neither a logger nor `configure` changes how an app's own structlog is configured."""
    with _service_log():
        logger("fairuse.test").warning("hello")
    assert not structlog.is_configured()


def test_a_stream_that_fails_does_not_end_the_log(caplog: pytest.LogCaptureFixture) -> None:
    """F-41: a log that can't be written is said once, and at the end how much it lost."""
    stream = io.StringIO()
    stream.close()
    access_log = AccessLog(stream)
    _in_rounds(access_log, [lambda: access_log.record(_line(1))] * 2)
    assert _events(caplog) == [("request_log.failed", None), ("request_log.lost", 2)]
    assert not access_log._thread.is_alive()


class _Stuck(io.StringIO):
    """A stream whose reader reads nothing until it is released."""

    def __init__(self) -> None:
        super().__init__()
        self.reached = threading.Event()
        self.released = threading.Event()

    def write(self, text: str) -> int:
        self.reached.set()
        self.released.wait(20)
        return super().write(text)


def test_closing_waits_for_no_reader(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """F-41: a reader that never reads again keeps nobody from stopping; what is lost is said."""
    monkeypatch.setattr(log, "CLOSE_SECONDS", 0.05)
    stream = _Stuck()
    access_log = AccessLog(stream)
    access_log.start()
    try:
        access_log.record(_line(1))
        assert stream.reached.wait(20)
        access_log.record(_line(2))
        access_log.record(_line(3))
        access_log.close()
        assert access_log._thread.is_alive()
        assert access_log._thread.daemon
        assert stream.getvalue() == ""
        ((event, lines),) = _events(caplog)
        assert (event, lines) == ("request_log.lost", 3)
    finally:
        stream.released.set()
        access_log._thread.join(20)
    assert not access_log._thread.is_alive()


class _Buffered(io.StringIO):
    """A stream that takes what is written, and can't be flushed while its disk is full."""

    full = True

    def flush(self) -> None:
        """Fail while the disk is full."""
        if self.full:
            raise OSError("No space left on device")


def test_what_is_written_is_not_written_again(caplog: pytest.LogCaptureFixture) -> None:
    """F-41: lines that the stream holds already are flushed later, and never doubled."""
    caplog.set_level("INFO")
    stream = _Buffered()
    access_log = AccessLog(stream)

    def repair() -> None:
        stream.full = False

    _in_rounds(access_log, [*[lambda: access_log.record(_line(1))] * 2, repair])
    assert _numbers(stream) == [1, 1]
    assert _events(caplog) == [("request_log.failed", None), ("request_log.recovered", None)]
