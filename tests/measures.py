"""What the tests of measures and grants share: a policy, and ways to put them in force.

A policy that charges nothing and blocks nobody, so that what happens is what a measure does.
"""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any

from tests.support import call, tenant

from fairuse.rules.ladder import Case
from fairuse.rules.measures import Measure
from fairuse.rules.record import Entry, Value
from fairuse.stores.casebook import add_measure, change_measure, move, open_case
from fairuse.stores.record import append
from fairuse.stores.rows import NoticeRow

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support import Reply

    from fairuse import FairUse, Gateway
    from fairuse.rules.tally import ScopeKey
    from fairuse.stores.ledger import Ledger

DAY = 86_400
MAIL = "mailto:anna@salon.example"
CONTACT = "mailto:support@provider.example"
REASON = "the use stays too high"
POLICY = """\
title = "Fair use"

[meters.appointments]
unit  = "appointment"
count = ["POST /locations/{location}/appointments"]

[meters.sms]
unit  = "SMS"
units = "SMS"
count = ["POST /sms"]

[meters.users]
unit    = "user"
measure = "users"
count   = ["POST /chat"]

[meters.visitors]
unit    = "visitor"
measure = "users"
count   = ["POST /visit"]

[limits.appointments-per-month]
meter  = "appointments"
scope  = "location"
amount = "100"
window = "calendar month"
over   = "case"

[limits.appointments-burst]
meter  = "appointments"
scope  = "account, address"
amount = "60"
window = "1 minute"
over   = "refuse"

[limits.sms]
meter  = "sms"
amount = "5"
window = "calendar month"
over   = "refuse"

[limits.users]
meter  = "users"
amount = "10"
window = "always"
over   = "case"

[limits.visitors]
meter  = "visitors"
amount = "10"
window = "calendar month"
over   = "case"
"""


def configured(folder: Path, database: str = "", store: str = "memory") -> Path:
    """Write a configuration with this policy and two accounts; a ledger may be shared."""
    config = folder / "config"
    (config / "tenants").mkdir(parents=True)
    (config / "policies").mkdir()
    (config / "policies/booking.toml").write_text(POLICY)
    for account in ("salon", "dentist"):
        text = tenant(account, f"key-of-{account}").partition("[packages")
        keys = text[2][text[2].index("[keys]") :]
        keys = keys.partition("[[")[0]
        (config / f"tenants/{account}.toml").write_text(text[0] + keys)
    (config / "gateway.toml").write_text(
        textwrap.dedent(f"""\
        contact = "{CONTACT}"
        [upstream]
        url = "http://127.0.0.1:9"
        [identity]
        user_header = "x-user"
        location    = "/locations/{{location}}"
        [counters]
        store = "{store}"
        [ledger]
        url = "{database or f"sqlite:///{folder}/fairuse.db"}"
        """)
    )
    return config


async def told(ledger: Ledger, account: str, rule: str, scope: ScopeKey, moment: float) -> Case:
    """Open a case of an account and have its notice delivered."""
    starts_at = moment - DAY - len(await ledger.cases(account))  # each is of a window of its own
    case = Case(0, account, account, rule, scope, starts_at, moment + DAY, moment, "open", 61, 60)
    notice = NoticeRow(account, account, rule, moment, 61, 60, "policy", "nl", (MAIL,), "s", "b")
    assert await open_case(ledger, case, lambda _: notice, [MAIL])
    case = (await ledger.cases(account))[-1]
    data: dict[str, Value] = {"notice": case.id, "channel": MAIL, "rule": rule, "reading": 61}
    entry = Entry(moment, "notice.delivered", account, case.id, "fairuse", data)
    async with ledger.transaction() as connection:
        await append(connection, [entry])
        moved = await move(connection, case, "delivered", moment, notified_at=moment)
    assert moved is not None
    return moved


async def measured(
    ledger: Ledger,
    kind: str,
    moment: float,
    *,
    account: str = "salon",
    rule: str = "appointments-per-month",
    scope: ScopeKey = (),
    **changes: Any,
) -> tuple[Case, Measure]:
    """Tell an account of its case, and put a measure in force for a day from a moment on."""
    case = await told(ledger, account, rule, scope, moment)
    kept = changes | {"kind": kind, "ends_at": changes.get("ends_at", moment + DAY)}
    wanted = Measure(
        0, case.id, account, "suspend", scope, (), "", "", REASON, "proposed"
    )._replace(**kept)
    async with ledger.transaction() as connection:
        proposed = await add_measure(connection, case, wanted, moment, "fairuse")
        begun = proposed._replace(state="in force", starts_at=moment, by="olga")
        await change_measure(connection, case, begun, "measure.begun", moment, "olga")
    return case, begun


async def ended(ledger: Ledger, of: tuple[Case, Measure], moment: float) -> None:
    """End a measure before its time."""
    case, measure = of
    over = measure._replace(state="ended", ends_at=moment)
    async with ledger.transaction() as connection:
        await change_measure(connection, case, over, "measure.ended", moment, "olga")


async def take_up(fair: FairUse | Gateway) -> None:
    """Have a node look at once at what it looks at twice a second."""
    service = fair.service
    assert service.pipeline is not None
    assert service.ledger is not None
    moment = service.clock.now().wall
    await service.pipeline.forces.look(service.ledger, service.configuration, moment)


async def status(
    fair: FairUse, path: str, account: str = "salon", method: str = "POST", **more: Any
) -> int:
    """Send a request, and give its status."""
    return (await ask(fair, path, account, method, **more)).status


async def ask(
    fair: FairUse, path: str, account: str = "salon", method: str = "POST", **more: Any
) -> Reply:
    """Send a request of an account."""
    return await call(fair, method, path, key=f"key-of-{account}", **more)
