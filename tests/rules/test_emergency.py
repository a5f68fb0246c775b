"""What a policy may say of overload, and what it may not."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError
from tests.rules.support import POLICY, policy

from fairuse.rules.emergency import OVERLOAD, Episodes, Overloads
from fairuse.rules.problems import policy_problems
from fairuse.rules.process import Ladder

DAY = 86_400
STEP = {"on": "still over", "until": "7 days", "limits": [OVERLOAD]}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2 episodes in 30 days", Episodes(2, 0, 30 * DAY)),
        ("2 episodes in 1 month", Episodes(2, 1, 0)),
        ("3 episodes in 6 months", Episodes(3, 6, 0)),
    ],
)
def test_when_a_case_is_opened(text: str, expected: Episodes) -> None:
    """A12, E33: after so many episodes in a span of time, or in calendar months."""
    assert Overloads.model_validate({"case_after": text}).case_after == expected


@pytest.mark.parametrize(
    "text", ["1 episodes in 30 days", "2 episodes in 0 months", "twice", "2 breaches in 1 month", 2]
)
def test_once_is_nothing(text: object) -> None:
    """A12: a policy can't open a case at the first episode."""
    with pytest.raises(ValidationError, match=r"once is nothing|must be written like"):
        Overloads.model_validate({"case_after": text})


def said(ladder: dict[str, Any], **more: object) -> list[tuple[str, str]]:
    """Give what is wrong with a policy that has this step."""
    return [*policy_problems(policy(ladder={"steps": [ladder]}, **more), None)]


def test_a_step_can_be_about_overload() -> None:
    """A12: where the policy opens cases of it."""
    step = STEP | {"do": "degrade", "routes": ["GET /exports"]}
    overload = {"case_after": "2 episodes in 30 days"}
    assert said(step, overload=overload) == []
    [(key, why)] = said(step)
    assert (key, why) == ("ladder.steps.0.limits", '"overload" needs [overload] in the policy')


@pytest.mark.parametrize(
    "step",
    [
        {"do": "suspend", "routes": ["GET /exports"]},
        {"on": "renegotiation failed", "do": "terminate"},
    ],
)
def test_overload_closes_no_account(step: dict[str, object]) -> None:
    """A31, P3: such a step is refused where it names overload, and not taken where it doesn't."""
    overload = {"case_after": "2 episodes in 30 days"}
    [(key, why)] = said(STEP | step, overload=overload)
    assert key == "ladder.steps.0.limits"
    assert "it never closes an account (P3)" in why
    general = {name: value for name, value in (STEP | step).items() if name != "limits"}
    [taken] = Ladder.model_validate({"steps": [general]}).steps
    assert taken.covers("burst")
    assert not taken.covers(OVERLOAD)


def test_no_limit_has_the_name_of_a_case() -> None:
    """A limit called overload could not be told from it."""
    [limit] = [*POLICY["limits"].values()][:1]
    found = [*policy_problems(policy(limits={"overload": limit}), None)]
    assert any(key == "limits.overload" for key, _ in found)
