"""Meters: what may be counted, and every key that does not fit what is measured."""

from __future__ import annotations

from typing import Any, get_args

import pytest
from tests.rules.support import METER, wrong

from fairuse.rules.meters import KINDS, Kind, Measure, Meter, Source, parse_source

MEASURES = get_args(Measure)
ITEMS: dict[str, Any] = {
    "unit": "page",
    "measure": "open items",
    "count": ["PUT /documents/{item}"],
    "release": ["POST /documents/{item}/finish"],
}
GAUGE: dict[str, Any] = {
    "unit": "byte",
    "measure": "gauge",
    "count": ["POST /documents"],
    "cost": {"response_header": "X-Storage"},
}
AVERAGE: dict[str, Any] = {"method": "median", "at_least": 8}
AGEING: dict[str, Any] = {"after": "12 months", "into": "pages"}


def _meter(**changes: Any) -> Meter:
    return Meter.model_validate(METER | changes)


KEPT: dict[Measure, Kind] = {
    "requests": "flow", "bytes": "flow", "bytes in": "flow", "bytes out": "flow",
    "seconds open": "flow", "in flight": "level", "gauge": "level", "users": "members",
    "locations": "members", "addresses": "members", "open items": "items",
}  # fmt: skip
REALLY_USED = {"bytes", "bytes in", "bytes out", "seconds open", "in flight"}


@pytest.mark.parametrize("measure", MEASURES)
def test_every_measure_has_its_kind(measure: Measure) -> None:
    """A flow is added up, a level goes up and down, members are told apart, items are open."""
    needed = GAUGE if measure == "gauge" else ITEMS if measure == "open items" else METER
    meter = Meter.model_validate(needed | {"measure": measure})
    assert meter.kind == KINDS[measure] == KEPT[measure]
    assert meter.whatever_the_answer == (measure in REALLY_USED)


def test_a_meter_counts_requests_unless_told_otherwise() -> None:
    """A05 (accepted only): a plain meter counts whole requests that the API accepted."""
    meter = _meter()
    assert (meter.measure, meter.kind, meter.one, meter.plural) == (
        "requests", "flow", 1, "appointments",
    )  # fmt: skip
    assert (meter.cost, meter.when, meter.whatever_the_answer) == (None, None, False)
    assert (_meter(decimals=2).one, _meter(units="dates").plural) == (100, "dates")


@pytest.mark.parametrize(("measure", "when", "always"), [
    ("requests", "any", True), ("requests", "2xx", False),
    ("bytes", "2xx", False), ("bytes", "any", True), ("seconds open", None, True),
])  # fmt: skip
def test_which_answers_count(measure: str, when: str | None, always: bool) -> None:
    """A05, B08: what was really used counts whatever the answer, unless the policy says not."""
    assert _meter(measure=measure, when=when).whatever_the_answer == always


SOURCES = {
    "event call.ended": "call.ended",
    "event a": "a",
    "event Com.Example_2-x": "Com.Example_2-x",
    "event " + "a" * 128: "a" * 128,
}
NO_EVENT = '"{}" is no type of event; write it like "event call.ended"'
NO_METHOD = '"{}" must begin with a method (or *) and a space'
WRONG_SOURCES = {
    "event ": NO_EVENT.format(""),
    "event  call": NO_EVENT.format(" call"),
    "event call ended": NO_EVENT.format("call ended"),
    "event .call": NO_EVENT.format(".call"),
    "event call\n": NO_EVENT.format("call\n"),
    "event " + "a" * 129: NO_EVENT.format("a" * 129),
    "event": NO_METHOD.format("event"),
    "Event call.ended": NO_METHOD.format("Event call.ended"),
    "GET x": 'the path "x" must begin with "/"',
}


@pytest.mark.parametrize(("text", "kind"), SOURCES.items())
def test_events_are_read(text: str, kind: str) -> None:
    """S16: a meter may be moved by usage events of a type."""
    assert parse_source(text) == Source(None, kind)
    assert _meter(count=["POST /calls", text]).count == ["POST /calls", text]


def test_routes_are_read() -> None:
    """A meter may be moved by requests on a route."""
    route, event = parse_source("POST /documents/{item}")
    assert event == ""
    assert route is not None
    assert route.matches("POST", "/documents/1")


@pytest.mark.parametrize(("text", "message"), WRONG_SOURCES.items(), ids=map(repr, WRONG_SOURCES))
@pytest.mark.parametrize("key", ["count", "release"])
def test_what_is_no_source(key: str, text: str, message: str) -> None:
    """What is neither a route nor a type of event is an error that shows how to write one."""
    assert wrong(Meter, ITEMS | {key: [*ITEMS[key], text]}) == [f"{key}: {message}"]


