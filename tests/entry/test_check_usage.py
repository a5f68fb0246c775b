"""`fairuse check --usage`: whom the policies in a folder would have touched, by recorded use."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import event
from sqlalchemy.engine import Engine
from tests.entry.support import POLICY, check
from tests.scenarios.support import contract, moment, months, shipped
from tests.support import tenant, write_config

from fairuse.base.keys import fingerprint
from fairuse.entry import policy_commands
from fairuse.stores.ledger import Ledger
from fairuse.stores.rows import Batch, UsageKey

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from fairuse.base.clock import ManualClock

OCTOBER = "2026-10-15T12:00"


@pytest.fixture(autouse=True)
def _same_time(monkeypatch: pytest.MonkeyPatch, clock: ManualClock) -> None:
    """Have the command live in the test's time: November 2026."""
    monkeypatch.setattr(policy_commands, "SystemClock", lambda: clock)


def record(config: Path, used: Mapping[tuple[str, str, str], int], meter: str) -> None:
    """Write use into the ledger, by account, location and moment."""
    asyncio.run(_write(config, used, meter))


async def _write(config: Path, used: Mapping[tuple[str, str, str], int], meter: str) -> None:
    rows = [
        (UsageKey(account, location, meter, int(moment(when))), units)
        for (account, location, when), units in used.items()
    ]
    ledger = await Ledger.open(f"sqlite:///{config.parent}/fairuse.db")
    try:
        await ledger.write(Batch(usage=rows))
    finally:
        await ledger.close()


def salons(folder: Path, count: int) -> Path:
    """Write a configuration with so many salons, in one tenant's file."""
    keys = "".join(
        f'"{fingerprint(str(number).encode())}" = "salon-{number}"\n' for number in range(1, count)
    )
    return write_config(folder, tenants={"salons": tenant("salon-0", "0", keys)})


def usage(config: Path, month: str = "last") -> Any:
    """Give what the command says of the booking policy."""
    code, output = check(config, "--usage", month, "-o", "json")
    assert code == 0, output
    found = json.loads(output)
    return found["warnings"], {each["policy"]: each for each in found["usage"]}


def of(found: Any, limit: str) -> Any:
    """Give what is said of one limit."""
    return next(each for each in found["limits"] if each["limit"] == limit)


def test_it_says_how_many_accounts_each_limit_would_touch(tmp_path: Path) -> None:
    """A02: x of y accounts, by policy and limit; at the amount nobody is, a unit above one is."""
    config = salons(tmp_path, 40)
    record(
        config,
        {
            ("salon-1", "centrum", OCTOBER): 5_000,
            ("salon-2", "centrum", OCTOBER): 5_001,
            ("salon-3", "centrum", OCTOBER): 4_000,  # two locations, each within
            ("salon-3", "west", OCTOBER): 4_000,
            ("salon-4", "centrum", "2026-09-15T12:00"): 9_999,  # another month
            ("salon-5", "centrum", "2026-11-02T10:00"): 9_999,  # one that is not over
            ("who-left", "centrum", OCTOBER): 9_999,
        },
        "appointments",
    )
    code, output = check(config, "--usage", "last")
    assert code == 0
    assert output.splitlines()[-5:] == [
        "by the use of the latest month that is over:",
        "booking: 1 of 40 accounts would be touched (2.5%)",
        "  appointments-per-month: 1 of 40 (case; the month)",
        "  appointments-of-the-account: 0 of 40 (case; the month)",
        "  recorded use can't tell: locations-in-use, appointments-burst",
    ]
    assert "expected_share" not in output


def test_more_than_expected_is_a_warning(tmp_path: Path) -> None:
    """A07: above the policy's own share a check warns, and its exit code stays 0."""
    config = salons(tmp_path, 20)
    over = {(f"salon-{number}", "centrum", OCTOBER): 5_001 for number in range(2)}
    record(config, over, "appointments")
    warnings, found = usage(config)
    [warning] = [each for each in warnings if each["key"] == "expected_share"]
    assert warning["file"] == POLICY
    assert warning["message"].startswith("2 of 20 accounts (10%) would be touched, and at most 5%")
    assert (found["booking"]["touched"], found["booking"]["share"]) == (2, 0.1)
    text = (config / POLICY).read_text()
    (config / POLICY).write_text(f'expected_share = "10%"\n{text}')
    assert not [each for each in usage(config)[0] if each["key"] == "expected_share"]


def test_a_changed_policy_is_asked_before_it_is_deployed(tmp_path: Path) -> None:
    """A02, A07: a copy of the folder, and a next version in it, are measured by the same use."""
    config = salons(tmp_path, 40)
    used = {(f"salon-{number}", "centrum", OCTOBER): 100 * number for number in range(40)}
    record(config, used, "appointments")
    assert usage(config)[1]["booking"]["touched"] == 0
    draft = shutil.copytree(config, tmp_path / "draft")
    text = (draft / POLICY).read_text()
    (draft / POLICY).write_text(text.replace('"5000"', '"3800"'))
    version = (
        'version = { name = "b", announced = 2026-12-01, effective = 2027-02-01, changes = "less" }'
    )
    following = re.sub(r"\Aversion .*|^\[version\][^\[]*", "", text, flags=re.MULTILINE)
    (draft / "policies/booking.next.toml").write_text(
        f"{version}\n{following}".replace('"5000"', '"3000"')
    )
    found = usage(draft)[1]
    assert found["booking"]["touched"] == 1
    assert found["booking.next"]["touched"] == 9
    assert found["booking.next"]["accounts"] == 40
    assert usage(config)[1]["booking"]["touched"] == 0


