"""Usage, open windows, cases, notices and blocks."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make the first tables."""
    op.create_table(
        "slots",
        sa.Column("account", sa.String, primary_key=True),
        sa.Column("limit_name", sa.String, primary_key=True),
        sa.Column("window_text", sa.String, primary_key=True),
        sa.Column("scope", sa.String, primary_key=True),
        sa.Column("slot", sa.BigInteger, primary_key=True),
        sa.Column("ends_at", sa.Double, nullable=False),
        sa.Column("units", sa.BigInteger, nullable=False),
        sa.Index("slots_by_end", "ends_at"),
    )
    op.create_table(
        "usage",
        sa.Column("account", sa.String, primary_key=True),
        sa.Column("location", sa.String, primary_key=True),
        sa.Column("meter", sa.String, primary_key=True),
        sa.Column("hour", sa.BigInteger, primary_key=True),
        sa.Column("units", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "blocks",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("address", sa.String, nullable=False),
        sa.Column("account", sa.String, nullable=False),
        sa.Column("rule", sa.String, nullable=False),
        sa.Column("starts_at", sa.Double, nullable=False),
        sa.Column("ends_at", sa.Double, nullable=False),
        sa.Column("repetition", sa.Integer, nullable=False),
        sa.Index("blocks_by_end", "ends_at"),
    )
    op.create_table(
        "cases",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("tenant", sa.String, nullable=False),
        sa.Column("account", sa.String, nullable=False),
        sa.Column("rule", sa.String, nullable=False),
        sa.Column("scope", sa.String, nullable=False),
        sa.Column("starts_at", sa.Double, nullable=False),
        sa.Column("ends_at", sa.Double, nullable=False),
        sa.Column("opened_at", sa.Double, nullable=False),
        sa.Column("state", sa.String, nullable=False),
        sa.UniqueConstraint("account", "rule", "scope", "starts_at", name="one_case_per_window"),
    )
    op.create_table(
        "notices",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("case_id", sa.Integer, sa.ForeignKey("cases.id"), nullable=True),
        sa.Column("tenant", sa.String, nullable=False),
        sa.Column("account", sa.String, nullable=False),
        sa.Column("rule", sa.String, nullable=False),
        sa.Column("written_at", sa.Double, nullable=False),
        sa.Column("reading", sa.BigInteger, nullable=False),
        sa.Column("amount", sa.BigInteger, nullable=False),
        sa.Column("source", sa.String, nullable=False),
        sa.Column("language", sa.String, nullable=False),
        sa.Column("contact", sa.String, nullable=False),
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Index("notices_by_account", "account", "written_at"),
    )
