"""The PostgreSQL database beneath a library: how it is reached, migrated and locked.

Two advisory locks keep order among those who write, in whatever process of whatever host. One is a
transaction's: those that are alone take it first, so that none begins on sand and all are stored
in the order of their numbers. The other is a session's, the writer's lock, which dies with its
process: shared by those who add, change and remove documents, exclusive for who changes what these
rely on.
"""

import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import Any

import psycopg
import sqlalchemy as sa

from index.errors import (
    DiskFullError,
    KildesvarError,
    LibraryBusyError,
    LibraryError,
    LibraryUnavailableError,
)
from index.lock import BUSY_SECONDS, IsHeld
from index.postgresql_reaching import Place, unreachable
from index.schema import HEAD, migrate, recorded_revision
from index.tables import METADATA

_OLDEST = 13
_ALONE, _WRITER, _FOLLOWER = 1_801_547_091, 1_801_547_092, 1_801_547_093
"""What the locks are known by, with the number of the schema that the library is in."""
_POOLED, _OVERFLOW, _POOL_WAITS = 10, 10, 1.5
"""Connections that are kept, that may come on top, and seconds that others wait for one."""
_MIGRATION_WAITS = 60.0
_MOMENT = 2.0

_DISK_FULL, _NO_LOCK = "53100", "55P03"
_READS_ONLY = "25006"
_PASSING = ("08", "53", "57", "58", _READS_ONLY, "25P03")
"""What the states begin with of a server that cannot do now what it could, and will again."""


@dataclass(slots=True)
class _Held:
    """The writer's lock, as this thread holds it; the `token` is a lock of nobody else's."""

    connection: sa.Connection
    token: int
    exclusive: bool


_NONE: Mapping[str, _Held] = MappingProxyType({})
_HELD: ContextVar[Mapping[str, _Held]] = ContextVar("writers' locks by address", default=_NONE)


