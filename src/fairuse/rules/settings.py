"""The gateway's own settings, as `gateway.toml` says them."""

from __future__ import annotations

import re
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from limits import RateLimitItem, RateLimitItemPerMinute, parse_many
from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from fairuse.base.hop.clients import ClientName
from fairuse.rules.model import (
    ChannelName,
    Contact,
    HeaderName,
    KeyHash,
    Model,
    Name,
    NetworkText,
    Origins,
    Reach,
    Seconds,
    channel_of,
    written,
)
from fairuse.rules.nearest import suggestion
from fairuse.rules.overload import Overload
from fairuse.rules.routes import path_pattern
from fairuse.rules.secret import Secret, SecretText
from fairuse.rules.tally import KEPT_SECONDS


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
    host = r"(\[[0-9a-fA-F:.]+\]|[^][/?#@:,\s]+)(:\d+)?"
    postgres = rf"postgresql://([^/?#\s]*@)?({host}(,{host})*)?/[^/?#@\s]+(\?[^#\s]*)?"
    if not re.fullmatch(rf"sqlite:///.+|{postgres}", url):
        # It may hold a password: what was written is not repeated.
        raise ValueError(
            'is no ledger; write "sqlite:///var/fairuse.db", or "postgresql://user@host/database"'
            " (in a password, / ? and # are written %2F %3F and %23)"
        )
    return url


def _counter_store(store: str) -> str:
    if store == "memory" or re.fullmatch(r"unix:///.+", store):
        return store
    try:
        parts = urlsplit(store)
        whole = parts.scheme in {"redis", "rediss"} and parts.hostname and parts.port != 0
        whole = whole and "#" not in store and "/" not in parts.path[1:]
    except ValueError:
        whole = False
    if not whole:
        # It may hold a password: what was written is not repeated.
        raise ValueError(
            'is no store of counters; write "memory", or "redis://127.0.0.1:6379/0"'
            " (in a password, / and # are written %2F and %23)"
        )
    return store


def _mail(server: Secret) -> Secret:
    if server.text and not server.text.startswith(("mailto://", "mailtos://")):
        raise ValueError(
            "is no mail server; write it like mailtos://user:password@smtp.example:587"
        )
    return server


def _by_itself(contact: str) -> str:
    if contact.startswith("tel:"):
        raise ValueError("is a task for a person, of which nobody would know; write mailto:")
    return contact


def _secrets(value: object) -> object:
    if not isinstance(value, dict):  # what stands there may be secret: it is not repeated
        raise ValueError('must be a table, like { NAME = { env = "VARIABLE" } }')
    return value


def _lateness(seconds: int) -> int:
    if seconds > KEPT_SECONDS:
        raise ValueError(f"must not be more than {KEPT_SECONDS // 86_400} days")
    return seconds


def _portal(url: str) -> str:
    parts = urlsplit(url)
    whole = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
    if not whole or set(url) & set("?#@\\") or any(letter.isspace() for letter in url):
        raise ValueError(f'"{url}" is no address; write it like "https://usage.example"')
    return url.rstrip("/")


def _variable(name: str) -> str:
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
        # It may be the key itself, by mistake: what was written is not repeated.
        raise ValueError('is no name of an environment variable; write it like "FAIRUSE_SECRET"')
    return name


class Listen(Model):
    """Where the gateway listens; loopback unless told otherwise."""

    host: str = "127.0.0.1"
    port: int = Field(default=8080, ge=0, le=65_535)


class Tls(Model):
    """Whom to trust as the upstream, and how to say who we are; files beside `gateway.toml`."""

    ca: str | None = None
    certificate: str | None = None
    key: str | None = None

    @model_validator(mode="after")
    def _whole(self) -> Tls:
        if self.key is not None and self.certificate is None:
            raise ValueError("a key needs the certificate that it is for")
        return self


class Server(Model):
    """How large a request may be, how long its client may take, and how many may be connected."""

    head_timeout: Seconds = 10
    keepalive_timeout: Seconds = 75
    min_body_rate: int = Field(default=240, ge=0)
    write_timeout: Seconds = 30
    max_head: int = Field(default=16_384, ge=1_024, le=1_048_576)
    max_fields: int = Field(default=100, ge=1)
    max_body: int | None = Field(default=None, ge=0)
    max_connections: int = Field(default=10_000, ge=1)
    max_connections_per_address: int = Field(default=256, ge=1)


