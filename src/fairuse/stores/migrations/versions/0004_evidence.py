"""Evidence: from where, for what and by which programs an account was used, day by day.

Statements go by the day on which a charge became final, and so does their index.
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

KNOWN = sa.text("evidence <> ''")


def upgrade() -> None:
    """Add what is counted, and what a notice tells of it."""
    op.create_table(
        "evidence",
        sa.Column("account", sa.String, primary_key=True),
        sa.Column("location", sa.String, primary_key=True),
        sa.Column("meter", sa.String, primary_key=True),
        sa.Column("day", sa.BigInteger, primary_key=True),
        sa.Column("kind", sa.String, primary_key=True),
        sa.Column("value", sa.String, primary_key=True),
        sa.Column("units", sa.BigInteger, nullable=False),
        sa.Index("evidence_by_day", "day"),
    )
    op.add_column("notices", sa.Column("evidence", sa.Text, nullable=False, server_default=""))
    op.create_index(
        "notices_with_evidence",
        "notices",
        ["written_at"],
        postgresql_where=KNOWN,
        sqlite_where=KNOWN,
    )
    op.drop_index("charges_by_time", "charges")
    op.create_index("charges_by_time", "charges", ["final", "final_at"])
