"""What was asked and answered, and what people thought of it; indexes to count by.

Revision ID: 0003
Revises: 0002
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "answers",
        sa.Column("id", sa.String(16), nullable=False),
        sa.Column("asked_at", sa.String(32), nullable=False),
        sa.Column("question", sa.Text, nullable=False),
        sa.Column("answered", sa.Boolean, nullable=False),
        sa.Column("confidence", sa.Float, nullable=False),
        sa.Column("total_ms", sa.Float, nullable=False),
        sa.Column("generation", sa.String(40), nullable=False),
        sa.Column("citations", sa.JSON, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_answers")),
    )
    op.create_index("ix_answers_figures", "answers", ["asked_at", "answered", "total_ms"])
    op.create_table(
        "feedback",
        sa.Column("answer_id", sa.String(16), nullable=False),
        sa.Column("verdict", sa.String(8), nullable=False),
        sa.Column("reason", sa.Text),
        sa.Column("given_at", sa.String(32), nullable=False),
        sa.PrimaryKeyConstraint("answer_id", name=op.f("pk_feedback")),
        sa.ForeignKeyConstraint(
            ["answer_id"],
            ["answers.id"],
            name=op.f("fk_feedback_answer_id"),
            ondelete="CASCADE",
        ),
    )
    op.create_index("ix_feedback_given_at", "feedback", ["given_at", "verdict"])
    facts = ["media_type", "language", "date", "updated_at", "pages"]
    op.create_index("ix_documents_facts", "documents", facts)
    op.drop_index("ix_passages_document_id", "passages")
    op.create_index("ix_passages_document_id", "passages", ["document_id", "edition"])
    op.drop_index("ix_passages_edition", "passages")
    op.create_index("ix_passages_edition", "passages", ["edition", "start", "end"])
