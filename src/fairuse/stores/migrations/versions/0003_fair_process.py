"""The fair process: cases that move, deliveries, measures, charges, grants, and the record."""

import json

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add what a fair process needs remembered."""
    _extend_cases()
    _extend_notices()
    _make_deliveries()
    _make_measures()
    _make_charges()
    _make_grants()
    _make_record()
    _deliver_what_is_open()


def _extend_cases() -> None:
    op.add_column("cases", sa.Column("reading", sa.BigInteger, nullable=False, server_default="0"))
    op.add_column("cases", sa.Column("amount", sa.BigInteger, nullable=False, server_default="0"))
    op.add_column("cases", sa.Column("policy", sa.String, nullable=False, server_default=""))
    op.add_column("cases", sa.Column("latest", sa.BigInteger, nullable=False, server_default="0"))
    op.add_column("cases", sa.Column("notified_at", sa.Double, nullable=True))
    op.add_column("cases", sa.Column("notified_reading", sa.BigInteger, nullable=True))
    op.add_column("cases", sa.Column("answer_by", sa.Double, nullable=True))
    op.add_column("cases", sa.Column("answered_at", sa.Double, nullable=True))
    op.add_column("cases", sa.Column("closed_at", sa.Double, nullable=True))
    op.add_column("cases", sa.Column("outcome", sa.String, nullable=False, server_default=""))
    op.add_column("cases", sa.Column("version", sa.Integer, nullable=False, server_default="0"))
    op.create_index("cases_by_state", "cases", ["state"])


def _extend_notices() -> None:
    op.add_column("notices", sa.Column("kind", sa.String, nullable=False, server_default=""))
    op.add_column("notices", sa.Column("once", sa.String, nullable=True))
    op.add_column("notices", sa.Column("delivered_at", sa.Double, nullable=True))
    op.create_index("notices_once", "notices", ["once"], unique=True)


def _make_deliveries() -> None:
    op.create_table(
        "deliveries",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("notice_id", sa.Integer, sa.ForeignKey("notices.id"), nullable=False),
        sa.Column("channel", sa.String, nullable=False),
        sa.Column("state", sa.String, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
        sa.Column("due_at", sa.Double, nullable=False),
        sa.Column("must_by", sa.Double, nullable=True),
        sa.Column("delivered_at", sa.Double, nullable=True),
        sa.Column("delivered_by", sa.String, nullable=False, server_default=""),
        sa.Column("error", sa.String, nullable=False, server_default=""),
        sa.UniqueConstraint("notice_id", "channel", name="one_delivery_per_channel"),
        sa.Index("deliveries_by_time", "state", "due_at"),
        sa.Index("deliveries_by_deadline", "must_by"),
    )


def _make_measures() -> None:
    op.create_table(
        "measures",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("case_id", sa.Integer, sa.ForeignKey("cases.id"), nullable=False),
        sa.Column("account", sa.String, nullable=False),
        sa.Column("kind", sa.String, nullable=False),
        sa.Column("scope", sa.String, nullable=False),
        sa.Column("routes", sa.Text, nullable=False),
        sa.Column("limit_name", sa.String, nullable=False),
        sa.Column("amount", sa.String, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("state", sa.String, nullable=False),
        sa.Column("starts_at", sa.Double, nullable=True),
        sa.Column("ends_at", sa.Double, nullable=True),
        sa.Column("review_at", sa.Double, nullable=True),
        sa.Column("until_under", sa.Boolean, nullable=False),
        sa.Column("lasts", sa.Integer, nullable=True),
        sa.Column("review_after", sa.Integer, nullable=True),
        sa.Column("author", sa.String, nullable=False),
        sa.Index("measures_by_state", "state"),
        sa.Index("measures_by_case", "case_id"),
    )


def _make_charges() -> None:
    op.create_table(
        "charges",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("case_id", sa.Integer, sa.ForeignKey("cases.id"), nullable=False),
        sa.Column("tenant", sa.String, nullable=False),
        sa.Column("account", sa.String, nullable=False),
        sa.Column("rule", sa.String, nullable=False),
        sa.Column("scope", sa.String, nullable=False),
        sa.Column("kind", sa.String, nullable=False),
        sa.Column("starts_at", sa.Double, nullable=False),
        sa.Column("ends_at", sa.Double, nullable=False),
        sa.Column("made_at", sa.Double, nullable=False),
        sa.Column("final_at", sa.Double, nullable=False),
        sa.Column("units", sa.BigInteger, nullable=False),
        sa.Column("currency", sa.String, nullable=False),
        sa.Column("amount", sa.String, nullable=False),
        sa.Column("waived", sa.String, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("arithmetic", sa.Text, nullable=False),
        sa.Column("final", sa.Boolean, nullable=False, server_default="0"),
        sa.UniqueConstraint("case_id", "kind", "starts_at", name="one_charge_per_case"),
        sa.Index(
            "one_charge_per_window",
            *("account", "rule", "scope", "starts_at"),
            unique=True,
            postgresql_where=sa.text("kind = 'usage'"),
            sqlite_where=sa.text("kind = 'usage'"),
        ),
        sa.Index("charges_by_account", "account"),
        sa.Index("charges_by_time", "ends_at"),
    )


def _make_grants() -> None:
    op.create_table(
        "grants",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("account", sa.String, nullable=False),
        sa.Column("limit_name", sa.String, nullable=False),
        sa.Column("scope", sa.String, nullable=False),
        sa.Column("kind", sa.String, nullable=False),
        sa.Column("amount", sa.String, nullable=False),
        sa.Column("made_at", sa.Double, nullable=False),
        sa.Column("starts_at", sa.Double, nullable=False),
        sa.Column("ends_at", sa.Double, nullable=True),
        sa.Column("author", sa.String, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("once", sa.String, nullable=True, unique=True),
        sa.Index("grants_by_account", "account"),
    )
    op.create_table(
        "forgiven",
        sa.Column("account", sa.String, primary_key=True),
        sa.Column("rule", sa.String, primary_key=True),
        sa.Column("scope", sa.String, primary_key=True),
        sa.Column("starts_at", sa.Double, primary_key=True),
        sa.Column("author", sa.String, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
    )


def _make_record() -> None:
    op.create_table(
        "record",
        sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("at", sa.Double, nullable=False),
        sa.Column("kind", sa.String, nullable=False),
        sa.Column("account", sa.String, nullable=False),
        sa.Column("case_id", sa.Integer, nullable=False),
        sa.Column("author", sa.String, nullable=False),
        sa.Column("data", sa.Text, nullable=False),
        sa.Column("hash", sa.String, nullable=False),
        sa.Index("record_by_case", "case_id", "number"),
        sa.Index("record_by_account", "account", "case_id", "number"),
    )
    op.create_table(
        "record_head",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("number", sa.BigInteger, nullable=False),
        sa.Column("hash", sa.String, nullable=False),
    )
    op.execute("INSERT INTO record_head (id, number, hash) VALUES (1, 0, '')")


def _deliver_what_is_open() -> None:
    """Have the notices of open cases delivered: nothing happens to a case before that (A15)."""
    connection = op.get_bind()
    notices = sa.table("notices", *map(sa.column, ("id", "case_id", "contact", "written_at")))
    deliveries = sa.table(
        "deliveries", *map(sa.column, ("notice_id", "channel", "state", "attempts", "due_at"))
    )
    open_ones = sa.select(notices).where(notices.c.case_id.is_not(None))
    rows = [
        {
            "notice_id": row.id,
            "channel": contact,
            "state": "to do" if contact.startswith("tel:") else "waiting",
            "attempts": 0,
            "due_at": row.written_at,
        }
        for row in connection.execute(open_ones)
        for contact in dict.fromkeys(json.loads(row.contact))
    ]
    if rows:
        connection.execute(deliveries.insert(), rows)
