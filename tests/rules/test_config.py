"""One configuration: put together whole."""

from __future__ import annotations

from typing import Any

import pytest
from tests.rules.support import KEY, policy, settings, tenant

from fairuse.rules.agreed import History
from fairuse.rules.config import INDEXED, Config, Contract, accounts_of

OTHER_KEY = "sha256:" + "f" * 64


def _config(**changes: Any) -> Config:
    tenants = {
        "anna": tenant(keys={KEY: "salon", OTHER_KEY: "salon"}),
        "vries": tenant(keys={"sha256:" + "a" * 64: "dentist"}),
    }
    contracts = {name: Contract(each, policy()) for name, each in tenants.items()}
    return Config.assemble(settings(**changes), contracts, History())


def test_keys_lead_to_accounts() -> None:
    """Every key leads to its account and that account's terms; two may lead to one account."""
    config = _config()
    assert (config.tenants, sorted(config.accounts)) == (2, ["dentist", "salon"])
    one, other = config.holder_of(KEY), config.holder_of(OTHER_KEY)
    assert one is not None
    assert other is not None
    assert (one.fingerprint, other.fingerprint) == (KEY, OTHER_KEY)
    assert one.account == other.account == "salon"
    assert one.terms is other.terms is config.accounts["salon"]
    assert (one.terms.tenant, one.terms.account) == ("anna", "salon")
    assert len(config.keys) == 3
    assert all(key == holder.fingerprint[:INDEXED] for key, holder in config.keys.items())


def test_a_part_of_a_fingerprint_finds_its_holder() -> None:
    """F-22: the look-up sees 64 bits and no more; the holder shows the whole to compare with."""
    config = _config()
    assert len("sha256:") + 16 == INDEXED
    near = KEY[:INDEXED] + "e" * (len(KEY) - INDEXED)
    assert config.holder_of(near) is config.holder_of(KEY)
    assert config.holder_of(KEY[: INDEXED - 1] + "e" * 49) is None
    assert [config.holder_of(text) for text in ("", "sha256:", "0" * 64)] == [None] * 3


def test_addresses_are_put_together() -> None:
    """P9: the header and the proxies are the settings'; those and the allow-list go unblocked."""
    addresses = {
        "header": "Forwarded",
        "trusted_proxies": ["10.0.0.0/8"],
        "never_block": ["203.0.113.9"],
    }
    config = _config(addresses=addresses, identity={"key_header": "X-Key"})
    assert config.resolver.resolve("10.0.0.1", [b"for=203.0.113.9"]).text == "203.0.113.9"
    never = {text: text in config.never_block for text in ("203.0.113.9", "10.0.0.1", "11.0.0.1")}
    assert never == {"203.0.113.9": True, "10.0.0.1": True, "11.0.0.1": False}
    assert [config.resolver.trusts(text) for text in never] == [False, True, False]
    assert config.key_header == b"x-key"


LOCATIONS = {
    "/locations/centrum": "centrum",
    "/locations/centrum/": "centrum",
    "/locations/centrum/appointments/1": "centrum",
    "/locations/a b": "a b",
    "/LOCATIONS/Centrum": "Centrum",
    "/locations/": None,
    "/locations": None,
    "/v1/locations/centrum": None,
    "/locationsX/centrum": None,
    "/": None,
}


@pytest.mark.parametrize(("path", "location"), LOCATIONS.items(), ids=LOCATIONS)
def test_the_location_of_a_path(path: str, location: str | None) -> None:
    """A path is about the location it names, and paths below it too."""
    config = _config(identity={"location": "/locations/{location}"})
    assert config.location_in(path) == location
    assert _config().location_in(path) is None


def test_each_account_has_terms_of_its_own() -> None:
    """P9: two accounts of one tenant share its contract, and neither its name nor its counts."""
    shared = tenant(keys={KEY: "centrum", OTHER_KEY: "zuid"})
    config = Config.assemble(settings(), {"anna": Contract(shared, policy())}, History())
    names = {account: terms.account for account, terms in config.accounts.items()}
    assert names == {"centrum": "centrum", "zuid": "zuid"}
    assert config.tenants == 1
    assert config.accounts["centrum"] is not config.accounts["zuid"]


def test_a_tenant_without_keys_has_one_account() -> None:
    """Who never calls, and is told of by events, has an account with the tenant's name."""
    assert accounts_of("anna", tenant(keys={})) == ["anna"]
    assert accounts_of("anna", tenant(keys={KEY: "b", OTHER_KEY: "a"})) == ["a", "b"]
    quiet = {"anna": Contract(tenant(keys={}), policy())}
    config = Config.assemble(settings(), quiet, History())
    assert (list(config.accounts), dict(config.keys)) == (["anna"], {})


def test_senders_are_no_accounts() -> None:
    """F-22: who reports usage has a key of its own, which opens no account."""
    sender = "sha256:" + "c" * 64
    config = _config(events={"keys": {sender: "exchange"}})
    found = config.sender_of(sender)
    assert found is not None
    assert (found.fingerprint, found.name) == (sender, "exchange")
    assert config.holder_of(sender) is None
    assert config.sender_of(KEY) is None


def test_users_are_named_by_a_header() -> None:
    """E21: the header that names a user is the settings'; without one nobody is told apart."""
    assert _config(identity={"user_header": "X-User"}).user_header == b"x-user"
    assert _config().user_header is None
