"""`fairuse explain`: what a request would meet and where an account stands, and nothing counted."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
from tests.scenarios.support import SENDER, contract, key_of, months, shipped, upkeep, used_before
from tests.scenarios.support_documents import ACME, write_contracts
from tests.scenarios.support_documents import contract as documents_contract
from tests.support import (
    APPOINTMENTS,
    DENTIST,
    REPOSITORY,
    SALON,
    Recorder,
    call,
    mounted,
    tenant,
    told,
    write_config,
)
from typer.testing import CliRunner

from fairuse.entry import cli
from fairuse.entry.explain import Request
from fairuse.entry.explain import explain_request as what_it_meets
from fairuse.stores.configuration import Configuration

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support import Reply

    from fairuse import FairUse
    from fairuse.base.clock import ManualClock

pytestmark = pytest.mark.anyio

ELSEWHERE = "198.51.100.7"
SCRIPT = "203.0.113.9"
EDITORS = """
[packages.standard]
packs = 10
parallel-generations = 2
[packages.collaborate]
users = 20
"""


@pytest.fixture(autouse=True)
def _same_time(monkeypatch: pytest.MonkeyPatch, clock: ManualClock) -> None:
    """Have the command live in the test's time."""
    monkeypatch.setattr(cli, "SystemClock", lambda: clock)


async def invoke(config: Path, *options: str) -> Any:
    """Run the command, beside whatever runs."""
    command = ["explain", "--config", str(config), *options]
    return await asyncio.to_thread(CliRunner().invoke, cli.app, command)


async def run(config: Path, *options: str) -> tuple[int, str]:
    """Run the command, and give its exit code and what it said."""
    result = await invoke(config, *options)
    return result.exit_code, result.output


async def explain(config: Path, *options: str) -> Any:
    """Run the command with -o json, and read what it found."""
    result = await invoke(config, "-o", "json", *options)
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


async def explain_request(
    config: Path,
    path: str = APPOINTMENTS,
    *,
    key: str = SALON,
    address: str = SCRIPT,
    method: str = "POST",
    user: str = "",
) -> Any:
    """Explain a request."""
    request = ["--key", key, "--method", method, "--path", path]
    return await explain(config, *request, "--address", address, "--user", user)


async def usage(fair: FairUse, key: str) -> Any:
    """Read what the usage page says, from an address that used nothing."""
    return (await call(fair, "GET", "/fairuse/usage", key=key, address=ELSEWHERE)).json()


def rows(config: Path) -> list[str]:
    """Give everything that the ledger has, as a reader of its own sees it."""
    name = f"file:{config.parent}/fairuse.db?mode=ro"
    with closing(sqlite3.connect(name, uri=True)) as connection:
        return [*connection.iterdump()]


def agreed(found: Any) -> list[Any]:
    """Give the limits that customers see, too; signals are for the operator alone."""
    return [limit for limit in found["limits"] if limit["over"] != "signal"]


async def _booked(fair: FairUse) -> None:
    for path in [APPOINTMENTS] * 5 + ["/locations/west/appointments"] * 3:
        assert (await call(fair, path=path, address=SCRIPT)).status == 201


async def test_an_account_stands_where_its_usage_page_says(
    config: Path, recorder: Recorder, clock: ManualClock
) -> None:
    """B28: the same limits, figures and sources, while the gateway runs and after it stopped."""
    async with mounted(config, recorder, clock) as fair:
        await _booked(fair)
        await told(fair.service)
        shown = await usage(fair, SALON)
        running = await explain(config, "--account", "salon")
    stopped = await explain(config, "--account", "salon")
    assert running == stopped
    assert agreed(stopped) == shown["limits"]
    assert [limit["used"] for limit in agreed(stopped)[:3]] == [5, 3, 8]
    [signal] = [limit for limit in stopped["limits"] if limit["over"] == "signal"]
    assert (signal["limit"], signal["amount"]) == ("appointments-unlike-the-account", None)
    assert signal["source"] == "not known yet: 10 * own median - 1"
    assert stopped["in_force"] is True
    for name in ("account", "tenant", "policy", "at"):
        assert stopped[name] == shown[name]


