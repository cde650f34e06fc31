"""Several hosts: an outbox for an index elsewhere, leases of jobs, rates that are counted together,
and files that are looked up by what they hold.

PostgreSQL, which takes part from here on, compares text by the numbers of its letters, has ids of
64 bits, and keeps titles and places folded.

Revision ID: 0007
Revises: 0006
"""

import sys
from collections.abc import Iterator

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
    op.execute("UPDATE jobs SET leased_until = 0")  # the first to be taken, in their order
    op.create_index("ix_jobs_queue", "jobs", ["state", "leased_until", "created_at", "id"])
    op.create_index("ix_jobs_path", "jobs", ["path"])
    op.create_index("ix_jobs_document_id", "jobs", ["document_id"])
    op.create_index("ix_sources_file_hash", "sources", ["file_hash"])
    op.create_index("ix_left_out_file_hash", "left_out", ["file_hash"])
    op.create_table(
        "outbox",
        sa.Column("id", _ID, nullable=False),
        sa.Column("document_id", sa.String(32), nullable=False),
        sa.Column("marked_at", sa.Float, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outbox")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "rates",
        sa.Column("name_hash", sa.LargeBinary, nullable=False),
        sa.Column("made_up_at", sa.Float, nullable=False),
        sa.PrimaryKeyConstraint("name_hash", name=op.f("pk_rates")),
    )
    if op.get_bind().dialect.name == "postgresql":
        _suit_postgresql()


def _suit_postgresql() -> None:
    for table, column in list(_text_columns()):
        op.execute(f'ALTER TABLE "{table}" ALTER COLUMN "{column}" TYPE text COLLATE "C"')
    for table in ("passages", "audit"):
        op.execute(f"ALTER TABLE {table} ALTER COLUMN id TYPE bigint")
        op.execute(f"ALTER SEQUENCE {table}_id_seq AS bigint")
    op.execute(_folding())
    for table, column in (("documents", "title"), ("documents", "source_url"), ("sources", "path")):
        op.execute(
            f'ALTER TABLE {table} ADD COLUMN folded_{column} text COLLATE "C" '
            f"GENERATED ALWAYS AS (kildesvar_folded({column})) STORED"
        )


def _text_columns() -> Iterator[tuple[str, str]]:
    inspector = sa.inspect(op.get_bind())
    for table in inspector.get_table_names():
        if table != "alembic_version":
            for column in inspector.get_columns(table):
                if isinstance(column["type"], sa.String):
                    yield table, column["name"]


def _folding() -> str:
    """A function that does what `index.text.folded` does.

    PostgreSQL's own `lower` knows only the letters of its locale, which may be those of ASCII.
    """
    folded = {
        letter: letter.casefold()
        for letter in map(chr, range(0x80, sys.maxunicode + 1))
        if not "\ud800" <= letter <= "\udfff" and letter.casefold() != letter
    }
    single = {letter: other for letter, other in folded.items() if len(other) == 1}
    letters, others = "".join(single), "".join(single.values())
    text = f"translate(lower(normalize(value, NFC) COLLATE \"C\"), '{letters}', '{others}')"
    for letter, several in folded.items():
        if letter not in single:
            text = f"replace({text}, '{letter}', '{several}')"
    # Next to all that there is consists of these, and takes next to no time.
    is_common = "value COLLATE \"C\" ~ '^[ -~æøåÆØÅäöÄÖéÉ«»–—…§\n\t]*$'"
    common = "translate(lower(value COLLATE \"C\"), 'ÆØÅÄÖÉ', 'æøåäöé')"
    return (
        "CREATE FUNCTION kildesvar_folded(value text) RETURNS text LANGUAGE sql IMMUTABLE STRICT "
        f"PARALLEL SAFE AS $fold$ SELECT CASE WHEN {is_common} THEN {common} ELSE {text} END $fold$"
    )
