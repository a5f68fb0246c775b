"""What a policy says of overload: what may be done at once, and when it is a case (A12, A29)."""

from __future__ import annotations

import re
from typing import Annotated, Literal, NamedTuple

from pydantic import BeforeValidator, Field, field_validator

from fairuse.rules.durations import parse_duration
from fairuse.rules.model import Model, written

OVERLOAD = "overload"
"""The rule of a case about overload, and of a refusal because of it; no limit has that name."""

CLOSING = frozenset({"suspend", "terminate"})
"""What overload never does to an account (P3)."""

_EPISODES = re.compile(r"([0-9]{1,3}) episodes in (?:([0-9]{1,3}) months?|(.+))")


class Episodes(NamedTuple):
    """So many episodes within so many calendar months, this one included, or within seconds."""

    episodes: int
    months: int
    seconds: int


def _episodes(value: object) -> Episodes:
    found = _EPISODES.fullmatch(value) if isinstance(value, str) else None
    if not found or found[2] == "0":
        raise ValueError(f'{value!r} must be written like "2 episodes in 30 days"')
    if int(found[1]) < 2:
        raise ValueError("needs 2 episodes at least: once is nothing (A12)")
    seconds = parse_duration(found[3]) if found[3] else 0
    return Episodes(int(found[1]), int(found[2] or 0), seconds)


class Overloads(Model):
    """When overload that is mostly one account's opens a case (A12, E33)."""

    case_after: Annotated[Episodes, BeforeValidator(_episodes), written("2 episodes in 30 days")]


class Emergency(Model):
    """What overload may do without a notice. Never close an account (A29, P3)."""

    allowed: list[Literal["block address", "throttle"]] = Field(default_factory=list)

    @field_validator("allowed", mode="before")
    @classmethod
    def _closes_no_account(cls, allowed: object) -> object:
        for what in allowed if isinstance(allowed, list) else ():
            if what in CLOSING | {"degrade"}:
                raise ValueError(f'overload may not "{what}": it never closes an account (P3)')
        return allowed
