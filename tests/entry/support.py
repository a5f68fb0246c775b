"""What the tests of the ways in share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from typer.testing import CliRunner

from fairuse.base.errors import LedgerError
from fairuse.entry.cli import app

if TYPE_CHECKING:
    from pathlib import Path

TENANT = "tenants/salon.toml"
POLICY = "policies/booking.toml"
GATEWAY = "gateway.toml"


def check(config: Path, *options: str) -> tuple[int, str]:
    """Run the command and give its exit code and everything it said."""
    result = CliRunner().invoke(app, ["check", "--config", str(config), *options])
    return result.exit_code, result.output


async def disk_full(*_: Any, **__: Any) -> None:
    """Fail, as a ledger does that can't be written or read."""
    raise LedgerError("disk full")
