"""What the tests of documents and credits share: contracts, an API that answers as told, events."""

from __future__ import annotations

import asyncio
import json
import shutil
import textwrap
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from tests.support import REPOSITORY, call, mounted, told

from fairuse.base.keys import fingerprint

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from starlette.types import Receive, Scope, Send
    from tests.support import Reply

    from fairuse import FairUse
    from fairuse.base.clock import ManualClock
    from fairuse.stores.ledger import Ledger
    from fairuse.stores.rows import NoticeRow

ACME = "acme"
SENDER = "key-of-the-telephone-exchange"
BERLIN = ZoneInfo("Europe/Berlin")
MINUTE, HOUR, DAY = 60, 3_600, 86_400
TARIFFS = {
    "documents": {
        "on-demand-page": "0.04",
        "correspond-page": "0.04",
        "collaborative-page": "0.12",
        "parallel-generation": "25.00",
        "parallel-request": "15.00",
        "storage": "0.00000001",
    },
    "credits": {"email": "0.002", "sms": "0.08", "phone": "0.15", "push": "0.001"},
}


def contract(
    account: str, packages: str, extra: str = "", *, policy: str = "documents", own: bool = False
) -> str:
    """Write a tenant's file; `packages` and `extra` are tables of it."""
    head = textwrap.dedent(f"""\
        policy   = "{policy}"
        timezone = "Europe/Berlin"
        contact  = ["mailto:office@{account}.example"]
        [contract]
        since      = 2019-03-01
        own_policy = {str(own).lower()}
        [keys]
        "{fingerprint(key_of(account).encode())}" = "{account}"
        """)
    tariffs = [
        f'[[tariffs.{name}]]\nprice = "EUR {price}"\n' for name, price in TARIFFS[policy].items()
    ]
    return "\n".join([head, packages, *tariffs, extra])


def key_of(account: str) -> str:
    """Give an account's API key."""
    return f"key-of-{account}"


def write_contracts(folder: Path, upstream: str = "http://127.0.0.1:9", **tenants: str) -> Path:
    """Write a configuration: the policies as they are shipped, and tenants by account."""
    config = folder / "config"
    (config / "tenants").mkdir(parents=True)
    (config / "policies").mkdir()
    (config / "gateway.toml").write_text(
        textwrap.dedent(f"""\
        contact = "mailto:support@documents.example"
        [upstream]
        url = "{upstream}"
        [identity]
        user_header = "x-user"
        [events]
        keys = {{ "{fingerprint(SENDER.encode())}" = "telephone-exchange" }}
        [ledger]
        url = "sqlite:///{folder}/fairuse.db"
        """)
    )
    for policy in TARIFFS:
        shutil.copy(REPOSITORY / f"config/policies/{policy}.toml", config / "policies")
    for account, text in tenants.items():
        (config / f"tenants/{account}.toml").write_text(text)
    return config


@dataclass(slots=True)
class Api:
    """An API that answers with the headers it is asked for; `meeting` makes requests wait."""

    status: int = 201
    body: bytes = b"{}"
    meeting: asyncio.Barrier | None = None
    served: int = 0
    heard: bytes = b""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        message = await receive()
        self.heard = message["body"]
        assert not message["more_body"]
        self.served += 1
        if self.meeting is not None:
            await self.meeting.wait()
        wanted = [
            (name.removeprefix(b"answer-"), value)
            for name, value in scope["headers"]
            if name.startswith(b"answer-")
        ]
        await send({"type": "http.response.start", "status": self.status, "headers": wanted})
        await send({"type": "http.response.body", "body": self.body})


@dataclass(slots=True)
class Office:
    """A gateway in front of that API, and what its customers and its operator do."""

    fair: FairUse
    clock: ManualClock
    config: Path
    api: Api = field(default_factory=Api)

    async def send(
        self,
        method: str = "POST",
        path: str = "/documents",
        *,
        account: str = ACME,
        user: str = "",
        body: object = None,
        **answer: int,
    ) -> Reply:
        """Send a request; `answer` are headers of the API's answer, like x_pages=7."""
        headers = [
            (f"answer-{name}".replace("_", "-").encode(), str(value).encode())
            for name, value in answer.items()
        ]
        if user:
            headers.append((b"x-user", user.encode()))
        content = b"" if body is None else json.dumps(body).encode()
        message = {"type": "http.request", "body": content, "more_body": False}
        return await call(
            self.fair, method, path, key=key_of(account), headers=headers, body=[message]
        )

    async def make(self, pages: int, path: str = "/documents", **options: Any) -> int:
        """Make a document of so many pages, and give the status."""
        return (await self.send("POST", path, x_pages=pages, **options)).status

    async def together(self, count: int, **options: Any) -> set[int]:
        """Send requests that wait for each other inside the API, and give the statuses."""
        self.api.meeting = asyncio.Barrier(count)
        async with asyncio.timeout(20):
            replies = await asyncio.gather(*(self.send(**options) for _ in range(count)))
        self.api.meeting = None
        return {reply.status for reply in replies}

    async def limits(self, account: str = ACME) -> dict[str, Any]:
        """Give what the usage page says of each limit."""
        body = (await self.send("GET", "/fairuse/usage", account=account)).json()
        return {entry["limit"]: entry for entry in body["limits"]}

    async def tell(self, *events: dict[str, Any]) -> Any:
        """Report usage from outside, and give what became of it."""
        reply = await call(
            self.fair,
            "POST",
            "/fairuse/events",
            key=SENDER,
            headers=[(b"content-type", b"application/cloudevents-batch+json")],
            body=[
                {"type": "http.request", "body": json.dumps(events).encode(), "more_body": False}
            ],
        )
        return reply.json()

    async def upkeep(self, local: str | None = None) -> None:
        """Do what is due, at a moment of the customer's own time."""
        if local is not None:
            self.go_to(local)
        assert self.fair.service.upkeep is not None
        await self.fair.service.upkeep.run()

    def go_to(self, local: str) -> None:
        """Let time pass until a moment of the customer's own time."""
        self.clock.advance(moment(local) - self.clock.wall)

    async def told(self) -> Ledger:
        """Wait until everybody has been told what happened, and give the ledger."""
        return await told(self.fair.service)

    async def cases(self, account: str = ACME) -> list[str]:
        """Give the rules of an account's cases, oldest first."""
        return [case.rule for case in await (await self.told()).cases(account)]

    async def notices(self, account: str = ACME) -> list[NoticeRow]:
        """Give the notices of an account but for early warnings, the latest first."""
        found = await (await self.told()).notices(account)
        return [notice for notice in found if notice.kind != "warning"]

    async def metered(self, meter: str, account: str = ACME) -> int:
        """Give what the ledger has of a meter, over all times."""
        usage = await (await self.told()).usage(account)
        return sum(units for key, units in usage.items() if key.meter == meter)


def moment(local: str) -> float:
    """Give a moment of the customer's own time, in seconds since 1970."""
    return datetime.fromisoformat(local).replace(tzinfo=BERLIN).timestamp()


def event(kind: str, number: object, local: str, account: str = ACME, **data: object) -> Any:
    """Write a usage event of a moment of the customer's own time."""
    return {
        "specversion": "1.0",
        "id": str(number),
        "source": "/exchange",
        "type": kind,
        "subject": account,
        "time": datetime.fromisoformat(local).replace(tzinfo=BERLIN).isoformat(),
        "data": data,
    }


@asynccontextmanager
async def office(config: Path, clock: ManualClock) -> AsyncIterator[Office]:
    """Run the gateway around the API."""
    api = Api()
    async with mounted(config, api, clock) as fair:
        yield Office(fair, clock, config, api)
