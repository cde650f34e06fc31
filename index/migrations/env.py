"""Alembic's entry point: migrates over the connection that `Library.open` hands in."""

from alembic import context

from index.tables import METADATA

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=METADATA,
    render_as_batch=True,  # SQLite cannot alter a column; Alembic copies the table instead
)
with context.begin_transaction():
    context.run_migrations()
