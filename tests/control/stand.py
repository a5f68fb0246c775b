"""A gateway with all that somebody outside may ask it besides the API, and who has which key."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from tests.entry.portal.support import POLICY, PORTAL, SECRET, asked
from tests.support import NOON

from fairuse.base.clock import ManualClock
from fairuse.base.keys import fingerprint
from fairuse.rules.choices import Portal

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.entry.portal.support import Asked

SENDER = "key-of-a-sender"
EVENT = {
    "specversion": "1.0",
    "id": "1",
    "source": "/pbx",
    "type": "call.ended",
    "subject": "salon",
    "time": "2026-11-02T12:00:00Z",
    "data": {"location": "centrum"},
}
TOLD = POLICY.replace('appointments"]', 'appointments", "event call.ended"]')
SETTINGS = f"""\
{PORTAL}[unknown_callers]
rate = "100000/minute"
[events.keys]
"{fingerprint(SENDER.encode())}" = "crm"
"""


@contextmanager
def standing(folder: Path) -> Iterator[Asked]:
    """Run the gateway, with a case in which a link chooses something."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("FAIRUSE_SECRET", SECRET)
        with asked(folder, ManualClock(NOON), portal=SETTINGS, policy=TOLD) as running:
            yield running


def forged(running: Asked) -> str:
    """Give a link that somebody else's key signed."""
    link = Portal("https://usage.example/api", "x" * 40).link(running.case, "reduce")
    return link.removeprefix("https://usage.example/api")
