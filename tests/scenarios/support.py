"""What the scenarios share: the shipped policies, contracts, and a past to start from."""

from __future__ import annotations

import json
import shutil
import textwrap
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from tests.support import REPOSITORY, Reply, call, mounted, told

from fairuse.base.keys import fingerprint
from fairuse.stores.ledger import Ledger
from fairuse.stores.rows import Batch, UsageKey

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
    from pathlib import Path

    import pytest
    from starlette.types import ASGIApp

    from fairuse import FairUse
    from fairuse.base.clock import ManualClock
    from fairuse.rules.ladder import Case
    from fairuse.stores.rows import NoticeRow

SENDER = "key-of-sender"
CONTACT = "mailto:support@provider.example"
AMSTERDAM = ZoneInfo("Europe/Amsterdam")


def key_of(account: str) -> str:
    """Give the API key of an account that has one."""
    return f"key-of-{account}"


def contract(
    account: str,
    policy: str,
    packages: str,
    *,
    dates: str = "since = 2019-03-01",
    zone: str = "Europe/Amsterdam",
    extra: str = "",
) -> str:
    """Write a tenant's file: who it is, what it bought (`[packages...]` as text), and its key."""
    head = f"""\
        policy   = "{policy}"
        timezone = "{zone}"
        contact  = ["mailto:{account}@customer.example"]
        [contract]
        {dates}
        """
    key = f'[keys]\n"{fingerprint(key_of(account).encode())}" = "{account}"\n'
    return f"{textwrap.dedent(head)}{packages}\n{key}{extra}"


def shipped(
    folder: Path, tenants: Mapping[str, str], *, upstream: str = "http://127.0.0.1:9"
) -> Path:
    """Write a configuration with all policies as they are shipped, and these tenants."""
    config = folder / "config"
    (config / "tenants").mkdir(parents=True)
    shutil.copytree(REPOSITORY / "config/policies", config / "policies")
    (config / "gateway.toml").write_text(
        textwrap.dedent(f"""\
        contact = "{CONTACT}"
        [upstream]
        url = "{upstream}"
        [identity]
        user_header = "x-user"
        location    = "/locations/{{location}}"
        [events]
        keys = {{ "{fingerprint(SENDER.encode())}" = "exchange" }}
        [ledger]
        url = "sqlite:///{folder}/fairuse.db"
        """)
    )
    for name, text in tenants.items():
        (config / f"tenants/{name}.toml").write_text(text)
    return config


@asynccontextmanager
async def running(config: Path, app: ASGIApp, clock: ManualClock) -> AsyncIterator[FairUse]:
    """Run the middleware around an app, with everything done that is due at the start."""
    async with mounted(config, app, clock) as fair:
        await upkeep(fair)
        yield fair


def moment(text: str) -> float:
    """Read a moment, in seconds since 1970: 2026-11-02T12:00Z, or 2026-11-02T13:00 in Amsterdam."""
    read = datetime.fromisoformat(text)
    return (read if read.tzinfo else read.replace(tzinfo=AMSTERDAM)).timestamp()


def iso(text: str) -> str:
    """Write such a moment as an event does."""
    return datetime.fromtimestamp(moment(text), UTC).isoformat()


def go_to(clock: ManualClock, text: str) -> None:
    """Let time pass until a moment."""
    clock.advance(moment(text) - clock.wall)


async def used_before(config: Path, meter: str, used: Mapping[str, Mapping[str, int]]) -> None:
    """Write usage of the past into the ledger: by account and moment, as the meter counts it."""
    rows = [
        (UsageKey(account, "", meter, int(moment(when))), units)
        for account, moments in used.items()
        for when, units in moments.items()
    ]
    ledger = await Ledger.open(f"sqlite:///{config.parent}/fairuse.db")
    try:
        await ledger.write(Batch(usage=rows))
    finally:
        await ledger.close()


def months(first: str, count: int, day: str = "15T12:00") -> Iterator[str]:
    """Give a moment in each of so many months, the first one written like 2026-01."""
    year, month = map(int, first.split("-"))
    for number in range(month - 1, month - 1 + count):
        yield f"{year + number // 12}-{number % 12 + 1:02}-{day}"


async def tell(fair: FairUse, events: Iterable[Mapping[str, Any]]) -> Reply:
    """Report usage events, one batch, as the exchange does."""
    body = json.dumps([*events]).encode()
    return await call(
        fair,
        "POST",
        "/fairuse/events",
        key=SENDER,
        headers=[(b"content-type", b"application/cloudevents-batch+json")],
        body=[{"type": "http.request", "body": body, "more_body": False}],
    )


async def shown(fair: FairUse, account: str, limit: str) -> list[dict[str, Any]]:
    """Give what the usage page shows an account of a limit, an entry a scope."""
    page = (await call(fair, "GET", "/fairuse/usage", key=key_of(account))).json()
    return [entry for entry in page["limits"] if entry["limit"] == limit]


async def opened(fair: FairUse, account: str) -> list[Case]:
    """Give the cases of an account, once everybody has been told."""
    return await (await told(fair.service)).cases(account)


async def written(fair: FairUse, account: str) -> list[NoticeRow]:
    """Give the notices of an account but for early warnings, the oldest first."""
    found = await (await told(fair.service)).notices(account)
    return [notice for notice in reversed(found) if notice.kind != "warning"]


async def pass_time(fair: FairUse, clock: ManualClock, until: str) -> None:
    """Let time pass, and have done what falls due then."""
    go_to(clock, until)
    await upkeep(fair)


async def upkeep(fair: FairUse) -> None:
    """Have everything done that is due, and everybody told."""
    await told(fair.service)
    assert fair.service.upkeep is not None
    await fair.service.upkeep.run()
    await told(fair.service)


def signals(caplog: pytest.LogCaptureFixture, account: str) -> list[str]:
    """Give the rules that raised a signal about an account, in their order."""
    said = [record.msg for record in caplog.records if isinstance(record.msg, dict)]
    return [
        line["rule"]
        for line in said
        if line["event"] == "signal.raised" and line["account"] == account
    ]
