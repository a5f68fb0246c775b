"""A telephony service: an office of three users, and others on the same package."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, Any

from tests.scenarios.support import contract, iso, months, tell, used_before

from fairuse.rules.cohorts import CohortKey

if TYPE_CHECKING:
    from pathlib import Path

    from fairuse import FairUse

OFFICE = "office"
OTHERS = {f"other-{number}": 2 for number in range(1, 12)}
"""Eleven other accounts, and how many users they have."""
COHORT = CohortKey("telephony", "unlimited", "minutes")

LONGEST = 200
"""Minutes of one call; longer ones would be a signal."""
SECONDS = 60
_numbers = count()


def unlimited(users: int) -> str:
    """Write the package of an account."""
    return f"[packages.unlimited]\nusers = {users}"


def exchange_tenants(office: str | None = None) -> dict[str, str]:
    """Give the office's contract, or another one for it, and those of the others."""
    accounts = {OFFICE: 3, **OTHERS}
    tenants = {name: contract(name, "telephony", unlimited(n)) for name, n in accounts.items()}
    return tenants | {OFFICE: office or tenants[OFFICE]}


async def a_usual_year(config: Path, first: str, office: int = 600, others: int = 440) -> None:
    """Write twelve months into the ledger, with so many minutes of each account in each.

    Eleven others are ten that telephone and one that never does. As it stands that makes 5,000
    minutes a month of 25 users: 200 on average, and 2,400 for the three of the office.
    """
    each = {OFFICE: office, **dict.fromkeys(OTHERS, others), "other-11": 0}
    hundredths = {
        name: dict.fromkeys(months(first, 12), minutes * 100) for name, minutes in each.items()
    }
    await used_before(config, "minutes", hundredths)


async def talk(
    fair: FairUse, minutes: float, when: str, account: str = OFFICE, user: str = "anna"
) -> None:
    """Have it told that somebody telephoned for so many minutes, in calls of a usual length."""
    calls = []
    while minutes > 0:
        calls.append(ended(min(minutes, LONGEST), when, account, user))
        minutes -= LONGEST
    reply = await tell(fair, calls)
    assert (reply.status, reply.json()["counted"]) == (200, len(calls))


def ended(
    minutes: float, when: str, account: str = OFFICE, user: str = "anna", **data: Any
) -> dict[str, Any]:
    """Give the event of a call that ended."""
    return {
        "specversion": "1.0",
        "id": f"call-{next(_numbers)}",
        "source": "/exchange",
        "type": "call.ended",
        "subject": account,
        "time": iso(when),
        "data": {"minutes": minutes, "seconds": minutes * SECONDS, "user": user, **data},
    }
