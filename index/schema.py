"""The library's schema, brought up to date by Alembic."""

from pathlib import Path

import sqlalchemy as sa

from index.errors import LibraryError
from index.tables import state

HEAD = "0007"
"""The newest revision in `index/migrations/versions`; a test keeps the two together.

Known here so that opening an up-to-date library need not import Alembic, which takes longer than
everything else about opening it.
"""


def migrate(connection: sa.Connection) -> None:
    """Runs the migrations that `connection`'s database has not seen, all of them or none.

    `connection` must have begun a transaction that holds the write lock.

    Raises LibraryError for a library that a newer Kildesvar has written.
    """
    from alembic import command  # noqa: PLC0415
    from alembic.config import Config  # noqa: PLC0415
    from alembic.script import ScriptDirectory  # noqa: PLC0415

    folder = str(Path(__file__).parent / "migrations")
    config = Config()
    config.set_main_option("script_location", folder.replace("%", "%%"))
    config.attributes["connection"] = connection
    current = recorded_revision(connection)
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    if current is not None and current not in known:
        raise LibraryError(
            f"the library has schema {current}, which this version does not know; "
            "use the version of Kildesvar that wrote it, or a newer one"
        )
    if current == HEAD:
        return  # another process was quicker
    command.upgrade(config, HEAD)
    if current is None:
        connection.execute(sa.insert(state), {"name": "revision", "value": "0"})


def recorded_revision(connection: sa.Connection) -> str | None:
    """The revision that Alembic has written into the database; None for a new one."""
    if not sa.inspect(connection).has_table("alembic_version"):
        return None
    revision: str | None = connection.scalar(sa.text("SELECT version_num FROM alembic_version"))
    return revision
