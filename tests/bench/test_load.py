"""What wrk prints is read exactly, and no figure comes of a run that went wrong."""

import pytest
from bench.errors import BenchError
from bench.load import Load, parse

FINE = """\
Running 5s test @ http://127.0.0.1:40001/v1/models/example
  1 threads and 32 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     1.83ms    1.02ms  31.40ms   93.12%
    Req/Sec    18.10k     1.51k   20.75k    72.00%
  Latency Distribution
     50%    1.64ms
     75%    1.92ms
     90%    2.25ms
     99%    5.12ms
  91832 requests in 5.10s, 37.21MB read
Requests/sec:  18006.27
Transfer/sec:      7.30MB
"""
TOTAL = "  91832 requests in 5.10s, 37.21MB read\n"


def test_a_run_is_read_whole() -> None:
    """Requests, seconds, p50 and p99 come from their own lines and no other."""
    assert parse(FINE) == Load(requests=91832, seconds=5.10, p50_ms=1.64, p99_ms=5.12)


@pytest.mark.parametrize(
    ("written", "milliseconds"),
    [
        pytest.param("450.00us", 0.45, id="microseconds"),
        pytest.param("12.80ms", 12.8, id="milliseconds"),
        pytest.param("1.02s", 1_020.0, id="seconds"),
        pytest.param("1.50m", 90_000.0, id="minutes"),
    ],
)
def test_a_latency_is_read_in_its_unit(written: str, milliseconds: float) -> None:
    """Whatever unit wrk chooses, both percentiles are given in milliseconds."""
    load = parse(FINE.replace("1.64ms", written).replace("5.12ms", written))
    assert (load.p50_ms, load.p99_ms) == (milliseconds, milliseconds)


def test_a_long_run_is_read_in_minutes() -> None:
    """A run of a minute or more has its length in seconds."""
    assert parse(FINE.replace("in 5.10s", "in 1.50m")).seconds == 90.0


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        pytest.param(
            "  Non-2xx or 3xx responses: 17\n", "17 of 91832 answers were not a 200", id="refused"
        ),
        pytest.param(
            "  Socket errors: connect 0, read 3, write 0, timeout 2\n", "read 3", id="unanswered"
        ),
    ],
)
def test_a_run_with_other_answers_gives_no_figure(line: str, reason: str) -> None:
    """One answer that is not a 200 makes the whole run an error that says how many there were."""
    with pytest.raises(BenchError, match=reason):
        parse(FINE.replace(TOTAL, TOTAL + line))


@pytest.mark.parametrize(
    "output",
    [
        pytest.param("", id="nothing"),
        pytest.param(FINE.replace(TOTAL, ""), id="no total"),
        pytest.param(FINE.replace("91832 requests", "0 requests"), id="no request"),
        pytest.param(FINE.replace("     99%    5.12ms\n", ""), id="no p99"),
        pytest.param(FINE.replace("1.64ms", "-nanus"), id="no number"),
    ],
)
def test_a_run_without_figures_is_an_error(output: str) -> None:
    """Where wrk says too little, the run fails instead of giving a guess."""
    with pytest.raises(BenchError):
        parse(output)


def test_refusals_are_counted_where_they_are_asked_for() -> None:
    """What was let in is taken off, as long as it is next to nothing."""
    output = FINE.replace(TOTAL, TOTAL + "  Non-2xx or 3xx responses: 91772\n")
    assert parse(output, refused=True).requests == 91772


def test_a_server_that_refuses_too_little_gives_no_figure() -> None:
    """Served requests would be measured as refusals."""
    output = FINE.replace(TOTAL, TOTAL + "  Non-2xx or 3xx responses: 80000\n")
    with pytest.raises(BenchError, match="11832 of 91832 requests were not refused"):
        parse(output, refused=True)
