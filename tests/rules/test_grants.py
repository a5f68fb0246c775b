"""Grants: what an operator gives or takes besides the contract, and when it holds."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.rules.support import DOCUMENTS, tenant, utc
from tests.rules.support_grants import (
    MADE,
    MONTH_ENDS,
    YEAR_ENDS,
    grant,
    limit_with,
    terms_with,
)

from fairuse.rules.agreed import History
from fairuse.rules.amounts import Amount
from fairuse.rules.grants import Grant, of_measure, unused
from fairuse.rules.measures import Measure
from fairuse.rules.policy import Policy
from fairuse.rules.terms import Terms

if TYPE_CHECKING:
    from fairuse.rules.process import Action

CENTRUM = (("location", "centrum"),)
LATER = utc("2026-11-20T12:00")
OWN: dict[str, Any] = {"per-month": {"amount": 6_000, "reason": "as signed"}}

ONE_GRANT = {
    "an override (A27)": (
        grant("override", "8000", ends_at=YEAR_ENDS),
        Amount(8_000, "override until 2026-12-31"),
    ),
    "one without an end": (grant("override", "8000"), Amount(8_000, "override")),
    "one that ends within a day": (
        grant("override", "8000", ends_at=utc("2026-12-01T13:30")),
        Amount(8_000, "override until 2026-12-01 14:30"),
    ),
    "arithmetic": (grant("override", "2 * 4000"), Amount(8_000, "override: 2 * 4000")),
    "extra capacity": (
        grant("extra", "1000", ends_at=YEAR_ENDS),
        Amount(6_000, "policy booking, +1000 extra until 2026-12-31"),
    ),
    "a top-up (D20)": (
        grant("top-up", "500", ends_at=MONTH_ENDS),
        Amount(5_500, "policy booking, +500 top-up"),
    ),
    "a measure that reduces (D13)": (
        grant("reduce", "80% of per-month", ends_at=YEAR_ENDS),
        Amount(4_000, "reduced until 2026-12-31"),
    ),
    "a measure that throttles (B16)": (grant("throttle", "100"), Amount(100, "throttled")),
    "a cap above the amount": (grant("reduce", "9000"), Amount(5_000, "policy booking")),
}


@pytest.mark.parametrize(("one", "amount"), ONE_GRANT.values(), ids=ONE_GRANT)
def test_a_grant_holds_from_its_beginning_on(one: Grant, amount: Amount) -> None:
    """A27, B16, D12, D13, D20, D21, P7: not a moment earlier, and it says what it is."""
    limit = limit_with(one)
    assert limit.amount(MADE - 1) == Amount(5_000, "policy booking")
    assert limit.amount(MADE) == limit.amount(LATER) == amount


@pytest.mark.parametrize("kind", ["override", "reduce", "throttle"])
def test_what_puts_another_amount_in_its_place_ends_by_itself(kind: Any) -> None:
    """A27, P6, D13: 3,000 until the 20th, and from the same moment on 5,000 again."""
    limit = limit_with(grant(kind, "3000", ends_at=LATER))
    values = [amount.value for at in (LATER - 1, LATER) if (amount := limit.amount(at))]
    assert values == [3_000, 5_000]
    assert limit.holds_until(MADE) == LATER


def test_the_latest_override_beats_the_others() -> None:
    """A27, D12: the operator's last word holds, over an earlier one and over the contract's own."""
    first = grant("override", "7000", id=2)
    second = grant("override", "9000", id=1, made_at=MADE + 1, starts_at=LATER)
    limit = limit_with(first, second, override=OWN)
    found = [limit.amount(moment) for moment in (MADE - 1, MADE, LATER)]
    assert [amount and amount.value for amount in found] == [6_000, 7_000, 9_000]


def test_grants_add_up_and_the_lowest_cap_holds() -> None:
    """D20, D13: an override, extra capacity and two top-ups are one sum; a measure caps it."""
    added = [
        grant("override", "8000"),
        grant("extra", "1000"),
        grant("top-up", "500", ends_at=MONTH_ENDS),
        grant("top-up", "200", id=2, ends_at=MONTH_ENDS),
    ]
    source = "override, +1000 extra, +700 top-up"
    assert limit_with(*added).amount(MADE) == Amount(9_700, source)
    caps = [grant("reduce", "5000"), grant("throttle", "4000", id=2)]
    assert limit_with(*added, *caps).amount(MADE) == Amount(4_000, "throttled")


def test_what_was_added_in_a_window_stays_in_it() -> None:
    """P7, D20: extra capacity that ended counts to the window's end, and top-ups come on top."""
    ended = grant("extra", "1000", ends_at=MADE + 60)
    topped_up = grant("top-up", "500", starts_at=LATER, ends_at=MONTH_ENDS)
    limit = limit_with(ended, topped_up)
    values = [
        amount.value for at in (MADE, LATER - 1, LATER, MONTH_ENDS) if (amount := limit.amount(at))
    ]
    assert values == [6_000, 6_000, 6_500, 5_000]


def test_fewer_packages_take_no_top_up_away() -> None:
    """D20, P7: a pack that ended leaves the window's amount as it was, and the top-up on top."""
    bought = {"package": "standard", "adds": {"packs": 1}, "until": date(2026, 11, 5)}
    changes = {"packages": {"standard": {"packs": 4}}, "purchases": [bought]}
    topped_up = grant("top-up", "500", limit="pages", ends_at=MONTH_ENDS)
    rules = Policy.model_validate(DOCUMENTS)
    limit = Terms("a", "salon", tenant(**changes), rules, History(), (topped_up,)).limit("pages")
    assert limit is not None
    values = [amount.value for at in (MADE - 1, MADE, MONTH_ENDS) if (amount := limit.amount(at))]
    assert values == [12_500, 13_000, 10_000]
    assert limit.without_top_ups(MONTH_ENDS - 1) == 12_500