async def test_it_names_the_rule_that_won_and_what_it_beat(config: Path) -> None:
    """C02: the policy's amount, beaten by the tenant's file, by file, key and value."""
    override = '[override.appointments-per-month]\namount = "8000"\nreason = "a fair"\n'
    tenant_file = config / "tenants/salon.toml"
    tenant_file.write_text(tenant_file.read_text() + override)
    found = {
        each["about"]: each for each in (await explain(config, "--account", "salon"))["rulings"]
    }
    ruling = found["limits.appointments-per-month.amount"]
    assert ruling["won"] == {
        "file": "tenants/salon.toml",
        "key": "override.appointments-per-month.amount",
        "value": "8000",
        "reason": "a fair",
    }
    [beaten] = ruling["beat"]
    assert (beaten["file"], beaten["value"]) == ("policies/booking.toml", "5000")
    tariff = found["tariffs.extra-appointment"]["won"]
    assert (tariff["file"], tariff["value"]) == ("policies/booking.toml", "EUR 0.05")
    shown = (await run(config, "--account", "salon"))[1]
    assert (
        "  limits.appointments-per-month.amount: 8000\n"
        "      by tenants/salon.toml: override.appointments-per-month.amount\n"
        '      "a fair"\n'
        "      beats 5000 by policies/booking.toml\n"
    ) in shown


async def test_levels_and_users_stand_where_the_usage_page_says(
    tmp_path: Path, recorder: Recorder, clock: ManualClock
) -> None:
    """E13, E22: highest levels, different users and what is stored are taken up from the ledger."""
    config = write_contracts(tmp_path, acme=documents_contract(ACME, EDITORS))
    recorder.headers = [(b"x-pages", b"2"), (b"x-storage-bytes", b"1500")]
    async with mounted(config, recorder, clock) as fair:
        for user in ("anna", "bert", "anna"):
            await _correspond(fair, user)
        await told(fair.service)
        shown = await usage(fair, key_of(ACME))
        running = await explain(config, "--account", ACME)
    stopped = await explain(config, "--account", ACME)
    assert agreed(running) == agreed(stopped) == shown["limits"]
    used = {limit["limit"]: limit["used"] for limit in stopped["limits"]}
    assert (used["correspond-pages"], used["active-users"], used["stored-bytes"]) == (6, 2, 1_500)
    highest = {limit["limit"]: limit.get("highest") for limit in stopped["limits"]}
    assert (highest["user-requests"], used["user-requests"]) == (1, 0)


async def _correspond(fair: FairUse, user: str) -> Reply:
    headers = [(b"x-user", user.encode())]
    return await call(fair, path="/correspondence", key=key_of(ACME), headers=headers)


async def test_an_average_is_the_one_in_force(
    tmp_path: Path, recorder: Recorder, clock: ManualClock
) -> None:
    """C13, C14: the frozen average, its date and the multiple of it are those of the usage page."""
    names = [f"shop-{number}" for number in range(10)]
    tenants = {name: contract(name, "hosting", "[packages.shared]") for name in names}
    config = shipped(tmp_path, tenants)
    past = dict.fromkeys(months("2025-11", 12), 500)
    await used_before(config, "traffic", dict.fromkeys(names, past))
    async with mounted(config, recorder, clock) as fair:
        await upkeep(fair)
        shown = await usage(fair, key_of("shop-0"))
    found = await explain(config, "--account", "shop-0")
    assert agreed(found) == shown["limits"]
    assert found["limits"][0]["amount"] == 2_500
    assert found["limits"][0]["average"]["of"] == 10


