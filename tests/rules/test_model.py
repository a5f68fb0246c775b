"""Values that several configuration files share: contacts, origins, zones, networks, spans."""

from __future__ import annotations

from typing import Any

import pytest
from tests.rules.support import SETTINGS, TENANT, THEN, settings, tenant, wrong

from fairuse.rules.policy import Then
from fairuse.rules.settings import Settings
from fairuse.rules.tenant import Tenant

CONTACTS = ["mailto:a@b", "tel:+31 20-123", "tel:112", "https://example.org/help?x=1"]
NO_CONTACTS = [
    "", "a@b.example", "mailto:", "mailto:a", "mailto:a b@c", "mailto:a@b@c", "http://a", "tel:",
    "https://", "https://a b", "MAILTO:a@b", "mailto:a@b\n", "mailto:a@b\nBcc: c@d", "tel:1;2",
]  # fmt: skip


@pytest.mark.parametrize("contact", CONTACTS)
def test_contacts_are_taken(contact: str) -> None:
    """A contact is an address, a telephone number or a page."""
    assert tenant(contact=[contact]).contact == [contact]
    assert settings(contact=contact).contact == contact


@pytest.mark.parametrize("contact", NO_CONTACTS, ids=repr)
def test_what_is_no_contact(contact: str) -> None:
    """Nobody can be contacted at anything else, and the error shows what to write."""
    message = f'"{contact}" is no contact; write mailto:, tel: or https://'
    assert wrong(Settings, {"contact": contact}) == [f"contact: {message}"]
    assert wrong(Tenant, TENANT | {"contact": [contact]}) == [f"contact.0: {message}"]


ORIGINS = {
    "http://127.0.0.1:9000": "http://127.0.0.1:9000",
    "http://127.0.0.1:9000/": "http://127.0.0.1:9000",
    "https://api.example": "https://api.example",
    "http://[::1]:9000": "http://[::1]:9000",
}
NO_ORIGIN = '"{}" is no origin; write it like "http://127.0.0.1:9000"'
TOO_MUCH = '"{}" may have no path, query or user; only scheme, host and port'
WRONG_ORIGINS = {
    "": NO_ORIGIN,
    "api.example": NO_ORIGIN,
    "api.example:80": NO_ORIGIN,
    "ftp://api.example": NO_ORIGIN,
    "http://": NO_ORIGIN,
    "http:///path": NO_ORIGIN,
    "http://a:0": NO_ORIGIN,
    "http://a:99999": "Port out of range 0-65535",
    "http://[::1": "Invalid IPv6 URL",
    "http://a/b": TOO_MUCH,
    "http://a/?": TOO_MUCH,
    "http://a?b": TOO_MUCH,
    "http://a?": TOO_MUCH,
    "http://a#b": TOO_MUCH,
    "http://a#": TOO_MUCH,
    "http://user@a": TOO_MUCH,
    "http://user:secret@a": TOO_MUCH,
    "http://:secret@a": TOO_MUCH,
}


@pytest.mark.parametrize(("text", "origin"), ORIGINS.items(), ids=ORIGINS)
def test_origins_are_taken(text: str, origin: str) -> None:
    """An upstream is a scheme, a host and perhaps a port."""
    upstream = settings(upstream={"url": text}).upstream
    assert upstream is not None
    assert upstream.url == (origin,)


def test_several_origins_are_taken() -> None:
    """HTTP-48: an upstream may be several origins that answer alike."""
    upstream = settings(upstream={"url": ["http://a:1", "https://b/"]}).upstream
    assert upstream is not None
    assert upstream.url == ("http://a:1", "https://b")


@pytest.mark.parametrize("url", [[], 9000, ["http://a", 1]])
def test_what_is_no_list_of_origins_is_refused(url: object) -> None:
    """Bad input: an empty list, a number and a list with one are said to be no origins."""
    with pytest.raises(ValueError, match="must be an origin like"):
        settings(upstream={"url": url})


@pytest.mark.parametrize(("text", "message"), WRONG_ORIGINS.items(), ids=map(repr, WRONG_ORIGINS))
def test_what_is_no_origin(text: str, message: str) -> None:
    """Nothing that could change the request's target or carry a secret is an origin."""
    found = wrong(Settings, SETTINGS | {"upstream": {"url": text}})
    assert found == ["upstream.url: " + message.format(text)]