class Upstream(Model):
    """The API behind the gateway, and how long each part of an exchange with it may take."""

    url: Origins
    connect_timeout: Seconds = 5
    response_timeout: Seconds = 60
    total_timeout: Seconds | None = None
    max_connections: int = Field(default=1_000, ge=1)
    client: ClientName = "fairuse"
    tls: Tls = Tls()


class Identity(Model):
    """How a request says who it is, and which location it is about."""

    key_header: HeaderName = "x-api-key"
    user_header: HeaderName | None = None
    location: Annotated[str, AfterValidator(_location)] | None = None


class Addresses(Model):
    """Which proxies to believe, and which addresses are never blocked."""

    trusted_proxies: list[NetworkText] = Field(default_factory=list)
    header: HeaderName = "x-forwarded-for"
    never_block: list[NetworkText] = Field(default_factory=list)


class UnknownCallers(Model):
    """The bucket that each address has while it shows no known key."""

    rate: Annotated[RateLimitItem, BeforeValidator(_rate), written("30/minute")] = (
        RateLimitItemPerMinute(30)
    )
    remembered: int = Field(default=100_000, ge=1)


class Ledger(Model):
    """Where usage, cases, notices and blocks are kept: a file, or a database of PostgreSQL."""

    url: Annotated[str, AfterValidator(_ledger)] = "sqlite:///var/fairuse.db"


class Counters(Model):
    """Where counts are kept, and what a crash may forget of them.

    `strict`: no unit that was admitted; `relaxed`: about the last fifth of a second.
    """

    store: Annotated[str, AfterValidator(_counter_store)] = "memory"
    durability: Literal["relaxed", "strict"] = "relaxed"
    namespace: Name = "fairuse"

    @property
    def alone(self) -> bool:
        """Say whether this process counts alone, in its memory."""
        return self.store == "memory"

    @property
    def strict(self) -> bool:
        """Say whether a crash may forget nothing."""
        return self.durability == "strict"


class Events(Model):
    """Who may report usage from outside, and how late (S16)."""

    keys: dict[KeyHash, Name] = Field(default_factory=dict)
    late: Annotated[Seconds, AfterValidator(_lateness)] = 3 * 86_400


class Notices(Model):
    """How notices are delivered: the mail server, channels by name, webhook secrets by tenant.

    `operators` are told what waits for one of them.
    """

    mail: Annotated[SecretText, AfterValidator(_mail)] | None = None
    channels: Annotated[dict[ChannelName, SecretText], BeforeValidator(_secrets)] = Field(
        default_factory=dict
    )
    webhooks: Annotated[dict[Name, SecretText], BeforeValidator(_secrets)] = Field(
        default_factory=dict
    )
    operators: list[Annotated[Reach, AfterValidator(_by_itself)]] = Field(default_factory=list)
    allow_private: bool = False

    @model_validator(mode="after")
    def _reaches_operators(self) -> Self:
        for contact in self.operators:
            channel = channel_of(contact)
            if channel is not None and channel not in self.channels:
                near = suggestion(channel, self.channels)
                raise ValueError(f'operators names a channel "{channel}" that is not there{near}')
        return self


class Metrics(Model):
    """Where Prometheus finds the metrics: a listener of their own, off unless it has a port."""

    host: str = "127.0.0.1"
    port: int | None = Field(default=None, ge=1, le=65_535)


class Log(Model):
    """What is logged."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    requests: bool = True


class Portal(Model):
    """How customers reach the gateway, and which environment variable has the key of its links."""

    url: Annotated[str, AfterValidator(_portal)] | None = None
    secret_env: Annotated[str, AfterValidator(_variable)] = "FAIRUSE_SECRET"  # noqa: S105  a name


class Settings(Model):
    """Everything in `gateway.toml`."""

    contact: Contact
    listen: Listen = Listen()
    server: Server = Server()
    upstream: Upstream | None = None
    identity: Identity = Identity()
    addresses: Addresses = Addresses()
    unknown_callers: UnknownCallers = UnknownCallers()
    events: Events = Events()
    notices: Notices = Notices()
    counters: Counters = Counters()
    ledger: Ledger = Ledger()
    log: Log = Log()
    metrics: Metrics = Metrics()
    overload: Overload = Overload()
    drain: Seconds = 30
    portal: Portal = Portal()
