"""What the configuration files have in common: strict, frozen, and exact about what is wrong."""

from __future__ import annotations

import re
from functools import cache
from typing import Annotated
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, available_timezones

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict

from fairuse.base.address import parse_network
from fairuse.rules.durations import parse_duration
from fairuse.rules.nearest import suggestion

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")
_CONTACT = re.compile(r"mailto:[^@\s]+@[^@\s]+|tel:\+?[0-9\- ]+|https://\S+")


class Model(BaseModel):
    """A table of a configuration file: every key known, every value of its type."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, arbitrary_types_allowed=True
    )


def _seconds(value: object) -> object:
    return parse_duration(value) if isinstance(value, str) else _not_text(value, '"15 minutes"')


@cache
def _zones() -> frozenset[str]:
    """Give the names of all zones; looking for them reads a whole folder."""
    return frozenset(available_timezones())


def _zone(value: object) -> ZoneInfo:
    if not isinstance(value, str):
        _not_text(value, '"Europe/Amsterdam"')
    if value not in _zones():
        near = suggestion(str(value), _zones())
        raise ValueError(f'there is no time zone "{value}"{near}')
    return ZoneInfo(value)


def _name(text: str) -> str:
    if not _NAME.fullmatch(text):
        raise ValueError(f'"{text}" is no name; write up to 64 of a-z, 0-9 and -')
    return text


def _network(text: str) -> str:
    try:
        parse_network(text)
    except ValueError:
        raise ValueError(f'"{text}" is no address and no network') from None
    return text


def _contact(text: str) -> str:
    if not _CONTACT.fullmatch(text):
        raise ValueError(f'"{text}" is no contact; write mailto:, tel: or https://')
    return text


def _origin(text: str) -> str:
    if any(letter.isspace() for letter in text):
        raise ValueError(f'"{text}" is no origin; it may hold no spaces')
    parts = urlsplit(text)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.port == 0:
        raise ValueError(f'"{text}" is no origin; write it like "http://127.0.0.1:9000"')
    if parts.path.strip("/") or set(text) & set("?#@"):
        raise ValueError(f'"{text}" may have no path, query or user; only scheme, host and port')
    return text.rstrip("/")


def _not_text(value: object, example: str) -> object:
    raise ValueError(f"{value!r} is not text; write it like {example}")


Seconds = Annotated[int, BeforeValidator(_seconds)]
Zone = Annotated[ZoneInfo, BeforeValidator(_zone)]
NetworkText = Annotated[str, AfterValidator(_network)]
Contact = Annotated[str, AfterValidator(_contact)]
Origin = Annotated[str, AfterValidator(_origin)]
Name = Annotated[str, AfterValidator(_name)]