async def test_a_request_asks_what_it_then_takes(
    config: Path, recorder: Recorder, clock: ManualClock
) -> None:
    """Each limit shows what is used and what the request asks; served, that is what is used."""
    async with mounted(config, recorder, clock) as fair:
        await _booked(fair)
        await told(fair.service)
        found = await explain_request(config, "/locations/centrum%20west/appointments?try=1")
        assert found["outcome"] == {"served": True}
        assert (found["account"], found["tenant"]) == ("salon", "salon")
        assert (found["location"], found["address"]) == ("centrum west", SCRIPT)
        assert [(each["meter"], each["measure"]) for each in found["meters"]] == [
            ("appointments", "requests"),
            ("locations", "locations"),
        ]
        assert {each["counts"] for each in found["meters"]} == {"what the API accepts"}
        reply = await call(fair, path="/locations/centrum west/appointments", address=SCRIPT)
        assert reply.status == 201
        page = (await call(fair, "GET", "/fairuse/usage", address=SCRIPT)).json()
    now = {(each["limit"], str(each["scope"])): each["used"] for each in page["limits"]}
    asked = {
        (each["limit"], str(each["scope"])): each["used"] + each["asks"] for each in agreed(found)
    }
    assert asked == {name: used for name, used in now.items() if name in asked}
    assert asked["appointments-per-month", "{'location': 'centrum west'}"] == 1
    assert asked["appointments-burst", f"{{'address': '{SCRIPT}'}}"] == 9
    assert asked["appointments-of-the-account", "{}"] == 9


async def test_meters_say_where_a_cost_comes_from(
    tmp_path: Path, recorder: Recorder, clock: ManualClock
) -> None:
    """E37: each meter says its measure, its cost, which answers count, and what only lowers it."""
    config = write_contracts(tmp_path, acme=documents_contract(ACME, EDITORS))
    async with mounted(config, recorder, clock):
        pass
    made = await explain_request(config, "/documents", key=key_of(ACME))
    assert [(each["meter"], each["measure"], each["counts"]) for each in made["meters"]] == [
        ("on-demand-pages", "requests", "what the API accepts"),
        ("pages", "requests", "what the API accepts"),
        ("on-demand-generations", "in flight", "whatever the answer"),
        ("storage", "gauge", "what the API accepts"),
    ]
    costs = [each["cost"] for each in made["meters"]]
    assert costs[0].startswith("response_header x-pages")
    assert costs[2:] == [None, "response_header x-storage-bytes, event_field bytes"]
    assert {each["limit"] for each in made["limits"]} > {"pages-per-minute", "stored-bytes"}
    gone = await explain_request(config, "/documents/7", key=key_of(ACME), method="DELETE")
    [lowered] = gone["meters"]
    assert (lowered["meter"], lowered["releases"]) == ("storage", True)
    assert gone["limits"][0]["asks"] == 0


REFUSED = {
    "burst": (60, {}, 429, "appointments-burst"),
    "block": (80, {}, 403, "appointments-burst"),
    "unknown key": (0, {"key": "no-such-key"}, 401, "unknown-caller"),
    "ambiguous path": (0, {"path": "/locations//appointments"}, 400, "http"),
    "no slash": (0, {"path": "locations/centrum/appointments"}, 400, "http"),
    "method": (0, {"method": "TRACE"}, 405, "http"),
    "events with an account's key": (0, {"path": "/fairuse/events"}, 401, "unknown-caller"),
}


@pytest.mark.parametrize(("before", "request_", "status", "rule"), REFUSED.values(), ids=REFUSED)
async def test_a_refusal_is_the_gateways_own(
    config: Path,
    recorder: Recorder,
    clock: ManualClock,
    before: int,
    request_: dict[str, Any],
    status: int,
    rule: str,
) -> None:
    """P10: the outcome names the status, the rule and the reason that the gateway then gives."""
    async with mounted(config, recorder, clock) as fair:
        for _ in range(before):
            await call(fair, address=SCRIPT)
        await told(fair.service)
        found = (await explain_request(config, **request_))["outcome"]
        reply = await call(fair, address=SCRIPT, **request_)
    problem = reply.json()
    assert (reply.status, problem["rule"]) == (status, rule)
    assert (found["served"], found["status"], found["rule"]) == (False, status, rule)
    assert found["why"] == problem["title"]
    assert (found["reason"] or "") in problem["detail"]


