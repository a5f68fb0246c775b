"""A tenant under contract, as its file says it."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Literal, Self

from pydantic import BeforeValidator, Field, InstanceOf, model_validator

from fairuse.rules.amounts import parse_amount
from fairuse.rules.expression import Expression
from fairuse.rules.model import KeyHash, Model, Name, Reach, Zone, written
from fairuse.rules.tariffs import PriceList
from fairuse.rules.windows import BillingDay, midnight

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from fairuse.rules.policy import Applies

NEVER = float("inf")


class Dated(Model):
    """Something that holds from a day until and including another."""

    from_: date | None = Field(default=None, alias="from")
    until: date | None = None

    @model_validator(mode="after")
    def _ends_after_it_begins(self) -> Self:
        if self.from_ and self.until and self.until < self.from_:
            raise ValueError(f"until {self.until} is before from {self.from_}")
        return self

    def starts_at(self, zone: ZoneInfo) -> float:
        """Give the moment it begins, in seconds since 1970."""
        if self.from_ is None or self.from_ == date.min:
            return -NEVER
        return midnight(self.from_, zone)

    def ends_at(self, zone: ZoneInfo) -> float:
        """Give the first moment it no longer holds."""
        if self.until is None or self.until == date.max:
            return NEVER
        return midnight(self.until + timedelta(days=1), zone)

    def holds_at(self, moment: float, zone: ZoneInfo) -> bool:
        """Say whether it holds at a moment."""
        return self.starts_at(zone) <= moment < self.ends_at(zone)


class Override(Dated):
    """Another amount for one limit (A27)."""

    amount: Annotated[
        InstanceOf[Expression], BeforeValidator(parse_amount), written("8000", or_number=True)
    ]
    reason: str = Field(min_length=1)

    def source(self) -> str:
        """Say where the amount comes from."""
        return f"override until {self.until}" if self.until else "override"


class Purchase(Dated):
    """More of a package's counts, bought for a time (E10, E20)."""

    package: Name
    adds: dict[Name, Annotated[int, Field(ge=1)]] = Field(min_length=1)
    at: datetime | None = None

    @model_validator(mode="after")
    def _begins_once(self) -> Self:
        if self.at and self.from_:
            raise ValueError("begins either from a day or at a moment")
        if self.at and self.at.tzinfo is None:
            raise ValueError(f"at {self.at} needs an offset, like 2026-11-10T14:00:00+01:00")
        if self.at and self.until and self.until < self.at.date():
            raise ValueError(f"until {self.until} is before at {self.at}")
        return self

    def starts_at(self, zone: ZoneInfo) -> float:
        """Give the moment it begins: nothing counts as bought before it was (E10)."""
        return self.at.timestamp() if self.at else super().starts_at(zone)


class Contract(Model):
    """When the contract was made, changed and renewed; a policy may be for later ones only."""

    since: date | None = None
    changed: date | None = None
    renewed: date | None = None
    own_policy: bool = False
    billing_day: int = Field(default=1, ge=1, le=31)
    billing_month: int = Field(default=1, ge=1, le=12)


class Tenant(Model):
    """A customer under contract: the policy that applies, and how to know and reach them."""

    policy: Name
    timezone: Zone
    language: Literal["nl", "en", "de"] = "en"
    contact: list[Reach] = Field(min_length=1)
    contract: Contract = Contract()
    packages: dict[Name, dict[Name, Annotated[int, Field(ge=0)]]] = Field(default_factory=dict)
    purchases: list[Purchase] = Field(default_factory=list)
    tariffs: dict[Name, PriceList] = Field(default_factory=dict)
    keys: dict[KeyHash, Name] = Field(default_factory=dict)
    override: dict[Name, Override] = Field(default_factory=dict)
    evidence: bool = True

    @property
    def billing(self) -> BillingDay:
        """Give the day its months and years begin on."""
        return BillingDay(self.contract.billing_day, self.contract.billing_month)

    def applies_from(self, applies: Applies) -> float:
        """Give the moment from which a policy holds for the contract, or NEVER.

        A policy for contracts from a date holds from the day on which a contract was first made,
        changed or renewed after it (A01); one for some packages, for who has one of them (C03,
        E01); none, where the contract has a policy of its own (E02).
        """
        contract = self.contract
        if contract.own_policy:
            return NEVER
        if applies.packages is not None and not self.packages.keys() & set(applies.packages):
            return NEVER
        if applies.contracts_from is None:
            return -NEVER
        dates = (contract.since, contract.changed, contract.renewed)
        late = [day for day in dates if day is not None and day >= applies.contracts_from]
        return midnight(min(late), self.timezone) if late else NEVER
