"""The library's schema, brought up to date by Alembic."""

from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from index.errors import LibraryError
from index.tables import state


def migrate(connection: sa.Connection) -> None:
    """Runs the migrations that `connection`'s database has not seen, in its own transaction.

    Raises LibraryError for a library that a newer Kildesvar has written.
    """
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    scripts = ScriptDirectory.from_config(config)
    current = MigrationContext.configure(connection).get_current_revision()
    if current == scripts.get_current_head():
        return
    if current is not None and current not in {s.revision for s in scripts.walk_revisions()}:
        raise LibraryError(
            f"the library has schema {current}, which this version does not know; "
            "use the version of Kildesvar that wrote it, or a newer one"
        )
    command.upgrade(config, "head")
    if current is None:
        connection.execute(sa.insert(state), {"name": "revision", "value": "0"})
