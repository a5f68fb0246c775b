"""`fairuse check`: each mistake is named with its file, its key and its nearest match."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.entry.support import GATEWAY, POLICY, TENANT, check
from tests.support import write_config

if TYPE_CHECKING:
    from pathlib import Path

BROKEN = {
    "broken TOML": (TENANT, "[keys]", "[keys", "is no TOML: "),
    "unknown key": (
        TENANT,
        "timezone",
        "timezon",
        'timezon: unknown key; did you mean "timezone"?',
    ),
    "unknown key of a limit": (
        POLICY,
        'amount = "60"',
        'ammount = "60"',
        'limits.appointments-burst.ammount: unknown key; did you mean "amount"?',
    ),
    "unknown key of a block": (
        POLICY,
        "after =",
        "aftr =",
        'limits.appointments-burst.then.aftr: unknown key; did you mean "after"?',
    ),
    "unknown key of a section": (
        GATEWAY,
        "response_timeout",
        "respons_timeout",
        'upstream.respons_timeout: unknown key; did you mean "response_timeout"?',
    ),
    "a key like no other": (GATEWAY, "[upstream]", "[zzz]", "zzz: unknown key"),
    "unknown zone": (
        TENANT,
        "Europe/Amsterdam",
        "Europe/Amsterdm",
        'timezone: there is no time zone "Europe/Amsterdm"; did you mean "Europe/Amsterdam"?',
    ),
    "unknown policy": (
        TENANT,
        '"booking"',
        '"bookin"',
        'policy: there is no policy "bookin"; did you mean "booking"?',
    ),
    "bad contact": (
        TENANT,
        "mailto:salon@",
        "salon@",
        'contact.0: "salon@customer.example" is no contact; write mailto:, tel: or https://',
    ),
    "a soft limit without an end": (
        POLICY,
        'window = "calendar month"',
        'window = "always"',
        'limits.appointments-per-month.window: "always" never ends',
    ),
    "a usual day without a calendar": (
        POLICY,
        'window = "calendar day"',
        'window = "24 hours"',
        'limits.appointments-unlike-the-account.amount: "own median" needs a calendar window',
    ),
    "a charge without a price": (
        POLICY,
        'over   = "case"',
        'over   = "charge"',
        'limits.appointments-per-month: over = "charge" needs a tariff: the name of a price',
    ),
    "a count the contract does not have": (
        POLICY,
        '"5000 * locations"',
        '"5000 * location"',
        "limits.appointments-of-the-account.amount: there is no count or limit"
        ' "location"; did you mean "locations"?',
    ),
    "a query in a route": (
        POLICY,
        '/appointments"]',
        '/appointments?x=1"]',
        "meters.appointments.count: ",
    ),
    "an unknown method": (
        POLICY,
        '"POST /',
        '"POTS /',
        'must begin with a method (or *) and a space; did you mean "POST"?',
    ),
    "no contact": (
        TENANT,
        '["mailto:salon@customer.example"]',
        "[]",
        "contact: must hold at least one entry",
    ),
    "a contact that is no list": (
        TENANT,
        '["mailto:salon@customer.example"]',
        '"mailto:a@b.c"',
        "contact: must be a list, like",
    ),
    "missing key": (POLICY, 'title = "Fair use policy: appointments"', "", "title: is missing"),
    "negative amount": (
        POLICY,
        '"5000"',
        '"-5"',
        'limits.appointments-per-month.amount: "-5" is no amount: found "-"'
        " where a number or a name was expected",
    ),
    "too large an amount": (POLICY, '"5000"', '"9999999999999999"', "more than can be counted"),
    "unknown meter": (
        POLICY,
        'meter  = "appointments"',
        'meter  = "appointmens"',
        'limits.appointments-per-month.meter: there is no meter "appointmens";'
        ' did you mean "appointments"?',
    ),
    "unknown window": (
        POLICY,
        '"calendar month"',
        '"calendar week"',
        'window: "calendar week" is no window',
    ),
    "unknown scope": (
        POLICY,
        '"account, address"\namount',
        '"account, adress"\namount',
        '"adress" is no scope (one of account, location, user, address); did you mean "address"?',
    ),
    "unknown word": (
        POLICY,
        'over   = "case"',
        'over   = "cas"',
        "limits.appointments-per-month.over: 'cas' must be 'refuse', 'deny user', 'case',"
        " 'charge' or 'signal'; did you mean \"case\"?",
    ),
    "bad route": (
        POLICY,
        "POST /locations",
        "PSOT /locations",
        "meters.appointments.count: ",
    ),
    "a block that no emergency allows": (
        POLICY,
        '"block address", ',
        "",
        "limits.appointments-burst.then: blocks an address without notice, so [emergency] must"
        ' allow "block address"',
    ),
    "a suspension in an emergency (A29, P3)": (
        POLICY,
        '"throttle"]',
        '"suspend"]',
        'emergency.allowed: overload may not "suspend": it never closes an account (P3)',
    ),
    "bad network": (
        GATEWAY,
        '"127.0.0.0/8"',
        '"127.0.0.0/33"',
        'addresses.trusted_proxies.0: "127.0.0.0/33" is no address and no network',
    ),
    "bad origin": (
        GATEWAY,
        'url = "http://127.0.0.1:9"',
        'url = "127.0.0.1:9"',
        'upstream.url: "127.0.0.1:9" is no origin; write it like "http://127.0.0.1:9000"',
    ),
    "bad duration": (
        GATEWAY,
        '"2 seconds"',
        '"2 secs"',
        'upstream.response_timeout: "2 secs" is no span of time;'
        ' write it like "15 minutes" or "24 hours"',
    ),
    "unknown section": (
        GATEWAY,
        "[upstream]",
        "[upsteam]",
        'upsteam: unknown key; did you mean "upstream"?',
    ),
}


@pytest.mark.parametrize("case", BROKEN.values(), ids=BROKEN.keys())
def test_what_is_wrong_is_named(tmp_path: Path, case: tuple[str, str, str, str]) -> None:
    """F-50 (messages), A29: each mistake names its file, its key and what was probably meant."""
    name, good, bad, message = case
    config = write_config(tmp_path)
    text = (config / name).read_text()
    assert good in text
    (config / name).write_text(text.replace(good, bad, 1))
    code, output = check(config)
    assert code == 1
    assert any(line.startswith(f"{name}: ") and message in line for line in output.splitlines())