async def test_a_cost_that_cannot_be_read_is_refused(
    config: Path, recorder: Recorder, clock: ManualClock
) -> None:
    """F-27: a header that should say the cost and doesn't is refused; a block comes before it."""
    policy = config / "policies/booking.toml"
    cost = 'unit  = "appointment"\ncost = { request_header = "x-count" }'
    policy.write_text(policy.read_text().replace('unit  = "appointment"', cost))
    headers = [(b"x-count", b"many")]
    statuses = []
    loaded = Configuration(config)
    loaded.load()
    async with mounted(config, recorder, clock) as fair:
        for count in (0, 80):
            for _ in range(count):
                await call(fair, address=SCRIPT)
            await told(fair.service)
            request = Request("POST", APPOINTMENTS, SALON, address=SCRIPT, headers=headers)
            found: Any = await what_it_meets(loaded, request, clock)
            reply = await call(fair, address=SCRIPT, headers=headers)
            assert found["outcome"]["status"] == reply.status
            assert found["outcome"]["rule"] == reply.json()["rule"]
            statuses.append(reply.status)
    assert statuses == [400, 403]


SERVED = {
    "the account from elsewhere": {"address": ELSEWHERE},
    "another account there": {"key": DENTIST},
    "what is not metered": {"path": "/", "address": ELSEWHERE},
    "the usage page": {"path": "/fairuse/usage", "method": "GET"},
    "health": {"path": "/fairuse/health", "method": "GET", "key": "no-such-key"},
}


@pytest.mark.parametrize("request_", SERVED.values(), ids=SERVED)
async def test_what_a_block_leaves_alone_is_served(
    config: Path, recorder: Recorder, clock: ManualClock, request_: dict[str, Any]
) -> None:
    """P9, A30: beside a block of one account at one address all else is served, and said to be."""
    async with mounted(config, recorder, clock) as fair:
        for _ in range(80):
            await call(fair, address=SCRIPT)
        await told(fair.service)
        found = await explain_request(config, **request_)
        reply = await call(fair, **{"address": SCRIPT, **request_})
    assert found["outcome"] == {"served": True}
    assert reply.status in {200, 201}


async def test_the_gateways_own_pages_are_not_metered(tmp_path: Path) -> None:
    """A page of the gateway moves no meter, whatever the policy counts; a sender may report."""
    config = shipped(tmp_path, {"shop": contract("shop", "hosting", "[packages.shared]")})
    page = await explain_request(config, "/fairuse/usage", key=key_of("shop"), method="GET")
    assert (page["account"], page.get("meters")) == ("shop", None)
    other = await explain_request(config, "/index.html", key=key_of("shop"), method="GET")
    assert [meter["meter"] for meter in other["meters"]] == ["traffic"]
    reported = await explain_request(config, "/fairuse/events", key=SENDER)
    assert reported == {"outcome": {"served": True}}


async def test_a_user_too_many_is_refused(
    tmp_path: Path, recorder: Recorder, clock: ManualClock
) -> None:
    """E21: the third user of two is said to be refused, the two are said to go on; so it is."""
    packages = EDITORS.replace("users = 20", "users = 2")
    config = write_contracts(tmp_path, acme=documents_contract(ACME, packages))
    async with mounted(config, recorder, clock) as fair:
        for user in ("anna", "bert"):
            assert (await _correspond(fair, user)).status == 201
        await told(fair.service)
        known = await explain_request(config, "/correspondence", key=key_of(ACME), user="anna")
        third = await explain_request(config, "/correspondence", key=key_of(ACME), user="carl")
        by_name = ["--account", ACME, "--user", "carl", "--address", SCRIPT, "--method", "POST"]
        assert await explain(config, *by_name, "--path", "/correspondence") == third
        assert (await _correspond(fair, "anna")).status == 201
        reply = await _correspond(fair, "carl")
    assert (known["user"], known["outcome"]) == ("anna", {"served": True})
    asked = [{each["limit"]: each["asks"] for each in found["limits"]} for found in (known, third)]
    assert [each["active-users"] for each in asked] == [0, 1]
    assert (third["user"], third["outcome"]["status"]) == ("carl", reply.status)
    assert (third["outcome"]["rule"], reply.status) == ("active-users", 403)
    assert third["outcome"]["why"] == reply.json()["title"]


