"""The promises about measures: which of them an entry breaks, after those before it."""

from __future__ import annotations

from typing import Any

import pytest
from tests.rules.entries import (
    HOUR,
    begun,
    broken,
    charge,
    ended_contract,
    entry,
    opened,
    talk_failed,
    told,
)
from tests.support import NOON

from fairuse.rules.record import NO_CASE


@pytest.mark.parametrize("what", ["suspend", "degrade", "reduce", "custom"])
def test_a_measure_needs_a_notice_that_was_delivered(what: str) -> None:
    """F-54, P2, A15: nothing begins before the customer was contacted, whatever it is."""
    assert broken(opened(), begun(what)) == ["P2"]
    assert broken(begun(what)) == ["P2"]


def test_a_contract_is_ended_after_contact_only() -> None:
    """P2: a case that nobody was told of can't end in a termination."""
    assert broken(opened(), talk_failed(), ended_contract()) == ["P2"]
    assert broken(opened(), told(), talk_failed(), ended_contract()) == []


def test_a_contract_is_ended_by_a_person_after_a_talk() -> None:
    """P2, E34, B17, C22: neither without a talk that failed, nor by the process itself."""
    assert broken(opened(), told(), ended_contract()) == ["P2"]
    for nobody in ("", "fairuse"):
        ended = ended_contract()._replace(by=nobody)
        assert broken(opened(), told(), talk_failed(), ended) == ["P2"]


@pytest.mark.parametrize("what", ["suspend", "terminate"])
def test_overload_closes_no_account(what: str) -> None:
    """P3, A31: not even proposed is it to suspend or terminate because of overload."""
    proposed = begun(what, rule="overload")._replace(kind="measure.proposed")
    assert broken(opened(rule="overload"), proposed) == ["P3"]
    assert broken(opened(rule="overload"), told(), begun(what, rule="overload")) == ["P3"]
    assert broken(opened(rule="overload"), told(), begun("throttle", rule="overload")) == []


def test_a_limit_may_have_any_name_but_those_that_are_taken() -> None:
    """P3: "emergency" is a limit's name like another; its measures are no overload's."""
    proposed = begun("suspend", rule="emergency")._replace(kind="measure.proposed")
    assert broken(opened(rule="emergency"), proposed) == []


def test_overload_ends_no_contract() -> None:
    """P3: neither by the end of a case."""
    case = opened(rule="overload"), told(), talk_failed()
    assert broken(*case, ended_contract()) == ["P3"]
    assert broken(*case, entry("case.moved", on="resolved")) == []


def test_a_measure_belongs_to_a_case() -> None:
    """P4: going over an amount changes no answer: only a step of a case does."""
    assert "P4" in broken(begun()._replace(case=NO_CASE))


@pytest.mark.parametrize(
    ("end", "kept"),
    [
        ({"until": None}, False),
        ({"until": None, "until_under": True}, True),
        ({"until": None, "until_under": False}, False),
        ({"until": None, "review": NOON + 90}, True),
        ({"until": "some day"}, False),
        ({"until": float("nan")}, False),
    ],
)
def test_a_measure_has_an_end_or_a_day_to_look_at_it(end: dict[str, Any], kept: bool) -> None:
    """F-54, P6: an end, the use under the limit again, or a review; else it does not begin."""
    assert broken(opened(), told(), begun(**end)) == ([] if kept else ["P6"])


def test_a_measure_acts_not_backwards_and_a_forgiven_window_may() -> None:
    """P7: what is forgiven lies in the past; what is refused does not."""
    earlier: dict[str, Any] = {"from": NOON + HOUR}
    assert broken(opened(), told(), begun(**earlier)) == ["P7"]
    assert broken(entry("window.forgiven", **{"from": NOON - HOUR})) == []


def test_a_measure_hits_its_scope() -> None:
    """F-54, P9: that of its case or a part of it, of the account the case is about."""
    case = (opened(), told())
    assert broken(*case, begun(scope={"location": "x", "address": "::/64"})) == []
    assert broken(*case, begun(scope={"location": "y"})) == ["P9"]
    assert broken(*case, begun(scope={})) == ["P9"]
    assert broken(*case, begun(scope=None)) == ["P9"]
    assert broken(*case, begun(account="bert")) == ["P9"]
    assert "P9" in broken(*case, charge(account="bert"))


def test_a_measure_that_refuses_says_why() -> None:
    """P10: the rule, and the amount where it is one that refuses."""
    case = (opened(rule=""), told())
    assert broken(*case, begun("suspend", rule="")) == ["P10"]
    assert broken(*case, begun("custom", rule="")) == []
    assert broken(*case, begun("suspend", limit="", amount="")) == []
    for missing in ("limit", "amount"):
        assert broken(*case, begun("reduce", **{missing: ""})) == ["P10"]
        assert broken(*case, begun("throttle", **{missing: ""})) == ["P10"]
