"""Brings a ledger up to this version's schema, in one transaction (F-42)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from fairuse.base.errors import LedgerError

if TYPE_CHECKING:
    from sqlalchemy import Connection


def migrate(connection: Connection, name: str) -> None:
    """Upgrade the schema. Raises LedgerError where the ledger is from a newer version."""
    config, script, found = _schema(connection)
    known = [revision.revision for revision in script.walk_revisions()]
    if found is not None and found not in known:
        raise LedgerError(
            f"{name} has schema {found}, and this version knows up to {script.get_current_head()};"
            " a newer version of fairuse wrote it"
        )
    if found != script.get_current_head():
        if connection.dialect.name == "sqlite":
            # Its driver begins one before it changes rows, and none before it changes tables.
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        command.upgrade(config, "head")


def check_schema(connection: Connection, name: str) -> None:
    """Look whether a ledger has this version's schema. Raises LedgerError where it has not."""
    _, script, found = _schema(connection)
    if found != script.get_current_head():
        has = f"schema {found}" if found else "no schema"
        raise LedgerError(
            f"{name} has {has}, and this version needs {script.get_current_head()};"
            " start the gateway once to bring it up to date"
        )


def schema_of(connection: Connection) -> str | None:
    """Give the version of a ledger's schema; None where there is no ledger yet."""
    return MigrationContext.configure(connection).get_current_revision()


def _schema(connection: Connection) -> tuple[Config, ScriptDirectory, str | None]:
    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", "fairuse.stores:migrations")
    config.set_main_option("path_separator", "os")
    script = ScriptDirectory.from_config(config)
    return config, script, schema_of(connection)
