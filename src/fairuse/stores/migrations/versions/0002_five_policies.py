"""Levels, members, usage events, open items, breaches and cohort snapshots."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add what the five policies need remembered."""
    op.add_column(
        "slots", sa.Column("measure", sa.String, nullable=False, server_default="requests")
    )
    op.add_column("slots", sa.Column("level", sa.BigInteger, nullable=False, server_default="0"))
    op.create_table(
        "members",
        sa.Column("account", sa.String, primary_key=True),
        sa.Column("limit_name", sa.String, primary_key=True),
        sa.Column("window_text", sa.String, primary_key=True),
        sa.Column("scope", sa.String, primary_key=True),
        sa.Column("slot", sa.BigInteger, primary_key=True),
        sa.Column("member", sa.String, primary_key=True),
    )
    op.create_table(
        "events",
        sa.Column("sender", sa.String, primary_key=True),
        sa.Column("source", sa.String, primary_key=True),
        sa.Column("id", sa.String, primary_key=True),
        sa.Column("told_at", sa.Double, nullable=False),
        sa.Column("happened_at", sa.Double, nullable=False),
        sa.Column("adjusted", sa.Boolean, nullable=False),
        sa.Index("events_by_time", "told_at"),
    )
    op.create_table(
        "items",
        sa.Column("account", sa.String, primary_key=True),
        sa.Column("meter", sa.String, primary_key=True),
        sa.Column("item", sa.String, primary_key=True),
        sa.Column("units", sa.BigInteger, nullable=False),
        sa.Column("opened_at", sa.Double, nullable=False),
        sa.Column("warned", sa.Boolean, nullable=False),
        sa.Column("aged", sa.Boolean, nullable=False, server_default="0"),
        sa.Column("closed_at", sa.Double, nullable=True),
        sa.Index("items_by_age", "opened_at"),
    )
    op.create_table(
        "breaches",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("tenant", sa.String, nullable=False),
        sa.Column("account", sa.String, nullable=False),
        sa.Column("rule", sa.String, nullable=False),
        sa.Column("scope", sa.String, nullable=False),
        sa.Column("starts_at", sa.Double, nullable=False),
        sa.Column("ends_at", sa.Double, nullable=False),
        sa.Column("last_at", sa.Double, nullable=False),
        sa.Column("reading", sa.BigInteger, nullable=False),
        sa.Column("amount", sa.BigInteger, nullable=False),
        sa.Column("judged", sa.Boolean, nullable=False, server_default="0"),
        sa.UniqueConstraint("account", "rule", "scope", "starts_at", name="one_breach_per_window"),
        sa.Index("breaches_by_end", "judged", "ends_at"),
    )
    op.create_table(
        "snapshots",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("policy", sa.String, nullable=False),
        sa.Column("packages", sa.String, nullable=False),
        sa.Column("meter", sa.String, nullable=False),
        sa.Column("taken_at", sa.Double, nullable=False),
        sa.Column("method", sa.String, nullable=False),
        sa.Column("n", sa.Integer, nullable=False),
        sa.Column("average", sa.String, nullable=False),
        sa.Index("snapshots_by_cohort", "policy", "packages", "meter", "taken_at"),
    )
    op.create_table(
        "snapshot_members",
        sa.Column("snapshot_id", sa.Integer, sa.ForeignKey("snapshots.id"), primary_key=True),
        sa.Column("account", sa.String, primary_key=True),
        sa.Column("monthly", sa.String, nullable=False),
        sa.Column("shares", sa.Integer, nullable=False),
    )
