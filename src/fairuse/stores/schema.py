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
    text,
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

evidence = Table(
    "evidence",
    metadata,
    Column("account", String, primary_key=True),
    Column("location", String, primary_key=True),
    Column("meter", String, primary_key=True),
    Column("day", BigInteger, primary_key=True),
    Column("kind", String, primary_key=True),
    Column("value", String, primary_key=True),
    Column("units", BigInteger, nullable=False),
    Index("evidence_by_day", "day"),
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
    Column("reading", BigInteger, nullable=False, server_default="0"),
    Column("amount", BigInteger, nullable=False, server_default="0"),
    Column("policy", String, nullable=False, server_default=""),
    Column("latest", BigInteger, nullable=False, server_default="0"),
    Column("notified_at", Double, nullable=True),
    Column("notified_reading", BigInteger, nullable=True),
    Column("answer_by", Double, nullable=True),
    Column("answered_at", Double, nullable=True),
    Column("closed_at", Double, nullable=True),
    Column("outcome", String, nullable=False, server_default=""),
    Column("version", Integer, nullable=False, server_default="0"),
    UniqueConstraint("account", "rule", "scope", "starts_at", name="one_case_per_window"),
    Index("cases_by_state", "state"),
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
    Column("kind", String, nullable=False, server_default=""),
    Column("once", String, nullable=True),
    Column("delivered_at", Double, nullable=True),
    Column("evidence", Text, nullable=False, server_default=""),
    Index("notices_by_account", "account", "written_at"),
    Index("notices_once", "once", unique=True),
    Index(
        "notices_with_evidence",
        "written_at",
        postgresql_where=text("evidence <> ''"),
        sqlite_where=text("evidence <> ''"),
    ),
)

deliveries = Table(
    "deliveries",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("notice_id", Integer, ForeignKey("notices.id"), nullable=False),
    Column("channel", String, nullable=False),
    Column("state", String, nullable=False),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("due_at", Double, nullable=False),
    Column("must_by", Double, nullable=True),
    Column("delivered_at", Double, nullable=True),
    Column("delivered_by", String, nullable=False, server_default=""),
    Column("error", String, nullable=False, server_default=""),
    UniqueConstraint("notice_id", "channel", name="one_delivery_per_channel"),
    Index("deliveries_by_time", "state", "due_at"),
    Index("deliveries_by_deadline", "must_by"),
)

measures = Table(
    "measures",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("case_id", Integer, ForeignKey("cases.id"), nullable=False),
    Column("account", String, nullable=False),
    Column("kind", String, nullable=False),
    Column("scope", String, nullable=False),
    Column("routes", Text, nullable=False),
    Column("limit_name", String, nullable=False),
    Column("amount", String, nullable=False),
    Column("reason", Text, nullable=False),
    Column("state", String, nullable=False),
    Column("starts_at", Double, nullable=True),
    Column("ends_at", Double, nullable=True),
    Column("review_at", Double, nullable=True),
    Column("until_under", Boolean, nullable=False),
    Column("lasts", Integer, nullable=True),
    Column("review_after", Integer, nullable=True),
    Column("author", String, nullable=False),
    Index("measures_by_state", "state"),
    Index("measures_by_case", "case_id"),
)

charges = Table(
    "charges",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("case_id", Integer, ForeignKey("cases.id"), nullable=False),
    Column("tenant", String, nullable=False),
    Column("account", String, nullable=False),
    Column("rule", String, nullable=False),
    Column("scope", String, nullable=False),
    Column("kind", String, nullable=False),
    Column("starts_at", Double, nullable=False),
    Column("ends_at", Double, nullable=False),
    Column("made_at", Double, nullable=False),
    Column("final_at", Double, nullable=False),
    Column("units", BigInteger, nullable=False),
    Column("currency", String, nullable=False),
    Column("amount", String, nullable=False),
    Column("waived", String, nullable=False),
    Column("reason", Text, nullable=False),
    Column("arithmetic", Text, nullable=False),
    Column("final", Boolean, nullable=False, server_default="0"),
    UniqueConstraint("case_id", "kind", "starts_at", name="one_charge_per_case"),
    Index(
        "one_charge_per_window",
        *("account", "rule", "scope", "starts_at"),
        unique=True,
        postgresql_where=text("kind = 'usage'"),
        sqlite_where=text("kind = 'usage'"),
    ),
    Index("charges_by_account", "account"),
    Index("charges_by_time", "final", "final_at"),
)

grants = Table(
    "grants",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("account", String, nullable=False),
    Column("limit_name", String, nullable=False),
    Column("scope", String, nullable=False),
    Column("kind", String, nullable=False),
    Column("amount", String, nullable=False),
    Column("made_at", Double, nullable=False),
    Column("starts_at", Double, nullable=False),
    Column("ends_at", Double, nullable=True),
    Column("author", String, nullable=False),
    Column("reason", Text, nullable=False),
    Column("once", String, nullable=True, unique=True),
    Index("grants_by_account", "account"),
)

forgiven = Table(
    "forgiven",
    metadata,
    Column("account", String, primary_key=True),
    Column("rule", String, primary_key=True),
    Column("scope", String, primary_key=True),
    Column("starts_at", Double, primary_key=True),
    Column("author", String, nullable=False),
    Column("reason", Text, nullable=False),
)

record = Table(
    "record",
    metadata,
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("at", Double, nullable=False),
    Column("kind", String, nullable=False),
    Column("account", String, nullable=False),
    Column("case_id", Integer, nullable=False),
    Column("author", String, nullable=False),
    Column("data", Text, nullable=False),
    Column("hash", String, nullable=False),
    Index("record_by_case", "case_id", "number"),
    Index("record_by_account", "account", "case_id", "number"),
)

record_head = Table(
    "record_head",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("number", BigInteger, nullable=False),
    Column("hash", String, nullable=False),
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