async def test_a_contract_that_the_policy_is_not_for_is_only_metered(
    tmp_path: Path, recorder: Recorder, clock: ManualClock
) -> None:
    """A01: an old contract moves the meters and meets no limit; the explanation says why."""
    old = tenant("salon", SALON).replace("since = 2019-03-01", "since = 2013-12-31")
    config = write_config(tmp_path, tenants={"salon": old})
    async with mounted(config, recorder, clock) as fair:
        for _ in range(70):
            assert (await call(fair, address=SCRIPT)).status == 201
    found = await explain_request(config)
    assert (found["in_force"], found["limits"]) == (False, [])
    assert found["outcome"] == {"served": True}
    assert [meter["meter"] for meter in found["meters"]] == ["appointments", "locations"]
    stands = await explain(config, "--account", "salon")
    assert {limit["amount"] for limit in stands["limits"]} == {None}
    assert {limit["source"] for limit in stands["limits"]} == {
        "the policy is not for this contract"
    }
    _, said = await run(config, "--account", "salon")
    assert "The policy does not hold for this contract: nothing is limited." in said


async def test_nothing_is_counted_by_explaining(
    config: Path, recorder: Recorder, clock: ManualClock
) -> None:
    """However often it is asked, the gateway counts and the ledger holds what they did before."""
    async with mounted(config, recorder, clock) as fair:
        await _booked(fair)
        await told(fair.service)
        before = rows(config), await usage(fair, SALON)
        for _ in range(60):
            await explain_request(config)
        await explain_request(config, key="no-such-key")
        await explain(config, "--account", "salon")
        assert (rows(config), await usage(fair, SALON)) == before
        assert (await call(fair, address=SCRIPT)).status == 201
    ledger = config.parent / "fairuse.db"
    kept = ledger.read_bytes()
    await explain(config, "--account", "salon")
    await explain_request(config)
    assert ledger.read_bytes() == kept
    assert rows(config)


async def test_without_a_ledger_nothing_was_used(config: Path) -> None:
    """Before the first start an account stands at nothing, which is said; no ledger is made."""
    _, said = await run(config, "--account", "salon")
    assert said.startswith(
        f"nothing is counted, for there is no ledger yet:\nsqlite:///{config.parent}"
    )
    found = await explain(config, "--account", "salon")
    assert {limit["used"] for limit in found["limits"]} == {0}
    assert not (config.parent / "fairuse.db").exists()


async def test_a_ledger_is_found_whatever_its_folder_is_called(
    tmp_path: Path, recorder: Recorder, clock: ManualClock
) -> None:
    """A path with signs that mean something in a URL is taken as it is."""
    folder = tmp_path / "50% of #1 & ü"
    folder.mkdir()
    config = write_config(folder)
    async with mounted(config, recorder, clock) as fair:
        await _booked(fair)
    found = await explain(config, "--account", "salon")
    assert found["limits"][0]["used"] == 5


async def test_a_ledger_of_another_version_is_left_alone(config: Path) -> None:
    """F-42: a ledger that this version doesn't know is not guessed at."""
    with closing(sqlite3.connect(config.parent / "fairuse.db")) as connection:
        connection.execute("CREATE TABLE alembic_version (version_num TEXT)")
        connection.execute("INSERT INTO alembic_version VALUES ('9999')")
        connection.commit()
    code, said = await run(config, "--account", "salon")
    assert code == 1
    assert "has schema 9999, and this version needs" in said


CALLS = {
    "unknown account": (
        ["--account", "salom"],
        1,
        'there is no account "salom"; did you mean "salon"?',
    ),
    "unknown account beside a key": (
        ["--account", "salom", "--key", SALON],
        1,
        'there is no account "salom"; did you mean "salon"?',
    ),
    "unknown account with a path": (
        ["--account", "dentst", "--path", "/"],
        1,
        'there is no account "dentst"; did you mean "dentist"?',
    ),
    "no address": (
        ["--account", "salon", "--address", "300.1.2.3"],
        2,
        '"300.1.2.3" is no address',
    ),
    "nobody": (["--path", "/"], 2, "give --account, or --key and --path"),
    "a key alone": (["--key", SALON], 2, "give --account, or --key and --path"),
}


