"""What is known of a document besides its text, files left out, editions of passages, jobs.

Revision ID: 0002
Revises: 0001
"""

import secrets

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Added in place. Alembic's copy of a table would drop the old one, and with it, by their
    # foreign keys, every passage and source of a document.
    op.add_column("documents", sa.Column("author", sa.Text))
    op.add_column("documents", sa.Column("date", sa.String(10)))
    op.add_column("documents", sa.Column("notices", sa.JSON, nullable=False, server_default="[]"))
    op.add_column("sources", sa.Column("readers", sa.String(40), nullable=False, server_default=""))
    op.add_column("passages", sa.Column("edition", sa.Integer, nullable=False, server_default="1"))
    op.create_index(op.f("ix_passages_edition"), "passages", ["edition"])
    op.create_table(
        "left_out",
        sa.Column("path", sa.Text, nullable=False),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("modified_ns", sa.BigInteger, nullable=False),
        sa.Column("file_hash", sa.String(80), nullable=False),
        sa.Column("readers", sa.String(40), nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("path", name=op.f("pk_left_out")),
    )
    state = sa.table("state", sa.column("name"), sa.column("value"))
    op.bulk_insert(state, [{"name": "identity", "value": secrets.token_hex(8)}])
    op.create_table(
        "jobs",
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("path", sa.Text, nullable=False),
        sa.Column("done", sa.Integer, nullable=False),
        sa.Column("total", sa.Integer, nullable=False),
        sa.Column("document_id", sa.String(32)),
        sa.Column("error", sa.Text),
        sa.Column("created_at", sa.String(32), nullable=False),
        sa.Column("updated_at", sa.String(32), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_jobs")),
    )
