"""Who reports usage from outside, and how: CloudEvents 1.0 over HTTP."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from itertools import count
from typing import TYPE_CHECKING, Any

from tests.support import NOON, call, tenant, write_config

from fairuse.base.keys import fingerprint

if TYPE_CHECKING:
    from pathlib import Path

    import httpx
    from tests.support import Front, Reply

    from fairuse import FairUse

CRM, PBX = "key-of-crm", "key-of-pbx"
SINGLE = "application/cloudevents+json"
BATCH = "application/cloudevents-batch+json"
DAY = 86_400

POLICY = """
title = "Fair use policy: calls"
[counts]
users = "users"
[packages.standard]
title = "Subscription"
[meters.minutes]
unit     = "minute"
decimals = 1
count    = ["event call.ended"]
cost     = { event_field = "usage.minutes" }
[meters.calls]
unit  = "call"
count = ["event call.ended", "POST /calls"]
[meters.short-calls]
unit  = "short call"
count = ["event call.ended"]
shorter_than = "10 seconds"
[meters.stored]
unit    = "megabyte"
measure = "gauge"
count   = ["event storage.measured"]
cost    = { event_field = "megabytes" }
[meters.places]
unit    = "location"
measure = "locations"
count   = ["event call.ended"]
[limits.minutes-per-month]
meter  = "minutes"
scope  = "location"
amount = "10"
window = "calendar month"
over   = "case"
[limits.calls-per-month]
meter  = "calls"
amount = "4"
window = "calendar month"
over   = "refuse"
[limits.short-calls-at-once]
meter  = "short-calls"
amount = "2"
window = "10 minutes"
over   = "case"
[limits.storage]
meter  = "stored"
amount = "100"
window = "calendar month"
over   = "case"
[limits.places-in-use]
meter  = "places"
amount = "2"
window = "calendar month"
over   = "case"
"""
_numbers = count(1)


def config_of_senders(folder: Path, *, late: str = "") -> Path:
    """Write a configuration with two senders, and two accounts that they report on."""
    tenants = {
        name: tenant(name, f"key-of-{name}").replace("locations = 10", "users = 1")
        for name in ("salon", "dentist")
    }
    config = write_config(folder, policy=POLICY, tenants=tenants)
    keys = "\n".join(
        f'"{fingerprint(key.encode())}" = "{name}"' for key, name in ((CRM, "crm"), (PBX, "pbx"))
    )
    lateness = f'late = "{late}"\n' if late else ""
    settings = config / "gateway.toml"
    settings.write_text(f"{settings.read_text()}[events]\n{lateness}[events.keys]\n{keys}\n")
    return config


def event(moment: float = NOON, **attributes: Any) -> dict[str, Any]:
    """Write an event: a call of a minute and a half, that ended at a moment."""
    return {
        "specversion": "1.0",
        "id": f"call-{next(_numbers)}",
        "source": "/pbx/amsterdam",
        "type": "call.ended",
        "subject": "salon",
        "time": datetime.fromtimestamp(moment, UTC).isoformat(),
        "data": {"usage": {"minutes": 1.5}, "seconds": 90, "location": "centrum"},
        **attributes,
    }


def stored(megabytes: float, moment: float = NOON) -> dict[str, Any]:
    """Write an event that says how much is stored."""
    return event(moment, type="storage.measured", data={"megabytes": megabytes})


def post(
    gateway: Front, body: object, *, kind: str = BATCH, key: str | None = CRM
) -> httpx.Response:
    """Report events over a real socket."""
    headers = {"Content-Type": kind} | ({"X-API-Key": key} if key is not None else {})
    return gateway.client.post("/fairuse/events", content=json.dumps(body), headers=headers)


async def tell(fair: FairUse, *events: object, key: str = CRM) -> Reply:
    """Report a batch of events without a socket."""
    body = json.dumps(events).encode()
    return await call(
        fair,
        path="/fairuse/events",
        key=key,
        headers=[(b"content-type", BATCH.encode())],
        body=[{"type": "http.request", "body": body, "more_body": False}],
    )


def told(counted: int = 0, known: int = 0, adjusted: int = 0) -> dict[str, Any]:
    """Give what is answered where nothing is refused."""
    return {"counted": counted, "known": known, "adjusted": adjusted, "refused": []}