@pytest.mark.parametrize(("options", "code", "message"), CALLS.values(), ids=CALLS)
async def test_a_wrong_call_is_said(
    config: Path, options: list[str], code: int, message: str
) -> None:
    """A name that nobody has is 1, with the one that was probably meant; a wrong call is 2."""
    found, said = await run(config, *options)
    assert found == code
    assert message in said


async def test_a_broken_configuration_is_said(config: Path) -> None:
    """A policy that can't be read is named, as `check` names it."""
    (config / "policies/booking.toml").write_text("nonsense = 1\n")
    code, said = await run(config, "--account", "salon")
    assert code == 1
    assert "policies/booking.toml: title: is missing" in said


def _accounts() -> Iterator[tuple[str, str]]:
    """Give the accounts of the shipped tenants, and a request that each could send."""
    paths = {
        "booking": APPOINTMENTS,
        "documents": "/documents",
        "credits": "/emails",
        "hosting": "/index.html",
        "telephony": "/calls",
    }
    for file in sorted((REPOSITORY / "config/tenants").glob("*.toml")):
        policy = file.read_text().split('"')[1]
        yield file.stem, paths[policy]


@pytest.mark.parametrize(("account", "path"), [*_accounts()])
async def test_people_can_read_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, account: str, path: str
) -> None:
    """Each limit is named with its amount's source, on lines of up to 100 letters."""
    monkeypatch.chdir(tmp_path)
    config = REPOSITORY / "config"
    found = await explain(config, "--account", account)
    _, said = await run(config, "--account", account)
    _, request = await run(config, "--account", account, "--method", "POST", "--path", path)
    lines = said.splitlines()
    for limit in found["limits"]:
        [number] = [at for at, line in enumerate(lines) if line.startswith(f"  {limit['limit']}: ")]
        assert f"over: {limit['over']}; within" in lines[number]
        assert lines[number + 1] == f"      {limit['source']}"
    assert f"account   {account}" in lines
    assert request.endswith("\nIt would be served.\n")
    assert max(len(line) for line in [*lines, *request.splitlines()]) <= 100


async def test_people_can_read_a_refusal(
    tmp_path: Path, recorder: Recorder, clock: ManualClock
) -> None:
    """The figures, what is asked, and the refusal with its rule and its reason, line by line."""
    config = write_config(tmp_path)
    async with mounted(config, recorder, clock) as fair:
        for _ in range(60):
            await call(fair, address="2001:db8:ab:cd::1")
    request = ["--key", SALON, "--method", "POST", "--path", APPOINTMENTS]
    _, said = await run(config, *request, "--address", "2001:db8:ab:cd::9")
    assert said.splitlines()[:5] == [
        "account   salon",
        "tenant    salon",
        "policy    booking",
        "location  centrum",
        "address   2001:db8:ab:cd::/64",
    ]
    burst = "appointments-burst (2001:db8:ab:cd::/64): 60 + 1 of 60 appointment, 1 minute"
    assert f"  {burst}; over: refuse; warning\n      policy booking\n" in said
    assert said.endswith(
        "\nIt would be refused with 429 by appointments-burst.\n"
        "Far more requests than usual in a short time.\n"
    )
    _, said = await run(config, *request[:-1], "/locations//appointments")
    assert said == (
        "\nIt would be refused with 400 by http.\nThis request can be read in more than one way:"
        " the path can be read in more than one way.\n"
    )


async def test_people_can_read_every_meter(tmp_path: Path) -> None:
    """What a meter costs by stands on a line of its own, so that the longest one fits."""
    config = write_contracts(tmp_path, acme=documents_contract(ACME, EDITORS))
    request = ["--key", key_of(ACME), "--method", "POST", "--path", "/collaborations/x/finish"]
    _, said = await run(config, *request)
    assert (
        "  unfinished-pages: open items, what the API accepts, lowers it\n"
        "      cost by response_header x-pages, event_field pages\n"
    ) in said
    assert max(map(len, said.splitlines())) <= 100
