"""The gateway's own settings, as `gateway.toml` says them."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from limits import RateLimitItem, RateLimitItemPerMinute, parse_many
from pydantic import AfterValidator, BeforeValidator, Field

from fairuse.rules.model import Contact, Model, NetworkText, Origin, Seconds
from fairuse.rules.routes import path_pattern


def _header(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9-]{1,64}", text):
        raise ValueError(f'"{text}" is no header name; write up to 64 letters, digits and -')
    return text.lower()


HeaderName = Annotated[str, AfterValidator(_header)]


def _rate(value: object) -> RateLimitItem:
    try:
        [rate] = parse_many(str(value))
    except ValueError:
        raise ValueError(f'{value!r} is no rate; write it like "30/minute"') from None
    return rate


def _location(path: str) -> str:
    if "location" not in re.compile(path_pattern(path)).groupindex:
        raise ValueError(f'"{path}" must contain {{location}}')
    return path


def _ledger(url: str) -> str:
    if not re.fullmatch(r"sqlite:///.+", url):
        raise ValueError(f'"{url}" is no ledger; write it like "sqlite:///var/fairuse.db"')
    return url


class Listen(Model):
    """Where the gateway listens; loopback unless told otherwise."""

    host: str = "127.0.0.1"
    port: int = Field(default=8080, ge=0, le=65_535)


class Upstream(Model):
    """The API behind the gateway, and how long each part of an exchange with it may take."""

    url: Origin
    connect_timeout: Seconds = 5
    response_timeout: Seconds = 60


class Identity(Model):
    """How a request says who it is, and which location it is about."""

    key_header: HeaderName = "x-api-key"
    location: Annotated[str, AfterValidator(_location)] | None = None


class Addresses(Model):
    """Which proxies to believe, and which addresses are never blocked."""

    trusted_proxies: list[NetworkText] = Field(default_factory=list)
    header: HeaderName = "x-forwarded-for"
    never_block: list[NetworkText] = Field(default_factory=list)


class UnknownCallers(Model):
    """The bucket that each address has while it shows no known key."""

    rate: Annotated[RateLimitItem, BeforeValidator(_rate)] = RateLimitItemPerMinute(30)
    remembered: int = Field(default=100_000, ge=1)


class Ledger(Model):
    """Where usage, cases, notices and blocks are kept; a path relative to the working folder."""

    url: Annotated[str, AfterValidator(_ledger)] = "sqlite:///var/fairuse.db"


class Log(Model):
    """What is logged."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    requests: bool = True


class Settings(Model):
    """Everything in `gateway.toml`."""

    contact: Contact
    listen: Listen = Listen()
    upstream: Upstream | None = None
    identity: Identity = Identity()
    addresses: Addresses = Addresses()
    unknown_callers: UnknownCallers = UnknownCallers()
    ledger: Ledger = Ledger()
    log: Log = Log()
    drain: Seconds = 30
