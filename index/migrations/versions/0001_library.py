"""Documents with their sources, passages and vectors.

Revision ID: 0001
Revises:
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "documents",
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("blocks", sa.JSON, nullable=False),
        sa.Column("media_type", sa.String(120), nullable=False),
        sa.Column("language", sa.String(8), nullable=False),
        sa.Column("source_url", sa.Text),
        sa.Column("pages", sa.Integer),
        sa.Column("content_hash", sa.String(80), nullable=False),
        sa.Column("updated_at", sa.String(32), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_documents")),
        sa.UniqueConstraint("content_hash", name=op.f("uq_documents_content_hash")),
    )
    op.create_table(
        "sources",
        sa.Column("path", sa.Text, nullable=False),
        sa.Column("document_id", sa.String(32), nullable=False),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("modified_ns", sa.BigInteger, nullable=False),
        sa.Column("file_hash", sa.String(80), nullable=False),
        sa.PrimaryKeyConstraint("path", name=op.f("pk_sources")),
        sa.ForeignKeyConstraint(
            ["document_id"],
            ["documents.id"],
            name=op.f("fk_sources_document_id"),
            ondelete="CASCADE",
        ),
    )
    op.create_index(op.f("ix_sources_document_id"), "sources", ["document_id"])
    op.create_table(
        "passages",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("document_id", sa.String(32), nullable=False),
        sa.Column("start", sa.Integer, nullable=False),
        sa.Column("end", sa.Integer, nullable=False),
        sa.Column("heading_path", sa.JSON, nullable=False),
        sa.Column("page", sa.Integer),
        sa.Column("lead_start", sa.Integer),
        sa.Column("lead_end", sa.Integer),
        sa.Column("units", sa.JSON, nullable=False),
        sa.Column("vector_key", sa.String(80), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_passages")),
        sa.ForeignKeyConstraint(
            ["document_id"],
            ["documents.id"],
            name=op.f("fk_passages_document_id"),
            ondelete="CASCADE",
        ),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_passages_document_id"), "passages", ["document_id"])
    op.create_index(op.f("ix_passages_vector_key"), "passages", ["vector_key"])
    op.create_table(
        "vectors",
        sa.Column("key", sa.String(80), nullable=False),
        sa.Column("fingerprint", sa.String(80), nullable=False),
        sa.Column("vector", sa.LargeBinary, nullable=False),
        sa.Column("units", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("key", "fingerprint", name=op.f("pk_vectors")),
    )
    op.create_table(
        "state",
        sa.Column("name", sa.String(40), nullable=False),
        sa.Column("value", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_state")),
    )
