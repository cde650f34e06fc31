"""Several hosts: an outbox for an index elsewhere, leases of jobs, rates that are counted together.

Revision ID: 0007
Revises: 0006
"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    op.add_column("jobs", sa.Column("worker", sa.String(80)))
    op.add_column("jobs", sa.Column("leased_until", sa.Float))
    attempts = sa.Column("attempts", sa.Integer, nullable=False, server_default="0")
    op.add_column("jobs", attempts)
    op.create_table(
        "outbox",
        sa.Column("id", _ID, nullable=False),
        sa.Column("document_id", sa.String(32), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outbox")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "rates",
        sa.Column("name_hash", sa.LargeBinary, nullable=False),
        sa.Column("made_up_at", sa.Float, nullable=False),
        sa.PrimaryKeyConstraint("name_hash", name=op.f("pk_rates")),
    )
