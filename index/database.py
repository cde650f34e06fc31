"""The database beneath a library: a SQLite file, or one of PostgreSQL's at an address."""

from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

import sqlalchemy as sa

from index import sqlite
from index.lock import IsHeld
from index.sqlite import SqliteDatabase

Address = Path | str
"""Where a library is: the path of a SQLite file, or the address of a PostgreSQL database."""


class Database(Protocol):
    """An open database that holds a library, of the newest schema."""

    @property
    def engine(self) -> sa.Engine: ...

    def transaction(self, waits: float, alone: bool) -> AbstractContextManager[sa.Connection]:
        """All that is written within, or nothing. `alone` says that no other transaction that is
        alone runs meanwhile; for those `waits` is how many seconds it waits.

        Raises LibraryError when it cannot be written.
        """
        ...

    def writing(self, exclusive: bool, waits: float | None = None) -> AbstractContextManager[None]:
        """Holds the writer's lock, where hosts share one for which it `waits` so many seconds.

        Raises LibraryBusyError when others hold it, who do not share it.
        """
        ...

    def unless_others_write(self) -> AbstractContextManager[bool]:
        """Gives whether nobody else holds the writer's lock; if so, nobody can until the end."""
        ...

    def following(self) -> AbstractContextManager[IsHeld | None]:
        """Gives whether it is held still, if nobody else has an index follow; then nobody does
        until the end, or until that is lost."""
        ...

    def size(self) -> int:
        """Bytes that it takes on its disk."""
        ...

    def look(self, within: float) -> None:
        """Reads next to nothing, for which it waits so many seconds. Raises LibraryError."""
        ...

    def empty_log(self) -> None:
        """Lets what was deleted not live on in a log, as far as that is in one's hands."""
        ...

    def damage(self) -> list[str]:
        """What is found wrong with the files; if anything, no query can be relied on."""
        ...

    def strays(self) -> list[str]:
        """Rows whose owner is not there."""
        ...


def open_database(address: Address) -> Database:
    """The database at the address, made or migrated forward as needed.

    Raises LibraryError when it cannot be opened or holds no library.
    """
    if isinstance(address, Path):
        return SqliteDatabase.open(address)
    # Imported only where it is needed, for the driver takes a while.
    from index import postgresql  # noqa: PLC0415

    return postgresql.PostgresqlDatabase.open(address)


def writing(
    address: Address, exclusive: bool = True, waits: float | None = None
) -> AbstractContextManager[None]:
    """Holds the writer's lock of the library at the address, which need not be there or whole.

    Raises LibraryBusyError when another process holds it, and LibraryError.
    """
    if isinstance(address, Path):
        return sqlite.writing(address)
    from index import postgresql  # noqa: PLC0415

    return postgresql.writing(address, exclusive, waits)


def is_there(address: Address) -> bool:
    """Whether there is a library at the address. Raises LibraryError when it cannot be told."""
    if isinstance(address, Path):
        return address.exists()
    from index import postgresql  # noqa: PLC0415

    return postgresql.is_there(address)
