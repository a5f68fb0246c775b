"""S1 and S3 over real sockets: a runaway script, and an innocent account behind its address."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.support import DENTIST, SALON, front, write_config

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support import Front

    from fairuse.base.clock import ManualClock

QUARTER = 15 * 60


def script(booking: Front, count: int = 500, seconds: float = 60.0) -> list[int]:
    """Post appointments from one address at an even pace, and give the statuses."""
    statuses = []
    for _ in range(count):
        booking.clock.advance(seconds / count)
        statuses.append(booking.book().status_code)
    return statuses


def test_a_runaway_script_is_stopped_within_the_minute(booking: Front) -> None:
    """S1, A24: of 500 appointments within 60 s 60 pass, and the account stays active."""
    statuses = script(booking)
    assert statuses == [201] * 60 + [429] * 20 + [403] * 420
    usage = booking.usage(address="198.51.100.7")
    assert booking.book(address="198.51.100.7").status_code == 201
    assert [entry["used"] for entry in usage["limits"] if entry["over"] == "case"] == [60, 60, 1]
    [notice] = booking.server.run(booking.told().notices("salon"))
    assert "203.0.113.9" in notice.body


def test_a_refusal_says_what_why_and_until_when(booking: Front) -> None:
    """A24, P10: a refusal is a problem of type abnormal-usage-detected with rule and figures."""
    for _ in range(60):
        booking.book()
    booking.clock.advance(20)
    refused = booking.book()
    assert refused.status_code == 429
    assert refused.headers["content-type"] == "application/problem+json"
    assert refused.headers["retry-after"] == "40"
    assert refused.headers["cache-control"] == "no-store"
    assert refused.headers["ratelimit-policy"] == '"appointments-burst";q=60;w=60'
    assert refused.headers["ratelimit"] == '"appointments-burst";r=0;t=40'
    problem = refused.json()
    assert problem["type"].endswith("#abnormal-usage-detected")
    assert problem["violated-policies"] == ["appointments-burst"]
    assert problem["until"] == "2026-11-02T13:01:00+01:00"
    assert problem["contact"] == "mailto:support@booking.example"
    expected = {"rule": "appointments-burst", "used": 60, "amount": 60, "window": "1 minute"}
    assert expected.items() <= problem.items()
    booking.clock.advance(40)
    assert booking.book().status_code == 201


def test_a_block_hits_the_address_and_not_the_account(booking: Front) -> None:
    """S3, A29, A30, A31, P3: blocked at one address, an account is served at every other."""
    script(booking, 100)
    blocked = booking.book()
    assert blocked.status_code == 403
    assert blocked.json()["until"].startswith("2026-11-02T13:15")
    for address in ("198.51.100.7", "2001:db8::7"):
        assert booking.book(address=address).status_code == 201


def test_a_blocked_customer_can_read_why(booking: Front) -> None:
    """P10: the usage page that a refusal names answers at the blocked address too."""
    script(booking, 100)
    blocked = booking.book().json()
    usage = booking.usage()
    assert blocked["usage"] == "/fairuse/usage"
    assert [(block["address"], block["until"]) for block in usage["blocks"]] == [
        ("203.0.113.9", blocked["until"])
    ]


def test_this_machine_is_never_blocked_for_everybody(
    tmp_path: Path, booking_api: str, clock: ManualClock
) -> None:
    """P9: behind a proxy nobody named, a block hits the account that earned it, and no other."""
    config = write_config(tmp_path, upstream=booking_api, addresses="")
    policy = config / "policies/booking.toml"
    policy.write_text(policy.read_text().replace('block = "account, address"', 'block = "address"'))
    with front(config, clock) as booking:
        assert script(booking, 100)[-1] == 403
        assert booking.book(key=DENTIST).status_code == 201


def test_an_innocent_account_behind_the_same_address_is_served(booking: Front) -> None:
    """S3, P9: another account behind the blocked address is not refused."""
    script(booking, 100)
    assert booking.book().status_code == 403
    assert booking.book(key=DENTIST).status_code == 201


def test_blocks_grow_and_end_by_themselves(booking: Front) -> None:
    """A29, A32, P6: 15 minutes, then 30, then an hour; served again after each."""
    for length in (QUARTER, 2 * QUARTER, 4 * QUARTER):
        script(booking, 90, seconds=9)
        assert booking.book().status_code == 403
        booking.clock.advance(length - 20)
        assert booking.book().status_code == 403
        booking.clock.advance(20)
        assert booking.book().status_code == 201


def test_a_day_without_a_block_forgives(booking: Front) -> None:
    """A29: after a day without a block the next one is short again."""
    script(booking, 90, seconds=9)
    booking.clock.advance(2 * 24 * 3_600)
    script(booking, 90, seconds=9)
    [block] = booking.usage(address="198.51.100.7")["blocks"]
    assert block["until"].startswith("2026-11-04T13:15")


def test_an_allow_list_entry_beats_a_running_block(booking: Front) -> None:
    """S14: an address put on the allow-list is served although its block still runs."""
    script(booking, 100)
    assert booking.book().status_code == 403
    settings = booking.config / "gateway.toml"
    text = settings.read_text()
    settings.write_text(
        text.replace("[addresses]", '[addresses]\nnever_block = ["203.0.113.0/24"]')
    )
    booking.server.run(_reload(booking))
    booking.clock.advance(60)
    assert booking.book().status_code == 201
    assert set(script(booking, 200)) == {201, 429}


async def _reload(booking: Front) -> None:
    assert booking.gateway.service.configuration.reload() == []


def test_our_own_proxy_is_never_blocked(booking: Front) -> None:
    """F-54 (the never-block list): a proxy that names no client is refused, but never blocked."""
    statuses = [booking.book(address="unknown").status_code for _ in range(100)]
    assert statuses == [201] * 60 + [429] * 40


def test_an_address_block_comes_before_the_account(
    tmp_path: Path, booking_api: str, clock: ManualClock
) -> None:
    """A29: where the policy blocks whole addresses, nobody behind the address is served."""
    config = write_config(tmp_path, upstream=booking_api)
    policy = config / "policies/booking.toml"
    policy.write_text(policy.read_text().replace('block = "account, address"', 'block = "address"'))
    with front(config, clock) as booking:
        script(booking, 100)
        assert booking.book().status_code == 403
        assert booking.book(key=DENTIST).status_code == 403
        assert booking.book(key=SALON, address="198.51.100.7").status_code == 201


@pytest.mark.parametrize("first", ["2001:db8:1:2::1", "::ffff:203.0.113.9"])
def test_other_spellings_of_an_address_are_blocked_too(booking: Front, first: str) -> None:
    """S13, F-18, F-19: rotating inside a /64 or mapping an IPv4 address evades no block."""
    same = {"2001:db8:1:2::1": "2001:DB8:1:2:ffff::{:x}", "::ffff:203.0.113.9": "203.0.113.9"}
    statuses = []
    for number in range(100):
        address = first if number % 2 else same[first].format(number)
        statuses.append(booking.book(address=address).status_code)
    assert statuses[-1] == 403
    assert statuses.count(201) == 60


def test_a_spoofed_header_changes_nothing(
    tmp_path: Path, booking_api: str, clock: ManualClock
) -> None:
    """S13, F-16: without a trusted proxy nobody can choose the address they are counted under."""
    config = write_config(tmp_path, upstream=booking_api, addresses="")
    with front(config, clock) as booking:
        statuses = [booking.book(address=f"198.51.100.{n}").status_code for n in range(100)]
    assert statuses.count(201) == 60
    assert statuses[-1] == 403