class PostgresqlDatabase:
    """A library's database on a server, which any number of hosts use."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._place = Place(address)
        self.engine = _engine(self._place)

    @classmethod
    def open(cls, address: str) -> "PostgresqlDatabase":
        """The database at `address`, its tables made or migrated forward as needed.

        Raises LibraryUnavailableError when it cannot be reached, and LibraryError when it is none
        that can hold a library, or holds one of a newer version.
        """
        database = cls(address)
        try:
            database._bring_up_to_date()
        except BaseException:
            database.engine.dispose()
            raise
        return database

    @contextmanager
    def transaction(self, waits: float, alone: bool) -> Iterator[sa.Connection]:
        """See `index.database`."""
        try:
            with (
                # Not of one state throughout as reading is: that would be the one before the lock.
                self.engine.connect().execution_options(
                    isolation_level="READ COMMITTED"
                ) as connection,
                connection.begin(),
            ):
                self._enter(connection, waits, alone)
                yield connection
        except (sa.exc.OperationalError, sa.exc.InternalError) as error:
            raise _unwritten(error) from error

    def _enter(self, connection: sa.Connection, waits: float, alone: bool) -> None:
        milliseconds = max(round(waits * 1000), 1)  # 0 would be for ever
        begin = f"SET LOCAL lock_timeout = {milliseconds}"
        if alone:
            begin += f"; SELECT pg_advisory_xact_lock({_key(_ALONE)})"
        connection.exec_driver_sql(begin)
        held = _HELD.get().get(self._address)
        if alone and held is not None and not _is_held(connection, held):
            raise LibraryUnavailableError(
                "the connection that held the library's lock is lost, so that others may write "
                "already; nothing of this change was stored. Run the same command again."
            )

    @contextmanager
    def writing(self, exclusive: bool, waits: float | None = None) -> Iterator[None]:
        """See `index.database`."""
        with _holding(self.engine, self._address, exclusive, waits or _patience(exclusive)):
            yield

    @contextmanager
    def unless_others_write(self) -> Iterator[bool]:
        """See `index.database`."""
        held = _HELD.get().get(self._address)
        if held is None:
            try:
                with _holding(self.engine, self._address, exclusive=True, waits=None):
                    yield True
            except LibraryBusyError:
                yield False
        elif held.exclusive:
            yield True
        else:
            with _sole(held) as is_alone:
                yield is_alone

    @contextmanager
    def following(self) -> Iterator[IsHeld | None]:
        """See `index.database`."""
        with self.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            try:
                took = connection.exec_driver_sql(
                    f"SELECT pg_try_advisory_lock({_key(_FOLLOWER)})"
                ).scalar_one()
                yield partial(_is_open, connection) if took else None
            finally:
                _let_go(connection)

    def look(self, within: float) -> None:
        """See `index.database`."""
        with self.engine.connect() as connection:
            connection.exec_driver_sql(f"SET LOCAL statement_timeout = {round(within * 1000)}")
            recorded_revision(connection)

    def size(self) -> int:
        """See `index.database`."""
        query = "SELECT pg_database_size(current_database())"
        with self.engine.connect() as connection:
            return int(connection.exec_driver_sql(query).scalar_one())

    def empty_log(self) -> None:
        """Nothing: the server's log and its copies are in the hands of who runs it."""

    def damage(self) -> list[str]:
        """Nothing: the server alone can look through its files (`pg_amcheck`, checksums)."""
        return []

    def strays(self) -> list[str]:
        """Rows whose owner is not there."""
        with self.engine.connect() as connection:
            return [
                f"{count} rows of {table.name} belong to no {owner.name}"
                for table, owner, count in _without_owner(connection)
                if count
            ]

    def _bring_up_to_date(self) -> None:
        with self.engine.connect() as connection:
            _require_fit(connection, self._place)
            if recorded_revision(connection) == HEAD:
                return
        if self._address in _HELD.get():
            self._migrate()
            return
        with _holding(self.engine, self._address, exclusive=True, waits=_MIGRATION_WAITS):
            self._migrate()

    def _migrate(self) -> None:
        try:
            with self.transaction(_MIGRATION_WAITS, alone=True) as connection:
                migrate(connection)
        except sa.exc.ProgrammingError as error:
            raise LibraryError(
                f"cannot make the library's tables in {self._place}: {_said(error)}. Give the user "
                "a database of its own (`CREATE DATABASE kildesvar OWNER name`)."
            ) from error


@contextmanager
def writing(address: str, exclusive: bool, waits: float | None) -> Iterator[None]:
    """Holds the writer's lock of the database at `address`, whatever is in it."""
    engine = _engine(Place(address))
    try:
        with engine.connect() as connection:
            _require_fit(connection, Place(address))
        with _holding(engine, address, exclusive, waits or _patience(exclusive)):
            yield
    finally:
        engine.dispose()


def is_there(address: str) -> bool:
    """Whether the database at `address` holds a library. Raises as `PostgresqlDatabase.open`."""
    engine = _engine(Place(address))
    try:
        with engine.connect() as connection:
            _require_fit(connection, Place(address))
            return recorded_revision(connection) is not None
    finally:
        engine.dispose()


def _engine(place: Place) -> sa.Engine:
    engine = sa.create_engine(
        "postgresql+psycopg://",
        # What documents say, and what people ask, must not come into a log with an error.
        hide_parameters=True,
        # Who reads in several queries must find them of one state, as in SQLite.
        isolation_level="REPEATABLE READ",
        pool_pre_ping=True,
        poolclass=_Pool,
        pool_size=_POOLED,
        max_overflow=_OVERFLOW,
        pool_timeout=_POOL_WAITS,
    )

    @sa.event.listens_for(engine, "do_connect")
    def connect(_: object, __: object, ___: object, how: dict[str, Any]) -> Any:
        return place.connect(how["context"])

    @sa.event.listens_for(engine, "handle_error")
    def translate(context: sa.engine.ExceptionContext) -> BaseException | None:
        _forget_rows(context)
        return None if context.is_pre_ping else _meant(context, place)

    return engine


