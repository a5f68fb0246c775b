"""The configuration folder: read whole, checked whole, and each file on its last good version.

    gateway.toml        the gateway's own settings
    policies/*.toml     one fair-use policy a file; NAME.next.toml is its next version, announced
    tenants/*.toml      one customer a file

A file that is broken at a reload changes nothing for anybody: what it said last stays in force,
and the findings say why. A file that was never good is left out.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, TypeVar

from pydantic import BaseModel

from fairuse.base.errors import ConfigurationError, Finding
from fairuse.base.hop.trust import tls_context
from fairuse.rules.agreed import Agreement, History
from fairuse.rules.config import Config, Contract, accounts_of
from fairuse.rules.contacts import contact_problems
from fairuse.rules.nearest import suggestion
from fairuse.rules.notice import Letterhead
from fairuse.rules.policy import Policy
from fairuse.rules.problems import cohorts_of, policy_problems, tenant_problems, warnings
from fairuse.rules.settings import Settings
from fairuse.rules.tenant import Tenant
from fairuse.rules.versions import announced, of_version, version_problems
from fairuse.stores.files import read_model

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path
    from ssl import SSLContext

    from fairuse.rules.choices import Portal
    from fairuse.rules.grants import Grants
    from fairuse.rules.versions import Version

M = TypeVar("M", bound=BaseModel)


class Configuration:
    """The folder; `current` is the snapshot in force, `findings` what is wrong with the files."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.findings: list[Finding] = []
        self._settings: Settings | None = None
        self._policies: dict[str, Policy] = {}
        self._tenants: dict[str, Tenant] = {}
        self._contracts: dict[str, Contract] = {}
        self._history = History()
        self._grants: dict[str, Grants] = {}
        self._tls: SSLContext | None = None
        self._tls_files: tuple[Path, ...] = ()
        self._tls_read_as: object = None
        self._changing = threading.Lock()
        self._current: Config | None = None
        self.portal: Portal | None = None
        self._read_as: frozenset[tuple[object, ...]] = frozenset()

    @property
    def current(self) -> Config:
        """Give the snapshot in force. Raises ConfigurationError where nothing was good yet."""
        if self._current is None:
            raise ConfigurationError(self.findings)
        return self._current

    @property
    def letterhead(self) -> Letterhead:
        """Give what every notice says besides what it is about."""
        return Letterhead(self.current.settings.contact, self.portal)

    @property
    def policies(self) -> Mapping[str, Policy]:
        """Give the policies by the names of their files, next versions (`booking.next`) too."""
        return self._policies

    @property
    def announced(self) -> dict[str, Version]:
        """Give the next version of each policy that has one (D26)."""
        return announced(self._policies)

    def policy_of(self, version: str) -> Policy | None:
        """Give the policy of a version such as booking@2026-11, where a file still says it."""
        return of_version(self._policies, version)

    def load(self) -> Config:
        """Read the folder for the first time.

        Raises ConfigurationError where the gateway's settings or a policy are broken. Broken
        tenants are left out; `findings` names them.
        """
        self.reload()
        shared = [finding for finding in self.findings if not finding.file.startswith("tenants/")]
        if shared:
            raise ConfigurationError(shared)
        return self.current

    def policy(self, name: str) -> Policy | list[Finding]:
        """Give a policy by its name, or what is wrong with it."""
        self.reload()
        if name in self._policies:
            return self._policies[name]
        file = f"policies/{name}.toml"
        found = [finding for finding in self.findings if finding.file == file]
        names = [path.stem for path in self._files("policies")]
        return found or [Finding(file, "", f"is not there{suggestion(name, names)}")]

    def changed(self) -> bool:
        """Say whether a file changed since it was read."""
        return self.signature() != self._read_as

    def reload(self) -> list[Finding]:
        """Read the folder again, put in force what is good, and give what is not."""
        with self._changing:
            return self._reload()

    def _reload(self) -> list[Finding]:
        self._read_as = self.signature()
        self.findings = []
        settings = self._read("gateway.toml", Settings)
        if settings is not None and self._trusts(settings):
            self._settings = settings
        identity = self._settings.identity if self._settings else None
        channels = self._settings.notices.channels if self._settings else {}
        self._policies = self._read_all(
            "policies", Policy, self._policies, lambda policy: policy_problems(policy, identity)
        )
        for name, key, message in version_problems(self._policies):
            self.findings.append(Finding(f"policies/{name}.toml", key, message))
        named = {path.stem: self._policies.get(path.stem) for path in self._files("policies")}
        self._take_tenants(
            self._read_all(
                "tenants",
                Tenant,
                self._tenants,
                lambda tenant: [
                    *tenant_problems(tenant, named),
                    *contact_problems(tenant, channels),
                ],
            )
        )
        self._assemble()
        self.findings.sort()
        return self.findings

    def _trusts(self, settings: Settings) -> bool:
        """Read the files that say whom to trust; False where one can't be used."""
        upstream = settings.upstream
        if upstream is None or not any(url.startswith("https:") for url in upstream.url):
            self._tls, self._tls_files = None, ()
            return True
        names = upstream.tls.ca, upstream.tls.certificate, upstream.tls.key
        files = [self.folder / name if name is not None else None for name in names]
        states = [_state_of(file) for file in files if file is not None]
        self._read_as |= frozenset(states)
        if self._tls is not None and self._tls_read_as == (files, states):
            return True
        self._tls_files = tuple(file for file in files if file is not None)
        try:
            self._tls = tls_context(*files)
        except OSError as error:
            self.findings.append(
                Finding("gateway.toml", "upstream.tls", f"{error.filename}: {error.strerror}")
            )
            return False
        self._tls_read_as = (files, states)
        return True

    def learn(self, history: History) -> None:
        """Put averages and medians in force; a reload may go on in another thread."""
        with self._changing:
            self._history = history
            self._assemble()

    def grant(self, changed: Mapping[str, Grants]) -> None:
        """Put other grants in force for some accounts, from the next request on; () for none.

        The terms of all other accounts stay as they are. A reload may go on in another thread.
        """
        with self._changing:
            grants = {**self._grants, **changed}
            self._grants = {account: held for account, held in grants.items() if held}
            if self._current is not None:
                self._current = self._current.granted(changed)

    def warnings(self) -> list[Finding]:
        """Give what is not wrong but deserves a second look."""
        agreements = [
            (name, Agreement(account, *contract, History()))
            for name, contract in self._contracts.items()
            for account in accounts_of(name, contract.tenant)
        ]
        cohorts = cohorts_of(agreement for _, agreement in agreements)
        found = {
            Finding(f"tenants/{name}.toml", key, message)
            for name, agreement in agreements
            for key, message in warnings(agreement, cohorts)
        }
        for name, (tenant, policy) in self._contracts.items():
            accounts = accounts_of(name, tenant)
            if len(accounts) > 1 and policy.counts:
                message = (
                    f"holds {len(accounts)} accounts, and each has the whole contract's amounts"
                )
                found.add(Finding(f"tenants/{name}.toml", "keys", message))
        return sorted(found)

    def _assemble(self) -> None:
        if self._settings is not None:
            self._current = Config.assemble(
                self._settings,
                self._contracts,
                self._history,
                self._current,
                self._tls,
                self._grants,
            )

    def signature(self) -> frozenset[tuple[object, ...]]:
        """Give a value that changes whenever a file does, also behind a symbolic link."""
        tables = [*self._files("policies"), *self._files("tenants")]
        paths = [self.folder / "gateway.toml", *tables, *self._tls_files]
        return frozenset(map(_state_of, paths))

    def _take_tenants(self, tenants: dict[str, Tenant]) -> None:
        """Put tenants in force, those first that are unchanged: what they hold stays theirs."""
        contracts = {name: self._contract(name, tenant) for name, tenant in tenants.items()}
        whole = [(name, contract) for name, contract in contracts.items() if contract is not None]
        holders: dict[str, str] = {}
        taken: dict[str, Contract] = {}
        for name, contract in sorted(whole, key=self._is_new):
            good = contract
            if clashes := list(_clashes(name, contract.tenant, holders)):
                self.findings += clashes
                before = self._contracts.get(name)
                if before is None or any(_clashes(name, before.tenant, holders)):
                    continue  # the findings say why
                good = before
            holders |= dict.fromkeys((*good.tenant.keys, *accounts_of(name, good.tenant)), name)
            taken[name] = good
        self._contracts = taken
        self._tenants = {name: contract.tenant for name, contract in taken.items()}

    def _is_new(self, named: tuple[str, Contract]) -> tuple[bool, str]:
        """Sort what changed behind what did not."""
        name, contract = named
        return (contract.tenant is not self._tenants.get(name), name)

    def _contract(self, name: str, tenant: Tenant) -> Contract | None:
        """Give the contract in force: as a whole the one before, where the new one is not whole.

        A policy may change so that a tenant's file no longer fits it, and the other way round.
        """
        policy = self._policies.get(tenant.policy)
        if policy is not None and not any(tenant_problems(tenant, self._policies)):
            return Contract(tenant, policy)
        return self._contracts.get(name)

    def _read_all(
        self,
        kind: str,
        model: type[M],
        last_good: dict[str, M],
        problems: Callable[[M], Iterable[tuple[str, str]]],
    ) -> dict[str, M]:
        """Read every file of a folder; a broken one keeps its last good version."""
        read = {}
        files = self._files(kind)
        for path in files:
            name = f"{kind}/{path.name}"
            found = self._read(name, model)
            if found is not None:
                wrong = [Finding(name, key, message) for key, message in problems(found)]
                self.findings += wrong
                found = None if wrong else found
            good = found or last_good.get(path.stem)
            if good is not None:
                read[path.stem] = last_good[path.stem] if good == last_good.get(path.stem) else good
        if not files:
            self.findings.append(Finding(f"{kind}/", "", "holds no .toml file"))
        return read

    def _files(self, kind: str) -> list[Path]:
        return sorted((self.folder / kind).glob("*.toml"))

    def _read(self, name: str, model: type[M]) -> M | None:
        read = read_model(self.folder / name, name, model)
        if isinstance(read, list):
            self.findings += read
            return None
        return read


def _state_of(path: Path) -> tuple[object, ...]:
    try:
        state = path.stat()
    except OSError:
        return (path, None)
    return (path, state.st_ino, state.st_size, state.st_mtime_ns)


def _clashes(name: str, tenant: Tenant, holders: dict[str, str]) -> Iterable[Finding]:
    if not tenant.keys and holders.get(name, name) != name:
        message = f"the account {name} belongs to tenants/{holders[name]}.toml already"
        yield Finding(f"tenants/{name}.toml", "keys", message)
    for key, account in tenant.keys.items():
        for what, held in (("API key", key), ("account", account)):
            other = holders.get(held)
            if other is not None and other != name:
                yield Finding(
                    f"tenants/{name}.toml",
                    f"keys.{key[:20]}...",
                    f"this {what} belongs to tenants/{other}.toml already",
                )
