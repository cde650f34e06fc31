"""Libraries of tests' own: SQLite files, or with `pytest --database postgresql` databases there."""

import secrets
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from threading import Lock
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest
from psycopg import sql

from index.database import Address
from index.library import Library

SQLITE, POSTGRESQL = "sqlite", "postgresql"


class Databases:
    """Databases of a PostgreSQL, each a copy of one that has the library's tables already."""

    def __init__(self, server: str) -> None:
        """`server` is the address of a database whose user may make others."""
        self._server = server
        self._of_folders: dict[Path, str] = {}
        self._making = Lock()
        self._template = self.empty()
        Library.open(self._template).close()

    def of(self, folder: Path) -> str:
        """Address of the one that belongs to a folder, which is made when it is first asked for."""
        with self._making:
            if folder not in self._of_folders:
                self._of_folders[folder] = self._made(urlsplit(self._template).path.lstrip("/"))
            return self._of_folders[folder]

    def empty(self) -> str:
        """Address of one without a table."""
        return self._made("template0")

    def _made(self, template: str) -> str:
        name = f"test_{secrets.token_hex(6)}"
        create = sql.SQL("CREATE DATABASE {} TEMPLATE {}")
        with psycopg.connect(self._server, autocommit=True) as connection:
            connection.execute(create.format(sql.Identifier(name), sql.Identifier(template)))
        return urlunsplit(urlsplit(self._server)._replace(path=f"/{name}"))


_databases: Databases | None = None
_opened: list[Library] = []


def address_in(folder: Path) -> Address:
    """Where the library is that belongs to a folder."""
    return folder / "library.sqlite3" if _databases is None else _databases.of(folder)


def library_in(folder: Path) -> Library:
    """The library that belongs to a folder; at the end of a test its connections are closed."""
    library = Library.open(address_in(folder))
    _opened.append(library)
    return library


@contextmanager
def written_by_another(address: Address) -> Iterator[None]:
    """Another process is in the midst of a long transaction."""
    library = Library.open(address)
    try:
        with library.transaction():
            yield
    finally:
        library.close()


@pytest.fixture(autouse=True)
def _closed_connections() -> Iterator[None]:
    yield
    while _opened:
        _opened.pop().close()


@pytest.fixture(scope="session", autouse=True)
def _database_server(request: pytest.FixtureRequest) -> Iterator[None]:
    """The server that `--database` names, or starts, if it does."""
    global _databases  # noqa: PLW0603 - as an option of the whole run is
    named = str(request.config.getoption("--database"))
    if named == SQLITE:
        yield
        return
    with ExitStack() as running:
        if named == POSTGRESQL:
            from tests.cluster.postgresql import running_postgresql

            named = running.enter_context(running_postgresql()).url("postgres")
        _databases = Databases(named)
        yield
        _databases = None


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--database",
        default=SQLITE,
        help="Where libraries are of tests that can do with both: sqlite, postgresql, or the "
        "address of a PostgreSQL that runs.",
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--database") != SQLITE:
        for item in items:
            if item.get_closest_marker("sqlite"):
                item.add_marker(pytest.mark.skip(reason="is of SQLite's own"))