def _forget_rows(context: sa.engine.ExceptionContext) -> None:
    """Keeps of the server's words the first line: others show the row that it could not take."""
    error = context.original_exception
    if isinstance(error, psycopg.Error) and error.diag.message_primary:
        error.args = (error.diag.message_primary,)
        if context.sqlalchemy_exception is not None:
            context.sqlalchemy_exception.args = (f"({type(error).__name__}) {error}",)


class _Pool(sa.QueuePool):
    """Of which a connection can be had in a while, or an error that says so."""

    def _do_get(self) -> Any:
        try:
            return super()._do_get()
        except sa.exc.TimeoutError as error:
            raise LibraryUnavailableError(
                "all connections to the library's database are in use; try again in a while"
            ) from error


def _meant(context: sa.engine.ExceptionContext, place: Place) -> BaseException | None:
    """The error that is to be raised in the place of the driver's; None if that is to stay."""
    error = context.original_exception
    if isinstance(error, KildesvarError):
        return error
    if context.connection is None:
        return unreachable(place, error)
    state = getattr(error, "sqlstate", None) or ""
    if state == _DISK_FULL:
        return DiskFullError(
            f"{place} has no room left for what was to be stored; nothing of it was. Make room on "
            "its disk, then try again"
        )
    if state == _READS_ONLY:  # it was the first of several, which another is now
        context.is_disconnect = True
    if context.is_disconnect or state.startswith(_PASSING):
        return LibraryUnavailableError(
            f"{place} cannot be asked now ({_said(error)}); try again in a while"
        )
    return None


def _unwritten(error: sa.exc.DBAPIError) -> LibraryError:
    if getattr(error.orig, "sqlstate", None) == _NO_LOCK:
        return LibraryError(
            "the library could not be written: others have been writing all the time. Nothing of "
            "this change was stored; try again in a while"
        )
    return LibraryError(
        f"the library could not be written: {_said(error)}. Nothing of this change was stored; "
        "see what the server's log says, then run the same command again."
    )


def _said(error: BaseException) -> str:
    """What the server said, on one line, without what it was asked."""
    cause = getattr(error, "orig", None) or error
    primary = cause.diag.message_primary if isinstance(cause, psycopg.Error) else None
    return " ".join((primary or str(cause) or type(cause).__name__).split())


def _key(lock: int) -> str:
    """Both numbers of a lock: which one, and of the library in which schema of the database."""
    return f"{lock}, current_schema()::regnamespace::oid::bigint::bit(32)::int"


_PASS_ALONE = f"SELECT pg_advisory_lock({_key(_ALONE)}); SELECT pg_advisory_unlock({_key(_ALONE)})"


@contextmanager
def _holding(
    engine: sa.Engine, address: str, exclusive: bool, waits: float | None
) -> Iterator[None]:
    """Holds the writer's lock over a connection of its own; it is waited for only so many seconds,
    or not at all."""
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        try:
            _take(connection, exclusive, waits)
            held = _Held(connection, secrets.randbits(62), exclusive)
            connection.exec_driver_sql(f"SELECT pg_advisory_lock({held.token})")
            # Whoever lost this lock without knowing has ended the last that he could write.
            _require_taken(_took_within(connection, _PASS_ALONE, BUSY_SECONDS))
            before = _HELD.set({**_HELD.get(), address: held})
            try:
                yield
            finally:
                _HELD.reset(before)
        finally:
            _let_go(connection)


def _patience(exclusive: bool) -> float | None:
    """For who shares the lock: others hold it alone for a moment, to forget what is unused."""
    return None if exclusive else _MOMENT


