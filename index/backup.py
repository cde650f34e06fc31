"""One file that holds all that must not be lost, and the way back from it.

    library.sqlite3   as it was at one instant, whatever was written to it meanwhile; of a library
                      in PostgreSQL a copy, so that either can be restored in the other's place
    uploads/          files that were sent over HTTP; those of folders are left where they are
    backup.json       what the others are, with their checksums

A ZIP archive without compression: most of it are vectors, which do not get smaller.
"""

import contextlib
import hashlib
import json
import os
import secrets
import shutil
import sqlite3
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

import sqlalchemy as sa

from index.changes import FOLLOWED
from index.copying import copy_from_file, copy_to_file, last_id
from index.database import Address
from index.errors import BackupError
from index.files import UPLOAD_FOLDER, sync
from index.library import Library
from index.outbox import FORMER, SEARCHED
from index.queries import state_of
from index.tables import audit, passages

_FORMAT = 1
_LIBRARY, _ABOUT = "library.sqlite3", "backup.json"
_PIECE = 1024 * 1024
_OF_PLACES = ("uploads", "clock")
"""States that are of the hosts which serve: of their folder of uploaded files, and the time."""


@dataclass(frozen=True, slots=True)
class Backup:
    """What a backup holds. `uploads_dir` is where the uploads lay when it was made."""

    made_at: str
    uploads_dir: str
    documents: int
    checksums: dict[str, str]
    format: int = _FORMAT


def back_up(address: Address, uploads_dir: Path, file: Path) -> Backup:
    """Writes a backup to `file`; whoever reads or writes the library goes on meanwhile.

    Raises BackupError when the file exists already or cannot be written, and LibraryError.
    """
    if file.exists():
        raise BackupError(f"{file} exists already; name another file")
    unfinished = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        with tempfile.TemporaryDirectory(dir=file.parent, prefix=".backup-") as work:
            snapshot = Path(work) / _LIBRARY
            _copy_to_file(address, snapshot)
            about = _write(unfinished, snapshot, uploads_dir)
        sync(unfinished)
        unfinished.rename(file)
        sync(file.parent)
    except (OSError, sqlite3.Error) as error:
        raise BackupError(
            f"cannot write the backup {file}: {getattr(error, 'strerror', None) or error}; make "
            "room or name another place"
        ) from error
    finally:
        unfinished.unlink(missing_ok=True)
    return about


def restore(
    file: Path,
    address: Address,
    uploads_dir: Path,
    last_indexed: int = 0,
    finish: Callable[[Path], None] = lambda _: None,
) -> Backup:
    """Makes the library what it was when `file` was written; one transaction replaces all of it.

    But for the audit log: that of the library which is there goes on. `finish` is given the
    restored library before it comes into its place, and what it raises keeps it from there.

    To be called with the writer's lock held; the caller publishes afterwards. A service that has
    the library open goes on: passages get ids that were never used, beyond the `last_indexed`, so
    that it can mistake none. A damaged file is moved aside. Raises BackupError, and changes
    nothing, for a file that is no backup, damaged or too new.
    """
    # Where there is room for libraries, or for what people send.
    place = address.parent if isinstance(address, Path) else uploads_dir
    try:
        place.mkdir(parents=True, exist_ok=True)
        with (
            _opened(file) as (archive, about),
            tempfile.TemporaryDirectory(dir=place, prefix=".restore-") as work,
        ):
            for name in about.checksums:
                _extract(archive, name, Path(work) / name, about.checksums[name])
            restored = Path(work) / _LIBRARY
            Library.open(restored).close()  # migrates it forward
            beyond = max(last_indexed, _last_id_of(address))
            _bring_home(restored, about, uploads_dir, beyond)
            _take_another_identity(restored, _identities_of(address))
            _keep_of_today(address, restored)
            finish(restored)
            _place_uploads(Path(work) / "uploads", uploads_dir)
            _copy_from_file(restored, address)
    except (OSError, sqlite3.Error) as error:
        raise BackupError(
            f"cannot restore {file}: {getattr(error, 'strerror', None) or error}; the library is "
            "as it was. Make room or mend the folder's rights, then try again."
        ) from error
    return about


def _copy_to_file(address: Address, file: Path) -> None:
    if isinstance(address, Path):
        copy_database(address, file)
    else:
        with contextlib.closing(Library.open(address)) as library:
            copy_to_file(library, file)


def _copy_from_file(file: Path, address: Address) -> None:
    if isinstance(address, Path):
        copy_database(file, address)
    else:
        with contextlib.closing(Library.open(address)) as library:
            copy_from_file(file, library)


