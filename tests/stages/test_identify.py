"""Identify: who is asking, and what an unknown caller gets."""

from __future__ import annotations

import ast
import inspect
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from tests.stages.support import pages, policy
from tests.support import Recorder, call, mounted, write_config

from fairuse.base import keys
from fairuse.base.address import LOCAL_SOCKET
from fairuse.base.keys import fingerprint
from fairuse.rules.config import INDEXED, KeyHolder
from fairuse.rules.exchange import Exchange
from fairuse.rules.refusal import Refusal
from fairuse.stages.identify import identify
from fairuse.stores.callers import RecentEvents
from fairuse.stores.configuration import Configuration

if TYPE_CHECKING:
    from pathlib import Path

    from fairuse.base.clock import ManualClock

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("key", [None, "", "wrong", "key-of-salon "])
async def test_an_unknown_caller_gets_401(
    config: Path, recorder: Recorder, clock: ManualClock, key: str | None
) -> None:
    """F-30: without a known key a request gets 401 problem details and no limits of anybody."""
    async with mounted(config, recorder, clock) as fair:
        refused = await call(fair, key=key)
    assert refused.status == 401
    assert refused.headers["content-type"] == "application/problem+json"
    assert refused.headers["www-authenticate"].startswith("ApiKey ")
    assert "ratelimit" not in refused.headers
    assert refused.json()["rule"] == "unknown-caller"
    assert recorder.requests == []


async def test_two_keys_are_as_good_as_none(
    config: Path, recorder: Recorder, clock: ManualClock
) -> None:
    """A request that shows two keys could be anybody's, so it is nobody's."""
    async with mounted(config, recorder, clock) as fair:
        assert (await call(fair, headers=[(b"x-api-key", b"key-of-dentist")])).status == 401


async def test_each_address_has_a_bucket_of_its_own(
    config: Path, recorder: Recorder, clock: ManualClock
) -> None:
    """F-22 (the bucket): guessing keys is slowed per address; other addresses notice nothing."""
    async with mounted(config, recorder, clock) as fair:
        statuses = [(await call(fair, key=f"guess-{n}")).status for n in range(40)]
        assert statuses == [401] * 30 + [429] * 10
        slowed = await call(fair, key="guess")
        assert slowed.headers["retry-after"] == "60"
        assert slowed.json()["violated-policies"] == ["unknown-callers"]
        assert (await call(fair, key="guess", address="198.51.100.7")).status == 401
        clock.advance(60)
        assert (await call(fair, key="guess")).status == 401


async def test_a_customer_is_served_beside_somebody_guessing(
    config: Path, recorder: Recorder, clock: ManualClock
) -> None:
    """F-30: failed guesses from an address never count against an account that uses it."""
    async with mounted(config, recorder, clock) as fair:
        for _ in range(100):
            await call(fair, key="guess")
        assert (await call(fair)).status == 201
        usage = (await call(fair, "GET", "/fairuse/usage")).json()
        assert {entry["used"] for entry in usage["limits"]} == {1}


async def test_callers_without_an_address_share_no_ones_bucket(
    config: Path, recorder: Recorder, clock: ManualClock
) -> None:
    """F-20: a unix socket has no address; it is a class of its own and is served."""
    async with mounted(config, recorder, clock) as fair:
        assert (await call(fair, address=None)).status == 201


def one_seat(folder: Path) -> Path:
    """Write a policy with a seat for one user, whom a header names."""
    rules = policy('measure = "users"', amount="1", over="deny user")
    config = write_config(folder, policy=rules)
    settings = (config / "gateway.toml").read_text()
    with_users = settings.replace("[identity]", '[identity]\nuser_header = "X-User"')
    (config / "gateway.toml").write_text(with_users)
    return config


@pytest.mark.parametrize(
    ("names", "same"),
    [
        ([b"anna"], True),
        ([b" anna "], True),
        ([b"bert"], False),
        ([b"Anna"], False),
        ([], False),
        ([b"anna", b"anna"], False),
        ([b"ann\xe4"], False),
    ],
    ids=["itself", "with spaces", "another", "in capitals", "none", "two", "not UTF-8"],
)
async def test_a_user_is_who_the_header_names(
    tmp_path: Path, recorder: Recorder, clock: ManualClock, names: list[bytes], *, same: bool
) -> None:
    """S10, E21: with one seat taken its user is served and nobody else, named or not."""
    async with mounted(one_seat(tmp_path), recorder, clock) as fair:
        assert (await pages(fair, headers=[(b"x-user", b"anna")])).status == 201
        reply = await pages(fair, headers=[(b"x-user", name) for name in names])
        assert reply.status == (201 if same else 403)
        if not same:
            assert reply.json()["title"] == "All agreed users are taken"


@pytest.mark.parametrize("name", ["caf\u00e9".encode(), "cafe\u0301".encode(), b"caf\xe9"])
async def test_a_user_has_one_name_however_it_is_written(
    tmp_path: Path, recorder: Recorder, clock: ManualClock, name: bytes
) -> None:
    """F-21: composed or not, in UTF-8 or in Latin-1, a user's name is one user's."""
    async with mounted(one_seat(tmp_path), recorder, clock) as fair:
        for each in ("caf\u00e9".encode(), name):
            assert (await pages(fair, headers=[(b"x-user", each)])).status == 201


@pytest.mark.parametrize(
    ("accepted", "language", "title"),
    [
        (b"nl", "nl", "Bij deze sleutel hoort geen account"),
        (b"fr, de;q=0.7, en;q=0.3", "de", "Zu diesem Schl\u00fcssel geh\u00f6rt kein Konto"),
        (b"fr", "en", "No account is known by this key"),
    ],
)
async def test_a_refusal_speaks_the_callers_language(
    config: Path,
    recorder: Recorder,
    clock: ManualClock,
    accepted: bytes,
    language: str,
    title: str,
) -> None:
    """P10: a refusal is written in the language that the caller asks for."""
    async with mounted(config, recorder, clock) as fair:
        refused = await call(fair, key=None, headers=[(b"accept-language", accepted)])
    assert refused.headers["content-language"] == language
    assert refused.json()["title"] == title


def test_a_part_of_a_fingerprint_is_no_key(config: Path, clock: ManualClock) -> None:
    """F-22 (the comparison): a key whose fingerprint only begins like a known one is unknown."""
    configuration = Configuration(config)
    current = configuration.load()
    shown = fingerprint(b"guessed")
    alike = KeyHolder(shown[:-1] + "x", "salon", current.accounts["salon"])
    forged = replace(current, keys={**current.keys, shown[:INDEXED]: alike})
    scope = {"type": "http", "path": "/", "headers": [(b"x-api-key", b"guessed")]}
    exchange = Exchange(scope, clock.now(), "id")
    exchange.address = LOCAL_SOCKET
    refused = identify(exchange, forged, RecentEvents(10))
    assert isinstance(refused, Refusal)
    assert refused.kind == "unknown-caller"


def test_keys_are_compared_in_constant_time() -> None:
    """F-22 (the comparison): secrets are compared by hmac.compare_digest and by nothing else."""
    tree = ast.parse(inspect.getsource(keys.same))
    assert "hmac.compare_digest" in ast.unparse(tree)
    assert not [node for node in ast.walk(tree) if isinstance(node, ast.Compare)]
