"""A tenant under contract, as its file says it."""

from __future__ import annotations

import re
from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING, Annotated, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from fairuse.rules.amounts import parse_amount
from fairuse.rules.model import Contact, Model, Name, Zone

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo


def _key_hash(text: str) -> str:
    """Never shows the text: it may be an API key that somebody forgot to hash."""
    if not re.fullmatch(r"sha256:[0-9a-f]{64}", text):
        raise ValueError('holds something else than "sha256:" and the 64 digits of a key\'s hash')
    return text


KeyHash = Annotated[str, AfterValidator(_key_hash)]


class Override(Model):
    """Another amount for one limit, from a day until and including another (A27)."""

    amount: Annotated[int, BeforeValidator(parse_amount)]
    from_: date | None = Field(default=None, alias="from")
    until: date | None = None
    reason: str = Field(min_length=1)

    @model_validator(mode="after")
    def _ends_after_it_begins(self) -> Self:
        if self.from_ and self.until and self.until < self.from_:
            raise ValueError(f"until {self.until} is before from {self.from_}")
        return self

    def starts_at(self, zone: ZoneInfo) -> float:
        """Give the moment it begins, in seconds since 1970."""
        if self.from_ is None or self.from_ == date.min:
            return float("-inf")
        return _midnight(self.from_, zone)

    def ends_at(self, zone: ZoneInfo) -> float:
        """Give the first moment it no longer holds."""
        if self.until is None or self.until == date.max:
            return float("inf")
        return _midnight(self.until + timedelta(days=1), zone)

    def source(self) -> str:
        """Say where the amount comes from."""
        return f"override until {self.until}" if self.until else "override"


def _midnight(day: date, zone: ZoneInfo) -> float:
    return datetime.combine(day, time.min, zone).timestamp()


class Tenant(Model):
    """A customer under contract: the policy that applies, and how to know and reach them."""

    policy: Name
    timezone: Zone
    language: Literal["nl", "en", "de"] = "en"
    contact: list[Contact] = Field(min_length=1)
    keys: dict[KeyHash, Name] = Field(default_factory=dict)
    override: dict[Name, Override] = Field(default_factory=dict)