def copy_database(source: Path, target: Path) -> None:
    """Makes the SQLite database `target` what `source` is now, in one transaction.

    Both may be open elsewhere (SQLite's online backup, https://sqlite.org/backup.html).
    """
    with (
        contextlib.closing(sqlite3.connect(source)) as reading,
        contextlib.closing(sqlite3.connect(target, timeout=60)) as writing,
    ):
        reading.backup(writing)
        writing.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    sync(target, target.parent)


def _write(file: Path, snapshot: Path, uploads_dir: Path) -> Backup:
    checksums: dict[str, str] = {}
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED, allowZip64=True) as archive:
        checksums[_LIBRARY] = _add(archive, snapshot, _LIBRARY)
        for path in sorted(p for p in uploads_dir.glob(f"{UPLOAD_FOLDER}/*") if p.is_file()):
            name = f"uploads/{path.relative_to(uploads_dir).as_posix()}"
            with contextlib.suppress(FileNotFoundError):  # deleted since it was listed
                checksums[name] = _add(archive, path, name)
        library = Library.open(snapshot)
        about = Backup(
            made_at=datetime.now(UTC).isoformat(timespec="seconds"),
            uploads_dir=str(uploads_dir),
            documents=library.count()[0],
            checksums=checksums,
        )
        library.close()
        archive.writestr(_ABOUT, json.dumps(asdict(about), indent=2))
    return about


def _add(archive: zipfile.ZipFile, path: Path, name: str) -> str:
    """Adds the file, and gives its SHA-256."""
    digest = hashlib.sha256()
    with path.open("rb") as source, archive.open(name, "w", force_zip64=True) as target:
        while piece := source.read(_PIECE):
            digest.update(piece)
            target.write(piece)
    return digest.hexdigest()


@contextlib.contextmanager
def _opened(file: Path) -> Iterator[tuple[zipfile.ZipFile, Backup]]:
    with contextlib.ExitStack() as held:
        try:
            archive = held.enter_context(zipfile.ZipFile(file))
            fields = json.loads(archive.read(_ABOUT))
            if fields.get("format") != _FORMAT:
                raise BackupError(f"{file} was made by a newer version of Kildesvar; use that one")
            about = Backup(**fields)
        except (zipfile.BadZipFile, KeyError, TypeError, ValueError, AttributeError) as error:
            raise BackupError(
                f"{file} is no backup of Kildesvar, or is damaged; nothing was changed"
            ) from error
        yield archive, about


def _extract(archive: zipfile.ZipFile, name: str, target: Path, checksum: str) -> None:
    """Writes a file of the archive, once it is sure that it stays within its folder."""
    parts = Path(name).parts
    if name != _LIBRARY and (parts[0] != "uploads" or ".." in parts or "\\" in name):
        raise BackupError(f"the backup holds {name!r}, which it should not; nothing was changed")
    target.parent.mkdir(parents=True, exist_ok=True)
    digest = hashlib.sha256()
    try:
        with archive.open(name) as source, target.open("wb") as copy:
            while piece := source.read(_PIECE):
                digest.update(piece)
                copy.write(piece)
    except (zipfile.BadZipFile, KeyError, EOFError) as error:
        raise BackupError(f"{name} of the backup is damaged; nothing was changed") from error
    if digest.hexdigest() != checksum:
        raise BackupError(f"{name} of the backup is damaged; nothing was changed")


def _bring_home(restored: Path, about: Backup, uploads_dir: Path, beyond: int) -> None:
    """Fits the restored library to its place: ids beyond those used, paths of here.

    Ids are moved by more than the highest of its own too, or some would meet on the way.
    """
    with contextlib.closing(sqlite3.connect(restored)) as library, library:
        shift = max(beyond, _last_id(library))
        library.execute("UPDATE passages SET id = id + ?", (shift,))
        library.execute(
            "UPDATE sqlite_sequence SET seq = seq + ? WHERE name = 'passages'", (shift,)
        )
        old, new = f"{about.uploads_dir}{os.sep}", f"{uploads_dir}{os.sep}"
        for table in ("sources", "left_out", "jobs"):
            library.execute(
                f"UPDATE {table} SET path = ? || substr(path, ?) WHERE substr(path, 1, ?) = ?",
                (new, len(old) + 1, len(old), old),
            )


