"""The ledger's tables. Times are seconds since 1970 (UTC), scopes JSON lists of pairs."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)

metadata = MetaData()

slots = Table(
    "slots",
    metadata,
    Column("account", String, primary_key=True),
    Column("limit_name", String, primary_key=True),
    Column("window_text", String, primary_key=True),
    Column("scope", String, primary_key=True),
    Column("slot", BigInteger, primary_key=True),
    Column("ends_at", Double, nullable=False),
    Column("units", BigInteger, nullable=False),
    Column("measure", String, nullable=False, server_default="requests"),
    Column("level", BigInteger, nullable=False, server_default="0"),
    Index("slots_by_end", "ends_at"),
)

members = Table(
    "members",
    metadata,
    Column("account", String, primary_key=True),
    Column("limit_name", String, primary_key=True),
    Column("window_text", String, primary_key=True),
    Column("scope", String, primary_key=True),
    Column("slot", BigInteger, primary_key=True),
    Column("member", String, primary_key=True),
)

usage = Table(
    "usage",
    metadata,
    Column("account", String, primary_key=True),
    Column("location", String, primary_key=True),
    Column("meter", String, primary_key=True),
    Column("hour", BigInteger, primary_key=True),
    Column("units", BigInteger, nullable=False),
)

blocks = Table(
    "blocks",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("address", String, nullable=False),
    Column("account", String, nullable=False),
    Column("rule", String, nullable=False),
    Column("starts_at", Double, nullable=False),
    Column("ends_at", Double, nullable=False),
    Column("repetition", Integer, nullable=False),
    Index("blocks_by_end", "ends_at"),
)

cases = Table(
    "cases",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("tenant", String, nullable=False),
    Column("account", String, nullable=False),
    Column("rule", String, nullable=False),
    Column("scope", String, nullable=False),
    Column("starts_at", Double, nullable=False),
    Column("ends_at", Double, nullable=False),
    Column("opened_at", Double, nullable=False),
    Column("state", String, nullable=False),
    UniqueConstraint("account", "rule", "scope", "starts_at", name="one_case_per_window"),
)

notices = Table(
    "notices",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("case_id", Integer, ForeignKey("cases.id"), nullable=True),
    Column("tenant", String, nullable=False),
    Column("account", String, nullable=False),
    Column("rule", String, nullable=False),
    Column("written_at", Double, nullable=False),
    Column("reading", BigInteger, nullable=False),
    Column("amount", BigInteger, nullable=False),
    Column("source", String, nullable=False),
    Column("language", String, nullable=False),
    Column("contact", String, nullable=False),
    Column("subject", Text, nullable=False),
    Column("body", Text, nullable=False),
    Index("notices_by_account", "account", "written_at"),
)

events = Table(
    "events",
    metadata,
    Column("sender", String, primary_key=True),
    Column("source", String, primary_key=True),
    Column("id", String, primary_key=True),
    Column("told_at", Double, nullable=False),
    Column("happened_at", Double, nullable=False),
    Column("adjusted", Boolean, nullable=False),
    Index("events_by_time", "told_at"),
)

items = Table(
    "items",
    metadata,
    Column("account", String, primary_key=True),
    Column("meter", String, primary_key=True),
    Column("item", String, primary_key=True),
    Column("units", BigInteger, nullable=False),
    Column("opened_at", Double, nullable=False),
    Column("warned", Boolean, nullable=False),
    Column("aged", Boolean, nullable=False, server_default="0"),
    Column("closed_at", Double, nullable=True),
    Index("items_by_age", "opened_at"),
)

breaches = Table(
    "breaches",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("tenant", String, nullable=False),
    Column("account", String, nullable=False),
    Column("rule", String, nullable=False),
    Column("scope", String, nullable=False),
    Column("starts_at", Double, nullable=False),
    Column("ends_at", Double, nullable=False),
    Column("last_at", Double, nullable=False),
    Column("reading", BigInteger, nullable=False),
    Column("amount", BigInteger, nullable=False),
    Column("judged", Boolean, nullable=False, server_default="0"),
    UniqueConstraint("account", "rule", "scope", "starts_at", name="one_breach_per_window"),
    Index("breaches_by_end", "judged", "ends_at"),
)

snapshots = Table(
    "snapshots",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("policy", String, nullable=False),
    Column("packages", String, nullable=False),
    Column("meter", String, nullable=False),
    Column("taken_at", Double, nullable=False),
    Column("method", String, nullable=False),
    Column("n", Integer, nullable=False),
    Column("average", String, nullable=False),
    Index("snapshots_by_cohort", "policy", "packages", "meter", "taken_at"),
)

snapshot_members = Table(
    "snapshot_members",
    metadata,
    Column("snapshot_id", Integer, ForeignKey("snapshots.id"), primary_key=True),
    Column("account", String, primary_key=True),
    Column("monthly", String, nullable=False),
    Column("shares", Integer, nullable=False),
)
