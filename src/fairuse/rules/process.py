"""The fair process of a policy, as its file says it: warnings, the choice, and the steps after.

What can't keep a promise is refused here, with the promise's id: a charge before the notice (P1),
a measure before it (P2), a measure without an end (P6).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, InstanceOf, model_validator

from fairuse.rules.amounts import parse_amount
from fairuse.rules.durations import parse_duration
from fairuse.rules.emergency import CLOSING, OVERLOAD
from fairuse.rules.expression import Expression
from fairuse.rules.model import Model, Name, Seconds, written
from fairuse.rules.routes import Route

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fairuse.rules.ladder import Case

Trigger = Literal[
    "over", "told", "accepted", "declined", "no answer", "still over", "renegotiation failed"
]
Action = Literal[
    "charge",
    "reduce",
    "throttle",
    "degrade",
    "suspend",
    "deny new users",
    "switch tariff",
    "renegotiate",
    "terminate",
    "custom",
]
Option = Literal["accept charges", "reduce", "extra capacity"]
Until = Literal["under the limit", "window end"]

_SHARE = re.compile(r"([1-9][0-9]?)%")
NO_MEASURE: frozenset[Action] = frozenset({"charge", "renegotiate", "terminate"})
"""What is done once, and is no measure that is in force for a time."""
PRICED: frozenset[Action] = frozenset({"charge", "switch tariff"})
"""What asks a price, so that it has a tariff."""
ALLOWED: dict[Trigger, tuple[Action, ...]] = {
    "told": ("charge", "renegotiate"),
    "accepted": ("charge",),
    "renegotiation failed": ("terminate",),
}
"""What may follow at once; a measure needs that the customer had time (A17, A22)."""
BY_OPERATOR: frozenset[Action] = frozenset({"terminate", "switch tariff"})
"""What a person decides, always."""


def _threshold(text: str) -> str:
    if text != "projected" and not _SHARE.fullmatch(text):
        raise ValueError(f'"{text}" must be a share like "80%", or "projected"')
    return text


def _until(value: object) -> object:
    if isinstance(value, str) and value not in ("under the limit", "window end"):
        return parse_duration(value)
    return value


def _route(text: str) -> str:
    Route(text)
    return text


class Step(Model):
    """Something that is done when a case comes to a point."""

    on: Trigger
    do: Action
    limits: list[Name] | None = None
    tariff: Name | None = None
    from_: Literal["notice", "limit"] = Field(default="notice", alias="from")
    routes: list[Annotated[str, AfterValidator(_route)]] = Field(default_factory=list)
    limit: Name | None = None
    amount: (
        Annotated[
            InstanceOf[Expression],
            BeforeValidator(parse_amount),
            written("80% of x", or_number=True),
        ]
        | None
    ) = None
    until: Annotated[Until | int, BeforeValidator(_until), written("under the limit")] | None = None
    review: Seconds | None = None
    approval: Literal["operator", "none"] = "operator"

    @property
    def looks_back(self) -> bool:
        """Say whether it is about what was used already, so that later use changes nothing."""
        return self.do == "charge" and self.from_ == "limit"

    def covers(self, rule: str) -> bool:
        """Say whether it is taken in cases of a rule; overload never closes an account (P3)."""
        if rule == OVERLOAD and self.do in CLOSING:
            return False
        return self.limits is None or rule in self.limits

    @model_validator(mode="after")
    def _keeps_the_promises(self) -> Self:
        if self.on == "over":
            promise = "P1" if self.do == "charge" else "P2"
            raise ValueError(f'"{self.do}" must come after the notice, not on "over" ({promise})')
        if self.do not in ALLOWED.get(self.on, (self.do,)):
            allowed = " or ".join(ALLOWED[self.on])
            raise ValueError(f'on "{self.on}" comes {allowed}; "{self.do}" needs a grace (P2)')
        if self.do not in NO_MEASURE and self.until is None and self.review is None:
            raise ValueError(f'"{self.do}" needs an end (until) or a day to look at it again (P6)')
        if self.do in BY_OPERATOR and self.approval == "none":
            raise ValueError(f'"{self.do}" needs the approval of an operator (P2)')
        if self.do == "terminate" and self.on != "renegotiation failed":
            raise ValueError('"terminate" follows a failed renegotiation alone (P2)')
        return self

    @model_validator(mode="after")
    def _has_what_it_needs(self) -> Self:
        if self.tariff is not None and self.do not in PRICED:
            raise ValueError('a tariff belongs to "charge" and "switch tariff"')
        if self.do in {"degrade", "suspend"} and not self.routes:
            raise ValueError(f'"{self.do}" needs the routes that it switches off')
        if self.do in {"reduce", "throttle"} and (self.limit is None or self.amount is None):
            raise ValueError(f'"{self.do}" needs a limit and the amount that holds meanwhile')
        if self.do == "deny new users" and self.limit is None:
            raise ValueError('"deny new users" needs the limit that counts users')
        return self


class Ladder(Model):
    """The process of a policy. Empty, a case is told of and waits for the operator."""

    warn: list[Annotated[str, AfterValidator(_threshold)]] = Field(default_factory=list)
    grace: Seconds = 14 * 86_400
    persists: int = Field(default=1, ge=1)
    offer: list[Option] = Field(default_factory=list)
    steps: list[Step] = Field(default_factory=list)

    def step(self, case: Case, triggers: Sequence[Trigger]) -> Step | None:
        """Give the first step for a case at one of some points, the first point first."""
        return next(
            (
                step
                for trigger in triggers
                for step in self.steps
                if step.on == trigger and step.covers(case.rule)
            ),
            None,
        )

    def proposable(self, rule: str, action: str) -> Step | None:
        """Give the first step of a kind for a rule, which an operator may propose at any point."""
        found = (step for step in self.steps if step.do == action and step.covers(rule))
        return next(found, None)

    def offers(self, rule: str) -> list[Option]:
        """Give what a customer can choose between under a rule."""
        charged = any(step.on == "accepted" and step.covers(rule) for step in self.steps)
        return [option for option in self.offer if option != "accept charges" or charged]

    @model_validator(mode="after")
    def _choices_lead_somewhere(self) -> Self:
        taken = {step.on for step in self.steps}
        if ("accept charges" in self.offer) != ("accepted" in taken):
            raise ValueError('the offer "accept charges" and a step on "accepted" need each other')
        if taken & {"no answer", "declined"} and not self.offer:
            raise ValueError('steps on "no answer" and "declined" need something to "offer"')
        return self
