"""Restrictions: a measure hits what it is meant for, while it is in force, and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairuse.rules.measures import Measure
from fairuse.rules.restrictions import Restriction, longest, restriction_of

if TYPE_CHECKING:
    from fairuse.rules.tally import ScopeKey

PATHS = ["/locations/a/appointments", "/locations/b/appointments", "/export", "/export/x", "/sms"]
ROUTES = ["* /**", "GET /export", "* /export/**", "POST /sms", "* /locations/{location}/**"]
PARTS = [
    ("location", "a"),
    ("location", "b"),
    ("user", "jan"),
    ("user", "piet"),
    ("address", "203.0.113.9"),
]
SCOPES = st.lists(st.sampled_from(PARTS), unique_by=lambda part: part[0]).map(tuple)


def _measure(**changes: Any) -> Measure:
    measure = Measure(1, 1, "salon", "suspend", (), (), "", "", "over", "in force", 100.0, 200.0)
    return measure._replace(**changes)


def _restriction(**changes: Any) -> Restriction:
    found = restriction_of(_measure(**changes), "per-month", 5_001, 5_000)
    assert found is not None
    return found


RESTRICTIONS = st.builds(
    lambda kind, scope, routes: _restriction(kind=kind, scope=scope, routes=routes),
    st.sampled_from(["suspend", "degrade"]),
    SCOPES,
    st.lists(st.sampled_from(ROUTES), max_size=3).map(tuple),
)


@given(
    RESTRICTIONS,
    st.sampled_from(["GET", "POST"]),
    st.sampled_from(PATHS),
    SCOPES,
    st.floats(0, 300),
)
def test_a_measure_hits_its_scope_its_routes_and_its_time(
    restriction: Restriction, method: str, path: str, parts: ScopeKey, moment: float
) -> None:
    """P9, P6, A32: whoever is hit is in the scope, on a route of it, and it is in force."""
    measure = restriction.measure
    on_route = [route for route in restriction.routes if route.matches(method, path)]
    everything = measure.kind == "suspend" and not measure.routes
    hit = restriction.hits(method, path, parts, moment)
    assert hit == (
        100.0 <= moment < 200.0
        and all(dict(parts).get(name) == value for name, value in measure.scope)
        and (everything or bool(on_route))
    )


@pytest.mark.parametrize("state", ["proposed", "rejected", "ended", "in force"])
def test_only_what_is_in_force_refuses(state: str) -> None:
    """A18, P2: a measure that waits, was rejected or is over refuses nothing."""
    restriction = _restriction(state=state)
    assert restriction.hits("GET", "/", (), 150.0) == (state == "in force")


def test_other_measures_refuse_no_request() -> None:
    """B16, D13: lower amounts are the limits' affair."""
    for kind in ("reduce", "throttle", "deny new users", "switch tariff", "custom"):
        assert restriction_of(_measure(kind=kind), "per-month", 1, 1) is None
    with pytest.raises(ValueError, match="must begin with a method"):
        _restriction(routes=("/export",))


def test_of_several_the_longest_is_told() -> None:
    """P10 (until when): until the last of them has ended all of them hold."""
    short, long, endless = (_restriction(ends_at=ends) for ends in (110.0, 190.0, None))
    assert longest([short, long]) is long
    assert longest([long, endless, short]) is endless
    assert longest([]) is None