@pytest.mark.parametrize("text", ["http://a b", "http://a\n", "http://a/\n", "http://a\t"])
def test_an_origin_has_no_spaces(text: str) -> None:
    """A space or a line feed in an origin is an error and not a part of the host."""
    found = wrong(Settings, SETTINGS | {"upstream": {"url": text}})
    assert found == [f'upstream.url: "{text}" is no origin; it may hold no spaces']


NEAR = '; did you mean "Europe/Amsterdam"?'
ZONES: dict[object, str] = {
    "Europe/Amsterdan": f'there is no time zone "Europe/Amsterdan"{NEAR}',
    "europe/amsterdam": f'there is no time zone "europe/amsterdam"{NEAR}',
    "Mars/Olympus": 'there is no time zone "Mars/Olympus"',
    "../../etc/passwd": 'there is no time zone "../../etc/passwd"',
    "": 'there is no time zone ""',
    1: '1 is not text; write it like "Europe/Amsterdam"',
}


@pytest.mark.parametrize(("zone", "message"), ZONES.items(), ids=map(repr, ZONES))
def test_what_is_no_zone(zone: object, message: str) -> None:
    """F-35 (an unknown zone): it is an error in the configuration that names the nearest one."""
    assert wrong(Tenant, TENANT | {"timezone": zone}) == [f"timezone: {message}"]


def test_zones_are_taken() -> None:
    """A zone is a name of the time zone database."""
    assert tenant(timezone="Pacific/Apia").timezone.key == "Pacific/Apia"


@pytest.mark.parametrize("key", ["trusted_proxies", "never_block"])
@pytest.mark.parametrize("text", ["", "10.0.0.0/33", "localhost", "*", "10.0.0.1:80"])
def test_what_is_no_network(key: str, text: str) -> None:
    """F-17 (bad entries): a proxy that is no network stops the start, never becomes a literal."""
    found = wrong(Settings, SETTINGS | {"addresses": {key: ["10.0.0.0/8", text]}})
    assert found == [f'addresses.{key}.1: "{text}" is no address and no network']


@pytest.mark.parametrize(
    "text", ["10.0.0.1/8", "2001:db8::/32", "127.0.0.1", "::ffff:10.0.0.0/104"]
)
def test_networks_are_taken(text: str) -> None:
    """A network may have host bits, and a single address is one."""
    assert settings(addresses={"never_block": [text]}).addresses.never_block == [text]


@pytest.mark.parametrize("value", [900, 1.5, True, None, ["15 minutes"]], ids=repr)
def test_a_span_is_written_with_its_unit(value: object) -> None:
    """A bare number is no span of time: nobody has to guess its unit."""
    message = f'{value!r} is not text; write it like "15 minutes"'
    assert wrong(Then, THEN | {"for": value}) == [f"for: {message}"]


@pytest.mark.parametrize("name", ["", "-a", "A", "a_b", "a b", "a/b", "a\n", "\u00e9", "a" * 65])
def test_what_is_no_name(name: str) -> None:
    """Names are short, lower-case words with dashes, so they are safe in keys, logs and headers."""
    table: dict[str, Any] = TENANT | {"policy": name}
    message = f'"{name}" is no name; write up to 64 of a-z, 0-9 and -'
    assert wrong(Tenant, table) == [f"policy: {message}"]
    assert wrong(Tenant, TENANT | {"policy": "a" * 64}) == []


@pytest.mark.parametrize(
    ("model", "table"), [(Settings, SETTINGS), (Tenant, TENANT), (Then, THEN)], ids=str
)
def test_every_key_is_known(model: type[Settings], table: dict[str, Any]) -> None:
    """F-50 (unknown key): a key that nobody reads is an error, also where it is a near one."""
    assert wrong(model, table) == []
    assert wrong(model, table | {"contacts": 1}) == ["contacts: Extra inputs are not permitted"]


def test_tables_do_not_change() -> None:
    """A table that was read can't be changed."""
    with pytest.raises(ValueError, match="frozen"):
        setattr(settings(), "contact", "mailto:other@booking.example")  # noqa: B010
