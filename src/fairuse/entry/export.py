"""`fairuse export`: a month's statement, as files for whoever sends the bill."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from fairuse.base.clock import SystemClock
from fairuse.rules.statement import (
    charges_csv,
    events_json,
    in_order,
    is_over,
    lines_csv,
    parse_month,
    statement_json,
)
from fairuse.stores.charges import charges_of_month
from fairuse.stores.configuration import Configuration
from fairuse.stores.ledger import Ledger

if TYPE_CHECKING:
    from datetime import date
    from pathlib import Path

    from fairuse.base.clock import Clock
    from fairuse.rules.charges import Charge


async def export(
    config_folder: Path,
    month: str,
    out_folder: Path,
    *,
    account: str | None = None,
    rule: str | None = None,
    clock: Clock | None = None,
) -> list[Path]:
    """Write the charges of a month, such as "2026-10", of everybody or of one account or rule.

    They are those that become final in it. Each charge is in one month's statement, and that of a
    month that is over is always the same.

    Gives the files: `MONTH-charges.csv`, `MONTH-lines.csv`, `MONTH.json`, `MONTH.cloudevents.json`.
    A month without charges has a statement without any.

    Raises ValueError for what is no month, ConfigurationError, LedgerError and OSError.
    """
    first, moment = parse_month(month), (clock or SystemClock()).now().wall
    settings = Configuration(config_folder).load().settings
    charges = in_order(
        charge
        for charge in await _charges(settings.ledger.url, first, moment)
        if account in (None, charge.account) and rule in (None, charge.rule)
    )
    files = {
        f"{month}-charges.csv": charges_csv(charges),
        f"{month}-lines.csv": lines_csv(charges),
        f"{month}.json": statement_json(first, charges, complete=is_over(first, moment)),
        f"{month}.cloudevents.json": events_json(charges),
    }
    return await asyncio.to_thread(_write, out_folder, files)


async def _charges(url: str, first: date, moment: float) -> list[Charge]:
    ledger = await Ledger.look_into(url)
    if ledger is None:
        return []
    try:
        return await charges_of_month(ledger, first, moment)
    finally:
        await ledger.close()


def _write(folder: Path, files: dict[str, bytes]) -> list[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return [folder / name for name in files]