LONE = {key: value for key, value in ITEMS.items() if key != "release"}
COST = {"response_header": "X-Pages"}
TWO_PLACES = "cost: a request's cost stands in one place; name one header or field"
NO_FIELD = '"{}" is no field; write it like "usage.total_tokens"'
NO_SPAN = '"{}" is no span of time; write it like "15 minutes" or "24 hours"'
NO_MONTHS = '{!r} is no number of months; write it like "12 months"'
WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "no unit": (METER | {"unit": ""}, "unit: String should have at least 1 character"),
    "nothing counted": (
        METER | {"count": []},
        "count: Value should have at least 1 item after validation, not 0",
    ),
    "other answers": (METER | {"when": "5xx"}, "when: Input should be '2xx' or 'any'"),
    "too many decimals": (
        METER | {"decimals": 7},
        "decimals: Input should be less than or equal to 6",
    ),
    "cost in two places": (
        METER | {"cost": COST | {"request_field": "pages"}},
        TWO_PLACES,
    ),
    "cost nowhere": (
        METER | {"cost": {}},
        "cost: a cost stands somewhere; name a header or a field",
    ),
    "reserve of what is told before": (
        METER | {"cost": {"request_field": "pages", "reserve": 5}},
        "cost: reserve is for costs that only the answer tells",
    ),
    "reserve of nothing": (
        METER | {"cost": COST | {"reserve": -1}},
        "cost.reserve: Input should be greater than or equal to 0",
    ),
    "no field": (
        METER | {"cost": {"response_field": "usage..tokens"}},
        "cost.response_field: " + NO_FIELD.format("usage..tokens"),
    ),
    "a field with a space": (
        METER | {"cost": {"event_field": "total tokens"}},
        "cost.event_field: " + NO_FIELD.format("total tokens"),
    ),
    "no header": (
        METER | {"cost": {"request_header": "X Pages"}},
        'cost.request_header: "X Pages" is no header name; write up to 64 letters, digits and -',
    ),
    "a level that nobody tells": (
        GAUGE | {"cost": None},
        ': measure = "gauge" needs a cost that says where the level stands',
    ),
    "items that nothing closes": (
        LONE,
        ': measure = "open items" needs release: what closes an item',
    ),
    "bytes of an answer": (
        METER | {"measure": "bytes", "cost": COST},
        ': measure = "bytes" is measured here; only events tell a cost',
    ),
    "days": (METER | {"shorter_than": "6 dyas"}, "shorter_than: " + NO_SPAN.format("6 dyas")),
    "an average of days": (
        METER | {"average": AVERAGE | {"over": "90 days"}},
        "average.over: " + NO_MONTHS.format("90 days"),
    ),
    "an average of one": (
        METER | {"average": {"at_least": 1}},
        "average.at_least: Input should be greater than or equal to 2",
    ),
    "an average that depends": (
        METER | {"average": AVERAGE | {"otherwise": "2 * users"}},
        'average.otherwise: "2 * users" must be a number',
    ),
    "ageing at once": (
        ITEMS | {"ageing": AGEING | {"after": "0 months"}},
        "ageing.after: " + NO_MONTHS.format("0 months"),
    ),
}


@pytest.mark.parametrize(("table", "found"), WRONG.values(), ids=WRONG)
def test_what_is_no_meter(table: dict[str, Any], found: str) -> None:
    """F-50 (words): a meter counts something, and says where the number of units stands."""
    assert wrong(Meter, table) == [found]


ADDED_UP = ("requests", "bytes", "bytes in", "bytes out", "seconds open")
FITS: dict[str, tuple[object, tuple[str, ...]]] = {
    "cost": ({"event_field": "n"}, ("requests", "gauge", "open items", *sorted(ADDED_UP[1:]))),
    "decimals": (1, ("requests", "seconds open", "gauge", "open items")),
    "release": (["DELETE /documents/{item}"], ("gauge", "open items")),
    "shorter_than": ("6 seconds", ("requests",)),
    "longer_than": ("2 hours", ("requests",)),
    "average": (AVERAGE, ADDED_UP),
    "ageing": (AGEING, ("open items",)),
}


@pytest.mark.parametrize("measure", MEASURES)
@pytest.mark.parametrize(("key", "value", "fits"), [(key, *rest) for key, rest in FITS.items()])
def test_keys_fit_the_measure(
    key: str, value: object, fits: tuple[str, ...], measure: Measure
) -> None:
    """F-50 (words): a key that means nothing for what is measured is an error that says so."""
    needed = GAUGE if measure == "gauge" else ITEMS if measure == "open items" else METER
    table = needed | {"measure": measure, key: value}
    wanted = " or ".join(f'"{fit}"' for fit in fits)
    found = [] if measure in fits else [f": {key} needs measure = {wanted}"]
    assert wrong(Meter, table) == found
