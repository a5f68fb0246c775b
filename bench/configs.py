"""The configurations under test: fairuse and its peers, all with six limits that never refuse.

All limit by the same key. As proxies, both sides keep connections to the upstream, and tell it who
is asking.
"""

from __future__ import annotations

from hashlib import sha256

PATH = "/v1/models/example"
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

NEVER_REACHED_RATE = 100_000
"""Requests per second and key, for nginx; it meters rates, so its six zones differ in name only."""

BODY = '{"id": "example", "object": "model", "description": "' + "x" * 245 + '"}'
"""What the upstream answers: 300 bytes."""

_NGINX = """\
worker_processes 1;
daemon off;
pid nginx.pid;
error_log stderr warn;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    # Without these nginx wants folders that only the system's own service may write to.
    client_body_temp_path body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
    # Closing every thousandth connection would show up as an error of the load.
    keepalive_requests 1000000000;
{http}}}
"""

_UPSTREAM = """\
    server {{
        listen 127.0.0.1:{port};
        default_type application/json;
        location / {{ return 200 '{body}'; }}
    }}
"""

_PROXY = """\
{zones}
    upstream api {{
        server 127.0.0.1:{upstream};
        keepalive 64;
        keepalive_requests 1000000000;
    }}
    server {{
        listen 127.0.0.1:{port};
        location / {{
{limits}
            proxy_pass http://api;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_set_header Host $http_host;
            proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
            proxy_set_header X-Forwarded-Proto $scheme;
        }}
    }}
"""

_ZONE = "    limit_req_zone $http_x_api_key zone={name}:10m rate={rate}r/s;"
_LIMIT = "            limit_req zone={name} burst={rate} nodelay;"

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

_TENANT = """\
policy = "six-limits"
timezone = "Europe/Amsterdam"
contact = ["mailto:customer@fairuse.example"]
[keys]
"""


def nginx_upstream(port: int) -> str:
    """Write the configuration of the upstream: a small answer, at once."""
    return _NGINX.format(http=_UPSTREAM.format(port=port, body=BODY))


def nginx_proxy(port: int, upstream: int) -> str:
    """Write the configuration of the peer: a proxy with six limit_req zones."""
    zones, limits = (
        "\n".join(line.format(name=name, rate=NEVER_REACHED_RATE) for name in WINDOWS)
        for line in (_ZONE, _LIMIT)
    )
    http = _PROXY.format(port=port, upstream=upstream, zones=zones, limits=limits)
    return _NGINX.format(http=http)


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


def policy() -> str:
    """Write a policy of six limits."""
    limits = (
        _POLICY_LIMIT.format(name=name, amount=NEVER_REACHED, window=window)
        for name, window in WINDOWS.items()
    )
    return _POLICY + "".join(limits)


def tenant(keys: int) -> str:
    """Write a tenant of so many keys, each with an account of its own."""
    return _TENANT + "".join(map(_key_line, range(1, keys + 1)))


def api_key(number: int) -> str:
    """Give one of the keys, numbered from 1."""
    return KEY_FORMAT % number


def _settings(*, log_requests: bool) -> str:
    return _SETTINGS.format(log_requests="true" if log_requests else "false")


def _key_line(number: int) -> str:
    return f'"sha256:{sha256(api_key(number).encode()).hexdigest()}" = "account-{number:03}"\n'
