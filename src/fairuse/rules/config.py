"""One configuration, as every request of a moment sees it: built whole, swapped whole."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from fairuse.base.address import AddressResolver, Networks, parse_network
from fairuse.base.hop.upstream import Target, Timeouts
from fairuse.rules.routes import path_pattern
from fairuse.rules.terms import Terms

if TYPE_CHECKING:
    from collections.abc import Mapping
    from ssl import SSLContext

    from fairuse.rules.agreed import History
    from fairuse.rules.grants import Grants
    from fairuse.rules.policy import Policy
    from fairuse.rules.settings import Settings, Upstream
    from fairuse.rules.tenant import Tenant


INDEXED = len("sha256:") + 16
"""How much of a fingerprint the look-up uses: 64 bits, too many for two keys to share."""


class Contract(NamedTuple):
    """A tenant, and the policy that applies to it."""

    tenant: Tenant
    policy: Policy


class KeyHolder(NamedTuple):
    """Whom an API key belongs to: its own fingerprint, the account, the account's terms."""

    fingerprint: str
    account: str
    terms: Terms


class Sender(NamedTuple):
    """Who may report usage: the fingerprint of its key, and its name."""

    fingerprint: str
    name: str


def accounts_of(name: str, tenant: Tenant) -> list[str]:
    """Give a tenant's accounts; who has no keys has one account, with the tenant's name."""
    return sorted(set(tenant.keys.values())) or [name]


def _terms(
    named: tuple[str, str],
    contract: Contract,
    history: History,
    grants: Grants,
    before: Config | None,
) -> Terms:
    name, account = named
    known = before.accounts.get(account) if before is not None else None
    same = known is not None and known.tenant == name
    if known is not None and same and known.agreement.is_of(*contract, history, grants):
        return known
    return Terms(name, account, *contract, history, grants)


def _target(upstream: Upstream, tls: SSLContext | None) -> Target:
    total = math.inf if upstream.total_timeout is None else upstream.total_timeout
    timeouts = Timeouts(upstream.connect_timeout, upstream.response_timeout, total)
    return Target(upstream.url, timeouts, tls)


@dataclass(frozen=True, slots=True)
class Config:
    """Everything the way needs to know; immutable."""

    settings: Settings
    tenants: int
    accounts: Mapping[str, Terms]
    keys: Mapping[str, KeyHolder]
    senders: Mapping[str, Sender]
    resolver: AddressResolver
    never_block: Networks
    key_header: bytes
    user_header: bytes | None
    location: re.Pattern[str] | None
    upstream: Target | None

    @classmethod
    def assemble(
        cls,
        settings: Settings,
        contracts: Mapping[str, Contract],
        history: History,
        before: Config | None = None,
        tls: SSLContext | None = None,
        grants: Mapping[str, Grants] = MappingProxyType({}),
    ) -> Config:
        """Put the parts together; terms that did not change since before are taken over."""
        addresses, identity = settings.addresses, settings.identity
        accounts = {
            account: _terms((name, account), contract, history, grants.get(account, ()), before)
            for name, contract in contracts.items()
            for account in accounts_of(name, contract.tenant)
        }
        holders = [
            KeyHolder(key, account, accounts[account])
            for contract in contracts.values()
            for key, account in contract.tenant.keys.items()
        ]
        proxies = [parse_network(text) for text in addresses.trusted_proxies]
        allowed = [parse_network(text) for text in addresses.never_block]
        return cls(
            settings=settings,
            tenants=len(contracts),
            accounts=accounts,
            keys={holder.fingerprint[:INDEXED]: holder for holder in holders},
            senders={
                key[:INDEXED]: Sender(key, name) for key, name in settings.events.keys.items()
            },
            resolver=AddressResolver(proxies, addresses.header),
            never_block=Networks([*allowed, *proxies]),
            key_header=identity.key_header.encode(),
            user_header=identity.user_header.encode() if identity.user_header else None,
            location=re.compile(path_pattern(identity.location) + "(?:/.*)?", re.IGNORECASE)
            if identity.location
            else None,
            upstream=_target(settings.upstream, tls) if settings.upstream else None,
        )

    def granted(self, changed: Mapping[str, Grants]) -> Config:
        """Give the same with other grants for some accounts; all else is taken over."""
        accounts, keys = {}, {}
        for account, grants in changed.items():
            known = self.accounts.get(account)
            if known is None or known.agreement.grants == grants:
                continue
            of = known.agreement
            terms = Terms(known.tenant, account, of.tenant, of.policy, of.history, grants)
            accounts[account] = terms
            for key, holder in of.tenant.keys.items():
                if holder == account:
                    keys[key[:INDEXED]] = KeyHolder(key, account, terms)
        if not accounts:
            return self
        return replace(self, accounts={**self.accounts, **accounts}, keys={**self.keys, **keys})

    def holder_of(self, fingerprint: str) -> KeyHolder | None:
        """Find whom a key belongs to, by a part of its fingerprint.

        Only a comparison in constant time of the whole says whether it is really theirs (F-22).
        """
        return self.keys.get(fingerprint[:INDEXED])

    def sender_of(self, fingerprint: str) -> Sender | None:
        """Find who reports usage with a key, in the same way."""
        return self.senders.get(fingerprint[:INDEXED])

    def location_in(self, path: str) -> str | None:
        """Give the location a path is about, as the path writes it."""
        found = self.location.fullmatch(path) if self.location else None
        return found["location"] if found else None
