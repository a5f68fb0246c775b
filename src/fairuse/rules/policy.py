"""A fair-use policy, as its file says it."""

from __future__ import annotations

import re
from typing import Annotated, Literal, NamedTuple, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from fairuse.rules.amounts import parse_amount
from fairuse.rules.durations import parse_duration
from fairuse.rules.model import Model, Name, Seconds
from fairuse.rules.nearest import suggestion
from fairuse.rules.routes import Route
from fairuse.rules.windows import Calendar, Rolling, Window, parse_window

DAY = 86_400
SCOPE_PARTS = ("account", "location", "address")

Scope = tuple[str, ...]
"""What a limit is counted by, besides the account it always belongs to."""

_REPETITION = re.compile(r"([0-9]{1,6}) refusals? in (.+)")


class Repetition(NamedTuple):
    """So many refusals within so many seconds."""

    refusals: int
    seconds: int


def _scope(value: object) -> Scope:
    parts = [part.strip() for part in value.split(",")] if isinstance(value, str) else []
    if not parts:
        raise ValueError(f'{value!r} is no scope; write it like "account, address"')
    for part in parts:
        if part not in SCOPE_PARTS:
            near = suggestion(part, SCOPE_PARTS)
            raise ValueError(f'"{part}" is no scope (one of {", ".join(SCOPE_PARTS)}){near}')
    return tuple(part for part in SCOPE_PARTS[1:] if part in parts)


def _window(value: object) -> Window:
    return value if isinstance(value, Rolling | Calendar) else parse_window(str(value))


def _repetition(value: object) -> Repetition:
    found = _REPETITION.fullmatch(value) if isinstance(value, str) else None
    if not found or int(found[1]) == 0:
        raise ValueError(f'{value!r} must be written like "3 refusals in 5 minutes"')
    return Repetition(int(found[1]), parse_duration(found[2]))


def _routes(texts: list[str]) -> list[str]:
    for text in texts:
        Route(text)
    return texts


class Meter(Model):
    """What is counted: the requests on some routes, of which only those the API accepted."""

    unit: str = Field(min_length=1, max_length=64)
    count: Annotated[list[str], Field(min_length=1), AfterValidator(_routes)]
    when: Literal["2xx"] = "2xx"


class Then(Model):
    """What follows when a hard limit keeps refusing: a block, for a time that grows (A29)."""

    after: Annotated[Repetition, BeforeValidator(_repetition)]
    block: Literal["address", "account, address"]
    for_: Seconds = Field(alias="for")
    at_most: Seconds = DAY

    @model_validator(mode="after")
    def _grows(self) -> Self:
        if self.at_most < self.for_:
            raise ValueError("at_most must not be shorter than for")
        return self


class Limit(Model):
    """At most `amount` units of a meter per window and scope, and what happens when over."""

    meter: Name
    scope: Annotated[Scope, BeforeValidator(_scope)]
    amount: Annotated[int, BeforeValidator(parse_amount)]
    window: Annotated[Window, BeforeValidator(_window)]
    over: Literal["case", "refuse"]
    then: Then | None = None

    @model_validator(mode="after")
    def _cases_have_calendar_windows(self) -> Self:
        if self.over == "case" and isinstance(self.window, Rolling):
            raise ValueError('over = "case" needs a calendar window')
        return self

    @model_validator(mode="after")
    def _only_refusals_repeat(self) -> Self:
        if self.then and self.over != "refuse":
            raise ValueError('"then" follows refusals, so it needs over = "refuse"')
        return self


class Emergency(Model):
    """What overload may do without a notice. Never an account: only addresses (A29, P3)."""

    allowed: list[Literal["block address", "throttle"]] = Field(default_factory=list)


class Policy(Model):
    """A fair-use policy: meters, limits, and what an emergency allows."""

    title: str = Field(min_length=1)
    meters: dict[Name, Meter] = Field(min_length=1)
    limits: dict[Name, Limit] = Field(min_length=1)
    emergency: Emergency = Emergency()