def test_what_follows_from_an_amount_follows_from_its_grants() -> None:
    """E24: twenty views an appointment are of the amount as it is, topped up or overridden."""
    limit = limit_with(grant("top-up", "500", ends_at=MONTH_ENDS), name="views")
    assert limit.amount(MADE) == Amount(110_000, "policy booking: 20 * per-month")


def test_units_with_decimals_are_granted_exactly() -> None:
    """D20, P7: half a minute more is half a minute more."""
    half = grant("top-up", "0.5", ends_at=MONTH_ENDS, limit="minutes")
    assert limit_with(half, name="minutes").amount(MADE) == Amount(
        100_50, "policy booking, +0.5 top-up"
    )


def test_a_grant_for_a_location_is_for_that_location() -> None:
    """A27, P9: 8,000 for one location leaves the others, and the whole, at 5,000."""
    limit = limit_with(
        grant("override", "8000", scope=CENTRUM), grant("extra", "100", ends_at=YEAR_ENDS)
    )
    at_location = [limit.within(scope).amount(MADE) for scope in (CENTRUM, (), _at("noord"))]
    assert [amount and amount.value for amount in at_location] == [8_100, 5_100, 5_100]
    assert limit.within(CENTRUM) is limit.within(CENTRUM)
    assert limit.within(CENTRUM).within(CENTRUM).amount(MADE) == at_location[0]


def test_a_grant_of_a_word_that_is_gone_means_nothing() -> None:
    """P7, P9: a policy that lost a word turns no grant into "nothing is allowed"."""
    assert limit_with(grant("reduce", "2 * old-pages")).amount(MADE) == Amount(
        5_000, "policy booking"
    )
    assert limit_with(grant("override", "2 * old-pages")).amount(MADE) is None
    assert limit_with(grant("reduce", "10", limit="gone")).amount(MADE) == Amount(
        5_000, "policy booking"
    )


def _at(location: str) -> tuple[tuple[str, str], ...]:
    return (("location", location),)


MOMENTS = st.floats(MADE, YEAR_ENDS)
GRANTS = st.builds(
    grant,
    st.sampled_from(["override", "extra", "top-up", "reduce", "throttle", "deny new users"]),
    st.integers(1, 9_000).map(str),
    MOMENTS,
    MOMENTS | st.none(),
    st.just(CENTRUM),
)


@given(st.lists(GRANTS, max_size=5), MOMENTS, st.floats(0, MADE, exclude_max=True))
def test_a_grant_is_for_nobody_and_no_time_else(
    grants: list[Grant], moment: float, before: float
) -> None:
    """P7, P9: other locations, other limits, and all that came before keep what they had."""
    agreed, granted = terms_with(), terms_with(*grants)
    for plain, limit in zip(agreed.limits, granted.limits, strict=True):
        assert limit.within(CENTRUM).amount(before) == plain.amount(before)
        assert limit.amount(moment) == plain.amount(moment)
        assert limit.within(_at("noord")).amount(moment) == plain.amount(moment)


@given(st.lists(GRANTS, max_size=5), MOMENTS)
def test_no_cap_raises_and_nothing_added_lowers(grants: list[Grant], moment: float) -> None:
    """D13, D20, P7: with the caps left out it is never less, without what was added never more."""
    amounts = [
        limit_with(*(each for each in grants if each.kind not in left_out))
        .within(CENTRUM)
        .amount(moment)
        for left_out in ({"reduce", "throttle"}, set(), {"extra", "top-up"})
    ]
    uncapped, whole, bare = [amount.value for amount in amounts if amount is not None]
    assert uncapped >= whole >= bare


@given(
    st.lists(st.integers(1, 1_000), min_size=1, max_size=4),
    st.integers(0, 5_000),
    st.integers(0, 9_000),
)
def test_what_is_left_of_top_ups(units: list[int], base: int, reading: int) -> None:
    """D20 (they do not expire): all that was not used is left, of the newest ones first."""
    top_ups = [
        grant("top-up", str(each), starts_at=MADE + place, id=place)
        for place, each in enumerate(units)
    ]
    left = unused(top_ups[::-1], 1, base, reading)
    assert sum(left.values()) == min(sum(units), max(0, base + sum(units) - reading))
    whole = [grant for grant in top_ups if left.get(grant) == int(grant.amount)]
    assert whole == top_ups[len(top_ups) - len(whole) :]
    assert all(0 < each <= int(grant.amount) for grant, each in left.items())


def _measure(kind: Action, **changes: Any) -> Measure:
    measure = Measure(7, 1, "salon", kind, CENTRUM, (), "per-month", "100", "over", "in force")
    return measure._replace(starts_at=MADE, ends_at=LATER, **changes)


def test_a_measure_is_a_grant_that_lowers() -> None:
    """B16, D13, P6, P9: its limit, amount, scope and end are those of the measure."""
    made = of_measure(_measure("throttle"))
    assert made is not None
    assert (made.limit, made.amount, made.scope) == ("per-month", "100", CENTRUM)
    assert (made.kind, made.starts_at, made.until) == ("throttle", MADE, LATER)
    assert of_measure(_measure("suspend")) is None
    assert of_measure(_measure("reduce", amount="80% of per-month")) is not None
    with pytest.raises(ValueError, match="expected"):
        of_measure(_measure("reduce", amount="80% of"))