def _take(connection: sa.Connection, exclusive: bool, waits: float | None) -> None:
    shared = "" if exclusive else "_shared"
    if waits is None:
        took = connection.exec_driver_sql(
            f"SELECT pg_try_advisory_lock{shared}({_key(_WRITER)})"
        ).scalar_one()
    else:
        took = _took_within(connection, f"SELECT pg_advisory_lock{shared}({_key(_WRITER)})", waits)
    _require_taken(took)


def _require_taken(took: bool) -> None:
    if not took:
        raise LibraryBusyError(
            "another process is writing to the library; wait until its ingest is done, then run "
            "the command again"
        )


def _took_within(connection: sa.Connection, statement: str, seconds: float) -> bool:
    try:
        connection.exec_driver_sql(f"SET lock_timeout = {round(seconds * 1000)}")
        connection.exec_driver_sql(statement)
    except sa.exc.OperationalError as error:
        if getattr(error.orig, "sqlstate", None) == _NO_LOCK:
            connection.exec_driver_sql("RESET lock_timeout")
            return False
        raise
    connection.exec_driver_sql("RESET lock_timeout")
    return True


def _is_open(connection: sa.Connection) -> bool:
    """Whether the connection is there still, and with it the locks that it took."""
    try:
        connection.exec_driver_sql("SELECT 1")
    except (sa.exc.SQLAlchemyError, KildesvarError):
        return False
    return True


def _let_go(connection: sa.Connection) -> None:
    """Ends all locks of the connection, or else the connection: that has the same effect."""
    try:
        connection.exec_driver_sql("SELECT pg_advisory_unlock_all(); RESET lock_timeout")
    except (sa.exc.SQLAlchemyError, KildesvarError):
        with suppress(sa.exc.SQLAlchemyError):
            connection.invalidate()


@contextmanager
def _sole(held: _Held) -> Iterator[bool]:
    """Gives whether nobody shares the lock; if so, nobody can until the end."""
    took = held.connection.exec_driver_sql(
        f"SELECT pg_try_advisory_lock({_key(_WRITER)})"
    ).scalar_one()
    try:
        yield took
    finally:
        if took:
            held.connection.exec_driver_sql(f"SELECT pg_advisory_unlock({_key(_WRITER)})")


def _is_held(connection: sa.Connection, held: _Held) -> bool:
    query = sa.text(
        "SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND granted "
        "AND objsubid = 1 AND (classid::bigint << 32) | objid::bigint = :token "
        "AND database = (SELECT oid FROM pg_database WHERE datname = current_database()))"
    )
    return bool(connection.scalar(query, {"token": held.token}))


def _require_fit(connection: sa.Connection, place: Place) -> None:
    """Raises LibraryError for a server, or a database, that can hold no library."""
    version = connection.dialect.server_version_info or (0,)
    if version < (_OLDEST,):
        raise LibraryError(
            f"{place} is of version {'.'.join(map(str, version))}; Kildesvar needs PostgreSQL "
            f"{_OLDEST} or newer"
        )
    encoding, schema = connection.exec_driver_sql(
        "SELECT current_setting('server_encoding'), current_schema()"
    ).one()
    if encoding != "UTF8":
        raise LibraryError(
            f"{place} holds its text as {encoding}; make a database with `CREATE DATABASE name "
            "ENCODING 'UTF8' TEMPLATE template0`, and name that in KILDESVAR_DATABASE_URL"
        )
    if schema is None:
        raise LibraryError(
            f"{place} has no schema for the library; make one that the user may use "
            "(`CREATE SCHEMA public`), or name one (`ALTER ROLE … SET search_path`)"
        )


def _without_owner(connection: sa.Connection) -> Iterator[tuple[sa.Table, sa.Table, int]]:
    for table in METADATA.sorted_tables:
        for key in table.foreign_keys:
            owner = key.column.table
            there = sa.exists().where(key.column == key.parent).correlate(table)
            count = sa.select(sa.func.count()).select_from(table).where(~there)
            yield table, owner, connection.scalar(count) or 0
