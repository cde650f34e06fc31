"""Collections: each document belongs to one, and each folder may.

Revision ID: 0006
Revises: 0005
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_KEPT = (
    "id, title, text, blocks, media_type, language, source_url, pages, author, date, notices, "
    "content_hash, updated_at"
)


def upgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        _copy_documents()
    else:
        _alter_documents()
    facts = ["media_type", "language", "date", "updated_at", "pages", "collection"]
    op.create_index("ix_documents_facts", "documents", facts)
    for table in ("left_out", "jobs"):
        op.add_column(
            table, sa.Column("collection", sa.String(64), nullable=False, server_default="default")
        )
    op.create_table(
        "folders",
        sa.Column("path", sa.Text, nullable=False),
        sa.Column("collection", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("path", name=op.f("pk_folders")),
    )


def _copy_documents() -> None:
    # A table is copied to be rid of its constraint. What refers to documents is kept only because
    # `migrate` runs without foreign keys: else the old table would take it along.
    op.create_table(
        "documents_in_collections",
        sa.Column("id", sa.String(32), nullable=False),
        # Before the text: to come to a column behind it, all of the text is read.
        sa.Column("collection", sa.String(64), nullable=False, server_default="default"),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("blocks", sa.JSON, nullable=False),
        sa.Column("media_type", sa.String(120), nullable=False),
        sa.Column("language", sa.String(8), nullable=False),
        sa.Column("source_url", sa.Text),
        sa.Column("pages", sa.Integer),
        sa.Column("author", sa.Text),
        sa.Column("date", sa.String(10)),
        sa.Column("notices", sa.JSON, nullable=False, server_default="[]"),
        sa.Column("content_hash", sa.String(80), nullable=False),
        sa.Column("updated_at", sa.String(32), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_documents")),
        sa.UniqueConstraint("collection", "content_hash", name=op.f("uq_documents_collection")),
    )
    op.execute(
        f"INSERT INTO documents_in_collections (rowid, {_KEPT}) "
        f"SELECT rowid, {_KEPT} FROM documents"
    )
    op.drop_table("documents")
    op.rename_table("documents_in_collections", "documents")


def _alter_documents() -> None:
    column = sa.Column("collection", sa.String(64), nullable=False, server_default="default")
    op.add_column("documents", column)
    op.drop_constraint("uq_documents_content_hash", "documents")
    op.create_unique_constraint(
        op.f("uq_documents_collection"), "documents", ["collection", "content_hash"]
    )
    op.drop_index("ix_documents_facts", "documents")
