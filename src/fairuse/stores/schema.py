"""The ledger's tables. Times are seconds since 1970 (UTC), scopes JSON lists of pairs."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
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
    Index("slots_by_end", "ends_at"),
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
