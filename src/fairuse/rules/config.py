"""One configuration, as every request of a moment sees it: built whole, swapped whole."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from fairuse.base.address import AddressResolver, Networks, parse_network
from fairuse.rules.nearest import suggestion
from fairuse.rules.routes import can_carry, path_pattern

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from fairuse.rules.policy import Policy
    from fairuse.rules.settings import Settings
    from fairuse.rules.tenant import Tenant
    from fairuse.rules.terms import Terms


INDEXED = len("sha256:") + 16
"""How much of a fingerprint the look-up uses: 64 bits, too many for two keys to share."""


class KeyHolder(NamedTuple):
    """Whom an API key belongs to: its own fingerprint, the account, the tenant's terms."""

    fingerprint: str
    account: str
    terms: Terms


@dataclass(frozen=True, slots=True)
class Config:
    """Everything the way needs to know; immutable."""

    settings: Settings
    terms: Mapping[str, Terms]
    keys: Mapping[str, KeyHolder]
    accounts: Mapping[str, Terms]
    resolver: AddressResolver
    never_block: Networks
    key_header: bytes
    location: re.Pattern[str] | None

    @classmethod
    def assemble(
        cls, settings: Settings, terms: Mapping[str, Terms], tenants: Mapping[str, Tenant]
    ) -> Config:
        """Put the parts together; every tenant has its terms."""
        addresses = settings.addresses
        holders = [
            KeyHolder(key, account, terms[name])
            for name, tenant in tenants.items()
            for key, account in tenant.keys.items()
        ]
        location = settings.identity.location
        proxies = [parse_network(text) for text in addresses.trusted_proxies]
        allowed = [parse_network(text) for text in addresses.never_block]
        return cls(
            settings=settings,
            terms=terms,
            keys={holder.fingerprint[:INDEXED]: holder for holder in holders},
            accounts={holder.account: holder.terms for holder in holders},
            resolver=AddressResolver(proxies, addresses.header),
            never_block=Networks([*allowed, *proxies]),
            key_header=settings.identity.key_header.encode(),
            location=re.compile(path_pattern(location) + "(?:/.*)?", re.IGNORECASE)
            if location
            else None,
        )

    def holder_of(self, fingerprint: str) -> KeyHolder | None:
        """Find whom a key belongs to, by a part of its fingerprint.

        Only a comparison in constant time of the whole says whether it is really theirs (F-22).
        """
        return self.keys.get(fingerprint[:INDEXED])

    def location_in(self, path: str) -> str | None:
        """Give the location a path is about, as the path writes it."""
        found = self.location.fullmatch(path) if self.location else None
        return found["location"] if found else None


def policy_problems(policy: Policy, location: str | None) -> Iterator[tuple[str, str]]:
    """Give what is wrong between the parts of a policy: the key, and why.

    `location` is where the settings say that a path names its location.
    """
    for name, limit in policy.limits.items():
        if limit.meter not in policy.meters:
            yield f"limits.{name}.meter", unknown("meter", limit.meter, policy.meters)
        elif "location" in limit.scope and location:
            routes = policy.meters[limit.meter].count
            if not any(can_carry(route, location) for route in routes):
                yield (
                    f"limits.{name}.scope",
                    f'no route of "{limit.meter}" names a location as identity.location'
                    f' in gateway.toml does ("{location}")',
                )
        if limit.then and "block address" not in policy.emergency.allowed:
            yield (
                f"limits.{name}.then",
                'blocks an address without notice, so [emergency] must allow "block address"',
            )


def tenant_problems(
    tenant: Tenant, policies: Mapping[str, Policy | None]
) -> Iterator[tuple[str, str]]:
    """Give what is wrong between a tenant and the policies: the key, and why.

    A policy that is None exists and is broken, which is said of its own file and not here.
    """
    if tenant.policy not in policies:
        yield "policy", unknown("policy", tenant.policy, policies)
    policy = policies.get(tenant.policy)
    if policy is None:
        return
    for name in tenant.override:
        if name not in policy.limits:
            yield f"override.{name}", unknown("limit", name, policy.limits)


def unknown(kind: str, name: str, known: Mapping[str, object]) -> str:
    """Say that a name is unknown, and which one was probably meant."""
    return f'there is no {kind} "{name}"{suggestion(name, known)}'
