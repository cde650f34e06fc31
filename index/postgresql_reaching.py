"""How a PostgreSQL server is reached, and what is said when it is not: never its password."""

import re
import socket
from typing import Any

import psycopg
from psycopg.abc import Buffer
from psycopg.conninfo import conninfo_to_dict
from psycopg.types.string import StrDumper

from index.errors import LibraryError, LibraryUnavailableError

_CONNECTS_WITHIN = 0.5
"""Seconds that a server has to take a connection; together with those in which a dead one is
noticed they are fewer than two, after which whoever asked is to be told."""
_HOW: dict[str, Any] = {
    "application_name": "kildesvar",
    "connect_timeout": 2,  # the least that there is
    "tcp_user_timeout": 600,
    "keepalives": 1,
    "keepalives_idle": 1,
    "keepalives_interval": 1,
    "keepalives_count": 1,
}
_SESSION = (
    # The server's side of it: what a host held that is gone without a word is let go soon, too.
    "SET tcp_keepalives_idle = 5",
    "SET tcp_keepalives_interval = 5",
    "SET tcp_keepalives_count = 3",
    "SET tcp_user_timeout = 15000",
    "SET idle_in_transaction_session_timeout = 300000",
)
_REMEDIES = (
    ("password|passord", "set the right user and password in KILDESVAR_DATABASE_URL"),
    (
        'database ".*" does not exist',
        "make the database (`CREATE DATABASE name ENCODING 'UTF8' TEMPLATE template0`), or name "
        "the right one in KILDESVAR_DATABASE_URL",
    ),
    ('role ".*" does not exist', "make the user, or name the right one in KILDESVAR_DATABASE_URL"),
    ("pg_hba.conf", "let this host in, in the server's pg_hba.conf"),
    (
        "invalid response to SSL negotiation",
        "see whether it is PostgreSQL that listens there, and mend KILDESVAR_DATABASE_URL",
    ),
    ("SSL|certificate", "see `sslmode` and `sslrootcert` in KILDESVAR_DATABASE_URL"),
)
_PASSING = re.compile(
    r"starting up|shutting down|recovery mode|too many (clients|connections)|remaining connection"
)


class _TextDumper(StrDumper):
    """Text cannot hold a NUL there. What is sought with one is so found nowhere, as is right."""

    def dump(self, obj: str) -> Buffer | None:
        return super().dump(obj.replace("\0", "\ufffd"))


class Place:
    """A database at an address; as text, where it is, without the password."""

    def __init__(self, address: str) -> None:
        """Raises LibraryError for an address that cannot be understood."""
        self._address = address
        self._parts = _parts_of(address)
        if not self._parts:
            raise LibraryError(
                "KILDESVAR_DATABASE_URL cannot be understood; write an address such as "
                "postgresql://user:password@db.example:5432/kildesvar, with %-codes for what is no "
                "letter or digit of the password"
            )

    def __str__(self) -> str:
        hosts = ", ".join(
            host if host.startswith("/") else f"{host}:{port}" for host, port in self._hosts()
        )
        return f"the database «{self._parts.get('dbname', '')}» of PostgreSQL at {hosts}"

    def connect(self, context: Any) -> "psycopg.Connection[Any]":
        """A new connection. Raises psycopg.OperationalError, at once where nobody answers."""
        self._require_listening()
        how = {name: value for name, value in _HOW.items() if name not in self._parts}
        connection = psycopg.connect(self._address, context=context, **how)
        try:
            connection.adapters.register_dumper(str, _TextDumper)
            connection.autocommit = True
            connection.execute("; ".join(_SESSION))
            connection.autocommit = False
        except BaseException:
            connection.close()
            raise
        return connection

    def _require_listening(self) -> None:
        """The driver itself waits for two seconds at least, for a host that is not there."""
        hosts = self._hosts()
        if len(hosts) != 1 or hosts[0][0].startswith("/"):
            return
        try:
            socket.create_connection(hosts[0], timeout=_CONNECTS_WITHIN).close()
        except OSError as error:
            raise psycopg.OperationalError(
                f"nobody answers there: {error.strerror or error}"
            ) from error

    def _hosts(self) -> list[tuple[str, int]]:
        hosts = str(self._parts.get("hostaddr") or self._parts.get("host") or "localhost")
        ports = str(self._parts.get("port") or 5432).split(",")
        names = hosts.split(",")
        return [(name, int(ports[min(at, len(ports) - 1)])) for at, name in enumerate(names)]


def _parts_of(address: str) -> dict[str, Any]:
    """None for one that cannot be understood: the driver's error shows what it stumbled at, such as
    a password."""
    try:
        return dict(conninfo_to_dict(address))
    except psycopg.Error:
        return {}


def unreachable(place: Place, error: BaseException) -> LibraryError:
    """What it means that no connection could be had."""
    said = _last_line(str(error))
    for pattern, remedy in _REMEDIES:
        if re.search(pattern, said):
            return LibraryError(f"{place} refuses this service ({said}); {remedy}")
    if _PASSING.search(said):
        return LibraryUnavailableError(
            f"{place} takes no connection now ({said}); try again in a while. Of too many, see "
            "max_connections in docs/postgresql.md"
        )
    return LibraryUnavailableError(
        f"{place} cannot be reached ({said}); see that it runs, and that KILDESVAR_DATABASE_URL "
        "names its host and port"
    )


def _last_line(text: str) -> str:
    """What the server itself said, after what the driver has to say of where it is."""
    return re.split(r"FATAL: +|\bfailed: +", " ".join(text.split()))[-1]