def test_any_month_can_be_asked_about(tmp_path: Path) -> None:
    """A02: the busiest month says more than the last one."""
    config = salons(tmp_path, 10)
    record(config, {("salon-1", "centrum", "2025-12-31T23:30"): 5_001}, "appointments")
    assert usage(config, "2025-12")[1]["booking"]["touched"] == 1
    last = usage(config)[1]["booking"]
    assert (last["touched"], of(last, "appointments-per-month")["recorded"]) == (0, False)


def test_each_account_has_its_own_months(tmp_path: Path) -> None:
    """A02: months begin in the tenant's zone, on its billing day."""
    zones = {"lisbon": "Europe/Lisbon", "amsterdam": "Europe/Amsterdam"}
    tenants = {name: tenant(name, name, zone=zone) for name, zone in zones.items()}
    tenants["mid"] = tenant("mid", "mid").replace("[contract]", "[contract]\nbilling_day = 15")
    config = write_config(tmp_path, tenants=tenants)
    # Midnight of October in Amsterdam, and still the last hour of September in Lisbon.
    turn = "2026-09-30T22:00Z"
    used = {(name, "centrum", turn): 5_001 for name in tenants}
    record(config, used, "appointments")
    # Of the 2nd of November, the latest closed month from a 15th on is that until 2026-10-15.
    assert usage(config)[1]["booking"]["touched"] == 2
    assert usage(config, "2026-09")[1]["booking"]["touched"] == 1


def test_several_breaches_are_needed_where_the_limit_says_so(tmp_path: Path) -> None:
    """A02, B25: of three months above the limit in six there would have been a case."""
    tenants = {
        name: contract(name, "telephony", "[packages.unlimited]\nusers = 1")
        for name in ("twice", "thrice", *(f"quiet-{number}" for number in range(10)))
    }
    config = shipped(tmp_path, tenants)
    text = (config / "policies/telephony.toml").read_text()
    (config / "policies/telephony.toml").write_text(text.replace("users * average * 4", "100"))
    over = {
        (name, "", when): 10_001  # hundredths of a minute
        for name, many in (("twice", 2), ("thrice", 3))
        for when in [*months("2026-06", 6)][:many]
    }
    record(config, over, "minutes")
    found = usage(config)[1]["telephony"]
    assert of(found, "minutes-per-month")["touched"] == 1
    assert (found["touched"], found["accounts"]) == (1, 12)


def test_an_amount_that_is_not_known_yet_is_said(tmp_path: Path) -> None:
    """A02, C07: before the first average nobody is touched for certain; after it, who is over."""
    names = [f"shop-{number}" for number in range(12)]
    config = shipped(
        tmp_path, {name: contract(name, "hosting", "[packages.shared]") for name in names}
    )
    used = {(name, "", OCTOBER): 90_000 if name == "shop-0" else 10 for name in names}
    record(config, used, "traffic")
    found = of(usage(config)[1]["hosting"], "traffic-per-month")
    assert (found["touched"], found["unknown"]) == (0, 12)
    assert check(config, "--usage", "last")[1].count("of 12 more the amount is not known") == 1


@contextmanager
def statements() -> Iterator[list[str]]:
    """Note every statement that is executed."""
    seen: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        seen.append(statement)

    event.listen(Engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(Engine, "before_cursor_execute", note)


def test_many_accounts_need_no_more_statements(tmp_path: Path) -> None:
    """A02: one aggregate a limit, whether there are ten accounts or a thousand."""
    counts = {}
    for count in (10, 1_000):
        config = salons(tmp_path / str(count), count)
        used = {(f"salon-{number}", "centrum", OCTOBER): 1 for number in range(count)}
        record(config, used, "appointments")
        with statements() as seen:
            assert usage(config)[1]["booking"]["accounts"] == count
        counts[count] = len(seen)
        aggregates = [each for each in seen if "FROM usage" in each]
        assert len(aggregates) == 2  # a month by location, and by account
    assert counts[10] == counts[1_000]


def test_without_a_ledger_nothing_is_made_up(tmp_path: Path) -> None:
    """A02: who has recorded nothing yet is told so, with 1; no ledger is made."""
    config = salons(tmp_path, 3)
    assert check(config, "--usage", "last") == (
        1,
        "there is no ledger yet, so nobody's use is recorded\n",
    )
    assert not (tmp_path / "fairuse.db").exists()


def test_a_ledger_that_cannot_be_read_is_said(tmp_path: Path) -> None:
    """F-41: a file that is no ledger is named, with why."""
    config = salons(tmp_path, 3)
    (tmp_path / "fairuse.db").write_text("no database" * 1_000)
    code, output = check(config, "--usage", "last")
    assert code == 1
    assert "fairuse.db can't be read: file is not a database" in output


@pytest.mark.parametrize("month", ["2026-13", "october", ""])
def test_what_is_no_month_is_a_wrong_call(config: Path, month: str) -> None:
    """A wrong call ends with 2, and says how a month is written."""
    code, output = check(config, "--usage", month)
    assert code == 2
    assert "is no month" in output


def test_a_broken_configuration_comes_first(config: Path) -> None:
    """Where something is wrong, that is said, and nothing is measured by half of it."""
    (config / POLICY).write_text("nonsense = 1\n")
    code, output = check(config, "--usage", "last")
    assert code == 1
    assert "nonsense" in output
    assert "would be touched" not in output