def _take_another_identity(restored: Path, replaced: Mapping[str, bool]) -> None:
    """Gives the restored library an identity of its own, and notes which it comes after.

    An index elsewhere is not taken for its own, and knows nothing of what waited to be told to it;
    but the name is its to take over.
    """
    with contextlib.closing(sqlite3.connect(restored)) as library, library:
        # What another library may search still, as the one that the backup is of, is left alone.
        former = {**dict.fromkeys(_identities(library), False), **replaced}
        new = {"identity": secrets.token_hex(8), FORMER: json.dumps(former)}
        for name in (*new, FOLLOWED, SEARCHED, *_OF_PLACES):
            library.execute("DELETE FROM state WHERE name = ?", (name,))
        library.executemany("INSERT INTO state (name, value) VALUES (?, ?)", new.items())
        library.execute("DELETE FROM outbox")


def _identities_of(address: Address) -> dict[str, bool]:
    """The identities that the library has had which is there, all of which are replaced."""
    if isinstance(address, Path):
        if not address.exists():
            return {}
        try:
            with contextlib.closing(sqlite3.connect(address)) as live:
                return _identities(live)
        except sqlite3.OperationalError:
            return {}  # one that has not been made yet
    with (
        contextlib.closing(Library.open(address)) as library,
        library.engine.connect() as connection,
    ):
        former = json.loads(state_of(connection, FORMER) or "{}")
        return {str(state_of(connection, "identity")): True, **former}


def _identities(library: sqlite3.Connection) -> dict[str, bool]:
    query = "SELECT name, value FROM state WHERE name IN ('identity', ?)"
    found = dict(library.execute(query, (FORMER,)).fetchall())
    own = {found["identity"]: True} if "identity" in found else {}
    return {**own, **json.loads(found.get(FORMER, "{}"))}


def _keep_of_today(address: Address, restored: Path) -> None:
    """Keeps of the library that there is, if any, what must not go back in time: the audit log, and
    who may come in.

    What was done after the backup was made was done all the same, a key that has been revoked
    since then stays revoked, and who was signed in then is so no more, wherever it is restored.
    """
    with contextlib.closing(sqlite3.connect(restored)) as library:
        with library:
            library.execute("DELETE FROM main.sessions")
            if not isinstance(address, Path):  # where they stay as they are
                if _has_audit(address):
                    library.execute("DELETE FROM main.audit")
                return
        if not address.exists():
            return
        library.execute("ATTACH ? AS live", (str(address),))
        tables = "SELECT 1 FROM live.sqlite_master WHERE name = 'audit'"
        if library.execute(tables).fetchone() is None:
            return  # one that has not been made yet, or is to be migrated
        with library:
            library.execute("DELETE FROM main.audit")
            for table in ("audit", "keys", "sessions"):
                library.execute(f"INSERT OR REPLACE INTO main.{table} SELECT * FROM live.{table}")


def _has_audit(address: str) -> bool:
    with (
        contextlib.closing(Library.open(address)) as library,
        library.engine.connect() as connection,
    ):
        return connection.scalar(sa.select(audit.c.id).limit(1)) is not None


def _last_id_of(address: Address) -> int:
    """The last passage id ever used by the library that there is; a damaged file is moved aside."""
    if isinstance(address, Path):
        return _last_id_of_file(address)
    with (
        contextlib.closing(Library.open(address)) as library,
        library.engine.connect() as connection,
    ):
        return last_id(connection, passages)


def _last_id_of_file(library_path: Path) -> int:
    if not library_path.exists():
        return 0
    try:
        with contextlib.closing(sqlite3.connect(library_path)) as live:
            return _last_id(live)
    except sqlite3.OperationalError:
        return 0  # one that has not been made yet
    except sqlite3.DatabaseError:
        for path in library_path.parent.glob(f"{library_path.name}*"):
            path.rename(path.with_name(f"damaged-{path.name}"))
        return 0


def _last_id(connection: sqlite3.Connection) -> int:
    query = "SELECT seq FROM sqlite_sequence WHERE name = 'passages'"
    row = connection.execute(query).fetchone()
    return int(row[0]) if row else 0


def _place_uploads(extracted: Path, uploads_dir: Path) -> None:
    """Moves uploads to their place; one that lies there already is the same file."""
    for folder in extracted.glob("*"):
        place = uploads_dir / folder.name
        if not place.exists():
            uploads_dir.mkdir(parents=True, exist_ok=True)
            sync(*folder.rglob("*"), folder)
            shutil.move(folder, place)
    if uploads_dir.exists():
        sync(uploads_dir)
