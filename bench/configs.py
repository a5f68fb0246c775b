"""The configurations under test: fairuse and its peers, all with six limits by the same key.

As proxies, all keep connections to the upstream, and tell it who is asking. Those of the peers are
files in `peers/`; the booking policy is the one in `config/`.
"""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from bench.errors import BenchError

if TYPE_CHECKING:
    from collections.abc import Mapping

PATH = "/v1/models/example"
BOOKING_PATH = "/locations/centrum/appointments"
BOOKING_BODY = '{"start": "2026-11-02T13:00:00+01:00", "service": "haircut", "customer": "4711"}'
KEYS = 100
KEY_FORMAT = "bench-key-%03d"
"""How key number 1 to 100 is written, by Python's % and by Lua's string.format alike."""

WINDOWS = {
    "per-minute": "1 minute",
    "per-hour": "1 hour",
    "per-24-hours": "24 hours",
    "per-day": "calendar day",
    "per-month": "calendar month",
    "per-year": "calendar year",
}
"""Three that slide and three of the calendar, as the policies in `config/` have them."""

SECONDS = {
    "per-minute": 60,
    "per-hour": 3_600,
    "per-24-hours": 86_400,
    "per-day": 86_400,
    "per-month": 2_592_000,
    "per-year": 31_536_000,
}
"""How long each window is, for peers that know no calendar: a month has 30 days."""

NEVER_REACHED = 1_000_000_000
"""Requests per window and key; the fastest run makes some hundred thousand of them in all."""

PER_MINUTE = 60
"""Requests per minute and key where they are to be refused: the booking policy's burst limit."""

BODY = '{"id": "example", "object": "model", "description": "' + "x" * 245 + '"}'
"""What the upstream answers: 300 bytes."""

KEYS_IN_A_FILE = 5_000
"""A configuration file may be a megabyte."""

_SETTINGS = """\
contact = "mailto:bench@fairuse.example"
[ledger]
url = "sqlite:///fairuse.db"
[log]
requests = {log_requests}
"""

_SETTINGS_PROXY = """\
[upstream]
url = "http://127.0.0.1:{upstream}"
client = "{client}"
[server]
# All clients of a benchmark have one address.
max_connections_per_address = 4_096
"""

_SETTINGS_BOOKING = """\
[identity]
location = "/locations/{location}"
"""

_SETTINGS_COUNTERS = """\
[counters]
store = "{store}"
durability = "{durability}"
"""

_POLICY = """\
title = "Six limits"
[meters.requests]
unit = "request"
count = ["GET /v1/models/{model}"]
"""

_POLICY_LIMIT = """\
[limits.{name}]
meter = "requests"
scope = "account"
amount = "{amount}"
window = "{window}"
over = "refuse"
"""

_POLICY_WARNS = """\
title = "A limit by the month, and warnings"
[meters.requests]
unit = "request"
count = ["GET /v1/models/{{model}}"]
[limits.per-month]
meter = "requests"
scope = "account"
amount = "{amount}"
window = "calendar month"
over = "case"
[ladder]
warn = ["90%"]
"""

_TENANT = """\
policy = "six-limits"
timezone = "Europe/Amsterdam"
contact = ["mailto:customer@fairuse.example"]
[keys]
"""

_HERE = Path(__file__).parent
PEERS = _HERE / "peers"
_BOOKING = _HERE.parent / "config/policies/booking.toml"
_BOOKING_TENANT = _HERE.parent / "config/tenants/salon-anna.toml"


def nginx_upstream(port: int) -> str:
    """Write the configuration of the upstream: a small answer, at once."""
    return _filled("nginx_upstream.conf", PORT=port, BODY=BODY)


def nginx_proxy(port: int, upstream: int, per_minute: int = NEVER_REACHED) -> str:
    """Write the configuration of nginx: a proxy with six limit_req zones."""
    # It meters rates, and reads no higher one.
    refuses = per_minute != NEVER_REACHED
    rate, burst = (f"{per_minute}r/m", per_minute) if refuses else ("100000r/s", 100_000)
    return _filled("nginx_proxy.conf", PORT=port, UPSTREAM=upstream, RATE=rate, BURST=burst)


def haproxy(port: int, upstream: int, per_minute: int = NEVER_REACHED) -> str:
    """Write the configuration of HAProxy: a proxy with six rates in stick tables."""
    return _filled("haproxy.cfg", PORT=port, UPSTREAM=upstream, PER_MINUTE=per_minute)


