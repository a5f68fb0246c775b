"""Versions of a policy: announced in time, and never acting backwards (D25, D26, P7).

The version in force is in `policies/NAME.toml`. The next one lies beside it, as
`policies/NAME.next.toml`: it is checked and announced, and takes nobody's place until the operator
puts it there.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Self

from pydantic import Field, model_validator

from fairuse.base.texts import span_text
from fairuse.rules.model import Model, Name, Seconds
from fairuse.rules.windows import midnight

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from zoneinfo import ZoneInfo

    from fairuse.rules.policy import Policy

NEXT = ".next"
"""What the name of a file ends with that holds a policy's next version."""


class Version(Model):
    """Which version a policy is: since when it was known, from when on it holds, and what changed.

    `lead` is what has to lie between the two, for customers to adapt.
    """

    name: Name
    announced: date
    effective: date
    changes: str = Field(min_length=1)
    lead: Seconds = 30 * 86_400

    @model_validator(mode="after")
    def _is_announced_in_time(self) -> Self:
        earliest = self.announced + timedelta(seconds=self.lead)
        if self.effective < earliest:
            lead = span_text(self.lead, "en")
            raise ValueError(
                f"effective = {self.effective} must be {lead} after announced = {self.announced},"
                f" so {earliest} or later (D26, P7)"
            )
        return self

    def starts_at(self, zone: ZoneInfo) -> float:
        """Give the moment from which on it holds, on wall time: a midnight of the customer's."""
        return midnight(self.effective, zone)

    def may_be_announced(self, moment: float) -> bool:
        """Say whether a moment is between the two days."""
        return self.announced <= datetime.fromtimestamp(moment, UTC).date() <= self.effective


def version_name(name: str, policy: Policy) -> str:
    """Name a policy with its version, where it has one (D25): booking@2026-11."""
    return name if policy.version is None else f"{name}@{policy.version.name}"


def of_version(policies: Mapping[str, Policy], version: str) -> Policy | None:
    """Find the policy of such a name; an older one may lie beside it, as `NAME.2026-05.toml`."""
    found = (
        policy
        for name, policy in policies.items()
        if version_name(name.partition(".")[0], policy) == version
    )
    return next(found, None)


def announced(policies: Mapping[str, Policy]) -> dict[str, Version]:
    """Give the next version of each policy that has one, by the policy's name."""
    return {
        name.removesuffix(NEXT): policy.version
        for name, policy in policies.items()
        if name.endswith(NEXT) and policy.version is not None
    }


def version_problems(policies: Mapping[str, Policy]) -> Iterator[tuple[str, str, str]]:
    """Give what is wrong with next versions: the policy's name, the key in its file, and why."""
    for name, policy in policies.items():
        if not name.endswith(NEXT):
            continue
        current = policies.get(name.removesuffix(NEXT))
        if policy.version is None:
            yield name, "version", "is missing; a next version says what it is called and when"
        elif current is None:
            yield name, "", f"is the next version of {name.removesuffix(NEXT)}, which is not there"
        elif current.version is not None and current.version.name == policy.version.name:
            yield name, "version.name", f'"{policy.version.name}" is the one in force'
        elif current.version is not None and current.version.effective >= policy.version.effective:
            yield name, "version.effective", "must be after that of the one in force (P7)"
