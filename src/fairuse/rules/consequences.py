"""Consequences: what a policy's ladder does, put together for the rules it does the same for."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from fairuse.rules.choices import options
from fairuse.rules.emergency import OVERLOAD
from fairuse.rules.ladder import REPEATED

if TYPE_CHECKING:
    from fairuse.rules.policy import Policy
    from fairuse.rules.process import Step, Trigger


class Consequence(NamedTuple):
    """What follows under some rules: what is offered to the customer, and the steps after it.

    `steps` are the first of each point, `instead` those an operator may propose in their place.
    """

    rules: list[str]
    offered: list[str]
    steps: list[Step]
    instead: list[Step]

    @property
    def waits(self) -> bool:
        """Say whether customers have a time in which they bring the use back, or choose."""
        return not any(step.on == "told" for step in self.steps)

    @property
    def priced(self) -> bool:
        """Say whether being told is all a charge needs, so that warnings name the price (D10)."""
        told = any(step.on == "told" and step.do == "charge" for step in self.steps)
        return told and not self.offered


def consequences(policy: Policy) -> list[Consequence]:
    """Give what follows under each rule that opens cases; the same for several is one."""
    rules = [name for name, limit in policy.limits.items() if limit.over in ("case", "charge")]
    if policy.case_after is not None:
        rules.append(REPEATED)
    if policy.overload is not None:
        rules.append(OVERLOAD)
    found: list[Consequence] = []
    for rule in rules:
        steps = _steps(rule, policy)
        taken = {step.on: step for step in steps}
        instead = [
            step
            for step in policy.ladder.steps
            if step.covers(rule) and taken.get(step.on, step) is not step
        ]
        new = Consequence([rule], options(rule, policy.ladder), steps, instead)
        same = next((each for each in found if each[1:] == new[1:]), None)
        if same is None:
            found.append(new)
        else:
            same.rules.append(rule)
    return found


def charges_from_the_limit(policy: Policy) -> bool:
    """Say whether a policy charges what came before its notice, too (P5)."""
    return any(step.looks_back for step in policy.ladder.steps)


def may_switch_tariff(policy: Policy) -> bool:
    """Say whether a policy may end the included amount, so that every unit is charged (P5, B18)."""
    return any(step.do == "switch tariff" for step in policy.ladder.steps)


def _steps(rule: str, policy: Policy) -> list[Step]:
    """Give the steps that can be taken in cases of a rule: of each point the first one."""
    steps: dict[Trigger, Step] = {}
    for step in policy.ladder.steps:
        if step.covers(rule):
            steps.setdefault(step.on, step)
    if not any(step.do == "renegotiate" for step in steps.values()):
        steps.pop("renegotiation failed", None)
    return [*steps.values()]