def gateway(
    upstream: int, *, log_requests: bool, client: str = "fairuse", keys: int = KEYS
) -> dict[str, str]:
    """Write the gateway's configuration folder: each file's path in it, and its text."""
    settings = _settings(log_requests=log_requests)
    return {
        "gateway.toml": settings + _SETTINGS_PROXY.format(upstream=upstream, client=client),
        "policies/six-limits.toml": policy(),
        "tenants/customers.toml": tenant(keys),
    }


def gateway_booking(
    upstream: int,
    *,
    log_requests: bool = False,
    keys: int = KEYS,
    per_minute: int = NEVER_REACHED,
    blocks: bool = True,
) -> dict[str, str]:
    """Write the configuration folder of a gateway that has the booking policy, whole."""
    settings = _settings(log_requests=log_requests) + _SETTINGS_BOOKING
    return {
        "gateway.toml": settings + _SETTINGS_PROXY.format(upstream=upstream, client="fairuse"),
        "policies/booking.toml": booking(per_minute, blocks=blocks),
        "tenants/customers.toml": booking_tenant(keys),
    }


def middleware(
    durability: str, *, store: str = "memory", log_requests: bool = False, keys: int = KEYS
) -> dict[str, str]:
    """Write the middleware's configuration folder, likewise."""
    settings = _settings(log_requests=log_requests)
    return {
        "gateway.toml": settings + _SETTINGS_COUNTERS.format(store=store, durability=durability),
        "policies/six-limits.toml": policy(),
        "tenants/customers.toml": tenant(keys),
    }


def warning(ledger: str, amount: int, keys: int) -> dict[str, str]:
    """Write a configuration folder whose one limit opens cases, and warns of them."""
    settings = _settings(log_requests=False).replace("sqlite:///fairuse.db", ledger)
    by_telephone = _TENANT.replace("mailto:customer@fairuse.example", "tel:+31201234567")
    tenants = {
        f"tenants/customers-{start}.toml": by_telephone
        + "".join(map(_key_line, range(start, min(start + KEYS_IN_A_FILE, keys + 1))))
        for start in range(1, keys + 1, KEYS_IN_A_FILE)
    }
    policy = {"policies/six-limits.toml": _POLICY_WARNS.format(amount=amount)}
    return {"gateway.toml": settings, **policy, **tenants}


def policy() -> str:
    """Write a policy of six limits."""
    limits = (
        _POLICY_LIMIT.format(name=name, amount=NEVER_REACHED, window=window)
        for name, window in WINDOWS.items()
    )
    return _POLICY + "".join(limits)


def booking(per_minute: int, *, blocks: bool) -> str:
    """Write the booking policy: so many a minute, no soft limit in reach, and blocks or none."""
    changes = {'"5000"': f'"{NEVER_REACHED}"', '"60"': f'"{per_minute}"'}
    if not blocks:
        changes |= {"\nthen ": "\n# then "}
    return _changed(_BOOKING, changes)


def booking_tenant(keys: int) -> str:
    """Write a tenant of the booking policy, with so many keys, and locations out of reach."""
    changes = {"\nlocations = 2\n": "\nlocations = 1_000_000\n"}
    contract, _, _ = _changed(_BOOKING_TENANT, changes).partition("[keys]")
    return f"{contract}[keys]\n{_keys(keys)}"


def tenant(keys: int) -> str:
    """Write a tenant of so many keys, each with an account of its own."""
    return _TENANT + _keys(keys)


def api_key(number: int) -> str:
    """Give one of the keys, numbered from 1."""
    return KEY_FORMAT % number


def _filled(name: str, **values: object) -> str:
    """Give a file of `peers/` with these values in it."""
    text = (PEERS / name).read_text()
    for key, value in values.items():
        text = text.replace(f"@{key}@", str(value))
    return text


def _changed(file: Path, changes: Mapping[str, str]) -> str:
    """Give a file of `config/` with these changes. Raises BenchError where one does not fit."""
    text = file.read_text()
    for old, new in changes.items():
        if text.count(old) != 1:
            raise BenchError(f"{file} has not one {old!r}")
        text = text.replace(old, new)
    return text


def _settings(*, log_requests: bool) -> str:
    return _SETTINGS.format(log_requests="true" if log_requests else "false")


def _keys(count: int) -> str:
    return "".join(map(_key_line, range(1, count + 1)))


def _key_line(number: int) -> str:
    return f'"sha256:{sha256(api_key(number).encode()).hexdigest()}" = "account-{number:03}"\n'
