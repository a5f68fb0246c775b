"""What is wrong between a policy's ladder and the rest of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fairuse.rules.emergency import CLOSING, OVERLOAD
from fairuse.rules.ladder import REPEATED
from fairuse.rules.nearest import suggestion
from fairuse.rules.process import PRICED
from fairuse.rules.windows import Calendar

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fairuse.rules.policy import Limit, Policy
    from fairuse.rules.process import Step


def ladder_problems(policy: Policy) -> Iterator[tuple[str, str]]:
    """Give what is wrong with the steps: the key in the file, and why."""
    needed = tariffs_of(policy)
    for name, prices in policy.tariffs.items():
        if name not in needed:
            yield f"tariffs.{name}", "nothing is charged by it" + suggestion(name, needed)
        if len({price.from_ for price in prices}) < len(prices):
            yield f"tariffs.{name}", "has two prices from the same day"
    for number, step in enumerate(policy.ladder.steps):
        for key, problem in step_problems(step, policy):
            yield f"ladder.steps.{number}.{key}", problem


def step_problems(step: Step, policy: Policy) -> Iterator[tuple[str, str]]:
    """Give what is wrong between one step and the policy: the key in its table, and why."""
    yield from _rule_problems("limits", step, policy)
    if step.do in PRICED and step.tariff is None:
        yield from _tariff_problems("tariff", step, policy)
    if step.do == "switch tariff":
        yield from _switch_problems("limits", step, policy)
    if step.limit is not None:
        yield from _limit_problems("limit", step, policy)
    yield from _end_problems("until", step, policy)


def tariffs_of(policy: Policy) -> dict[str, str]:
    """Give the price lists that a policy charges by, and what for."""
    limits = {limit.tariff: f'the limit "{name}"' for name, limit in policy.limits.items()}
    steps = {step.tariff: f'the ladder\'s step on "{step.on}"' for step in policy.ladder.steps}
    return {name: what for name, what in {**steps, **limits}.items() if name is not None}


def _rule_problems(key: str, step: Step, policy: Policy) -> Iterator[tuple[str, str]]:
    known = {**policy.limits, REPEATED: None, OVERLOAD: None}
    for name in step.limits or ():
        limit = policy.limits.get(name)
        if name not in known:
            yield key, f'there is no limit "{name}"{suggestion(name, known)}'
        elif limit is not None and (limit.hard or limit.over == "signal"):
            yield key, f'"{name}" opens no case, so no step is ever taken for it'
        elif name == REPEATED and policy.case_after is None:
            yield key, f'"{REPEATED}" needs case_after in the policy'
        elif name == OVERLOAD and policy.overload is None:
            yield key, f'"{OVERLOAD}" needs [overload] in the policy'
        elif name == OVERLOAD and step.do in CLOSING:
            yield key, f'overload may not "{step.do}": it never closes an account (P3)'


def _tariff_problems(key: str, step: Step, policy: Policy) -> Iterator[tuple[str, str]]:
    for name, limit in _covered(step, policy):
        if limit.tariff is None:
            yield key, f'is missing: the limit "{name}" has no tariff of its own'


def _switch_problems(key: str, step: Step, policy: Policy) -> Iterator[tuple[str, str]]:
    """Find limits whose units have no price of their own: they are known by the hour alone."""
    of_none = {REPEATED: policy.case_after, OVERLOAD: policy.overload}
    for rule in (rule for rule, there in of_none.items() if there and step.covers(rule)):
        yield key, f'"{rule}" is about no one limit whose units could be priced; name some'
    for name, limit in _covered(step, policy):
        meter = policy.meters.get(limit.meter)
        by_window = isinstance(limit.window, Calendar) and set(limit.scope) <= {"location"}
        if meter is not None and (meter.kind != "flow" or not by_window):
            why = "is not added up by calendar windows, of an account or a location"
            yield key, f'"{name}" {why}, so its units can\'t be priced one by one'


def _covered(step: Step, policy: Policy) -> Iterator[tuple[str, Limit]]:
    """Give the limits in whose cases a step may be taken."""
    for name, limit in policy.limits.items():
        if not limit.hard and limit.over != "signal" and step.covers(name):
            yield name, limit


def _end_problems(key: str, step: Step, policy: Policy) -> Iterator[tuple[str, str]]:
    """Find ends that never come (P6)."""
    if step.until == "under the limit" and step.limits and REPEATED in step.limits:
        yield key, f'"{REPEATED}" is about no one limit, so its use is never under it (P6)'
    if step.until == "window end":
        for name, limit in _covered(step, policy):
            if not isinstance(limit.window, Calendar):
                yield key, f'the limit "{name}" has no calendar window that ends (P6)'


def _limit_problems(key: str, step: Step, policy: Policy) -> Iterator[tuple[str, str]]:
    limit = policy.limits.get(step.limit or "")
    if limit is None:
        yield key, f'there is no limit "{step.limit}"{suggestion(step.limit or "", policy.limits)}'
    elif not limit.hard:
        yield key, f'"{step.limit}" refuses nothing, so another amount would change nothing (P4)'
