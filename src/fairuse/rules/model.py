"""What the configuration files have in common: strict, frozen, and exact about what is wrong."""

from __future__ import annotations

import re
from functools import cache
from typing import Annotated
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, available_timezones

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, WithJsonSchema

from fairuse.base.address import parse_network
from fairuse.rules.durations import parse_duration
from fairuse.rules.nearest import suggestion

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")
_CONTACT = re.compile(r"mailto:[^@\s]+@[^@\s]+|tel:\+?[0-9\- ]+|https://\S+")
_THROUGH_CHANNEL = re.compile(r"([a-z0-9][a-z0-9-]{0,63}):(?!//)\S*")
SCHEMES = frozenset({"mailto", "tel", "https", "http"})
"""What a contact may begin with by itself, or must not; anything else is the name of a channel."""


def written(example: str, *, or_number: bool = False) -> WithJsonSchema:
    """Describe, for editors, a value that is written as text and read into something else."""
    types = ["string", "integer"] if or_number else "string"
    return WithJsonSchema({"type": types, "examples": [example]})


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


def channel_of(contact: str) -> str | None:
    """Give the channel of the settings that a contact names: `sms` of `sms:+31612345678`."""
    found = _THROUGH_CHANNEL.fullmatch(contact)
    return found[1] if found and found[1] not in SCHEMES else None


def _reach(text: str) -> str:
    return text if channel_of(text) else _contact(text)


def _channel_name(text: str) -> str:
    if text in SCHEMES:
        raise ValueError(f'"{text}" is a contact of its own; give the channel another name')
    return _name(text)


def _origin(text: str) -> str:
    if any(letter.isspace() for letter in text):
        raise ValueError(f'"{text}" is no origin; it may hold no spaces')
    parts = urlsplit(text)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.port == 0:
        raise ValueError(f'"{text}" is no origin; write it like "http://127.0.0.1:9000"')
    if parts.path.strip("/") or set(text) & set("?#@"):
        raise ValueError(f'"{text}" may have no path, query or user; only scheme, host and port')
    return text.rstrip("/")


def _header(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9-]{1,64}", text):
        raise ValueError(f'"{text}" is no header name; write up to 64 letters, digits and -')
    return text.lower()


def _key_hash(text: str) -> str:
    """Never shows the text: it may be an API key that somebody forgot to hash."""
    if not re.fullmatch(r"sha256:[0-9a-f]{64}", text):
        raise ValueError('holds something else than "sha256:" and the 64 digits of a key\'s hash')
    return text


def _origins(value: object) -> tuple[str, ...]:
    texts = value if isinstance(value, list) else [value]
    if not texts or not all(isinstance(text, str) for text in texts):
        raise ValueError('must be an origin like "http://127.0.0.1:9000", or a list of them')
    return tuple(map(_origin, texts))


def _not_text(value: object, example: str) -> object:
    raise ValueError(f"{value!r} is not text; write it like {example}")


Seconds = Annotated[int, BeforeValidator(_seconds), written("15 minutes")]
Zone = Annotated[ZoneInfo, BeforeValidator(_zone), written("Europe/Amsterdam")]
HeaderName = Annotated[str, AfterValidator(_header)]
KeyHash = Annotated[str, AfterValidator(_key_hash)]
NetworkText = Annotated[str, AfterValidator(_network)]
Contact = Annotated[str, AfterValidator(_contact)]
Reach = Annotated[str, AfterValidator(_reach)]
"""A contact, or one through a channel of the settings: `sms:+31612345678`."""
ChannelName = Annotated[str, AfterValidator(_channel_name)]
Origins = Annotated[
    tuple[str, ...],
    BeforeValidator(_origins),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string"},
                {"type": "array", "items": {"type": "string"}, "minItems": 1},
            ]
        }
    ),
]
"""One origin, or several that answer alike."""
Name = Annotated[str, AfterValidator(_name)]
