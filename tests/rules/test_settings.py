"""The gateway's own settings."""

from __future__ import annotations

from typing import Any

import pytest
from tests.rules.support import KEY, SETTINGS, settings, wrong

from fairuse.rules.settings import Settings
from fairuse.rules.tally import KEPT_SECONDS

NO_RATE = '{!r} is no rate; write it like "30/minute"'
NO_PART = '"{}" is no part of a path; write a word, * or {{name}}'
NO_HEADER = '"{}" is no header name; write up to 64 letters, digits and -'
PORT = "listen.port: Input should be "


def test_the_defaults_are_careful() -> None:
    """Unless told otherwise the gateway listens on loopback, trusts nobody and bounds strangers."""
    read = settings()
    assert (read.listen.host, read.listen.port, read.upstream) == ("127.0.0.1", 8080, None)
    assert (read.addresses.trusted_proxies, read.addresses.never_block) == ([], [])
    assert (read.identity.key_header, read.identity.location) == ("x-api-key", None)
    assert read.identity.user_header is None
    assert str(read.unknown_callers.rate) == "30 per 1 minute"
    assert (read.ledger.url, read.log.level, read.drain) == ("sqlite:///var/fairuse.db", "info", 30)


def test_counts_are_kept_in_memory_unless_told_otherwise() -> None:
    """S15 (what a crash may forget): one process, relaxed; a store to share has a namespace."""
    kept = settings().counters
    assert (kept.store, kept.durability, kept.namespace) == ("memory", "relaxed", "fairuse")
    for store in ("redis://127.0.0.1:6379/0", "rediss://u:p@redis.example", "unix:///run/redis"):
        shared = settings(counters={"store": store, "durability": "strict", "namespace": "a-1"})
        assert (shared.counters.store, shared.counters.durability) == (store, "strict")
        assert shared.counters.namespace == "a-1"


def test_usage_may_be_told_late() -> None:
    """S16 (3 days, configurable): usage may be told three days late unless said, by nobody yet."""
    assert (settings().events.keys, settings().events.late) == ({}, 3 * 86_400)
    assert settings(events={"late": "1 second"}).events.late == 1


def test_settings_are_read() -> None:
    """Spans, rates and header names are read as they are written."""
    read = settings(
        drain="2 minutes",
        identity={
            "key_header": "X-API-Key",
            "user_header": "X-User",
            "location": "/l/{location}/**",
        },
        events={"keys": {KEY: "switchboard"}, "late": "7 days"},
        addresses={"header": "CF-Connecting-IP"},
        unknown_callers={"rate": "10 per 2 hours", "remembered": 5},
        ledger={"url": "sqlite:////var/lib/fairuse.db"},
    )
    assert read.ledger.url == "sqlite:////var/lib/fairuse.db"
    assert (read.drain, read.identity.key_header) == (120, "x-api-key")
    assert (read.addresses.header, read.identity.location) == (
        "cf-connecting-ip",
        "/l/{location}/**",
    )
    assert (read.identity.user_header, read.events.keys) == ("x-user", {KEY: "switchboard"})
    assert read.events.late == KEPT_SECONDS == 604_800
    rate = read.unknown_callers.rate
    assert (rate.amount, rate.get_expiry()) == (10, 7_200)


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "nobody remembered": (
        {"unknown_callers": {"remembered": 0}},
        "unknown_callers.remembered: Input should be greater than or equal to 1",
    ),
    "location is missing": (
        {"identity": {"location": "/locations/{place}"}},
        'identity.location: "/locations/{place}" must contain {location}',
    ),
    "location is no path": (
        {"identity": {"location": "{location}"}},
        'identity.location: the path "{location}" must begin with "/"',
    ),
    "location is broken": (
        {"identity": {"location": "/{location"}},
        "identity.location: " + NO_PART.format("{location"),
    ),
    "location stands twice": (
        {"identity": {"location": "/{location}/{location}"}},
        'identity.location: the path "/{location}/{location}" uses a name twice',
    ),
    "ledger": (
        {"ledger": {"url": "postgresql://x"}},
        'ledger.url: is no ledger; write "sqlite:///var/fairuse.db",'
        ' or "postgresql://user@host/database"'
        " (in a password, / ? and # are written %2F %3F and %23)",
    ),
    "store of counters": (
        {"counters": {"store": "redis:6379"}},
        'counters.store: is no store of counters; write "memory", or "redis://127.0.0.1:6379/0"'
        " (in a password, / and # are written %2F and %23)",
    ),
    "durability": (
        {"counters": {"durability": "somewhat"}},
        "counters.durability: Input should be 'relaxed' or 'strict'",
    ),
    "namespace": (
        {"counters": {"namespace": "a b"}},
        'counters.namespace: "a b" is no name; write up to 64 of a-z, 0-9 and -',
    ),
    "header": (
        {"identity": {"key_header": "x api key"}},
        "identity.key_header: " + NO_HEADER.format("x api key"),
    ),
    "header with a line feed": (
        {"addresses": {"header": "x\n"}},
        "addresses.header: " + NO_HEADER.format("x\n"),
    ),
    "no header": ({"addresses": {"header": ""}}, "addresses.header: " + NO_HEADER.format("")),
    "header too long": (
        {"addresses": {"header": "x" * 65}},
        "addresses.header: " + NO_HEADER.format("x" * 65),
    ),
    "user header": (
        {"identity": {"user_header": "x_user"}},
        "identity.user_header: " + NO_HEADER.format("x_user"),
    ),
    "later than a week": (
        {"events": {"late": "169 hours"}},
        "events.late: must not be more than 7 days",
    ),
    "lateness as a number": (
        {"events": {"late": 3}},
        'events.late: 3 is not text; write it like "15 minutes"',
    ),
    "sender": (
        {"events": {"keys": {KEY: "Switch Board"}}},
        f'events.keys.{KEY}: "Switch Board" is no name; write up to 64 of a-z, 0-9 and -',
    ),
    "a sender's key itself": (
        {"events": {"keys": {"s3cret": "switchboard"}}},
        'events.keys.s3cret.[key]: holds something else than "sha256:"'
        " and the 64 digits of a key's hash",
    ),
    "port too high": ({"listen": {"port": 65_536}}, PORT + "less than or equal to 65535"),
    "port below zero": ({"listen": {"port": -1}}, PORT + "greater than or equal to 0"),
    "port is text": ({"listen": {"port": "80"}}, PORT + "a valid integer"),
    "level": (
        {"log": {"level": "loud"}},
        "log.level: Input should be 'debug', 'info', 'warning' or 'error'",
    ),
    "unknown key": ({"upstreams": {}}, "upstreams: Extra inputs are not permitted"),
}


@pytest.mark.parametrize(("change", "found"), WRONG.values(), ids=WRONG)
def test_what_are_no_settings(change: dict[str, Any], found: str) -> None:
    """F-50 (words): what a setting may not be is an error at its key that shows what it may be."""
    assert wrong(Settings, SETTINGS | change) == [found]


@pytest.mark.parametrize(
    "rate", ["", "many", "-1/minute", "30/minute; 5/second", 30, None], ids=repr
)
def test_what_is_no_rate(rate: object) -> None:
    """A rate is one number of requests in one span; anything else shows how to write it."""
    found = wrong(Settings, SETTINGS | {"unknown_callers": {"rate": rate}})
    assert found == ["unknown_callers.rate: " + NO_RATE.format(rate)]


def test_somebody_can_be_contacted() -> None:
    """P10 (whom to contact): settings without a contact are none."""
    assert wrong(Settings, {}) == ["contact: Field required"]
