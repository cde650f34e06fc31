"""Folders as they are now: which files they hold, what has vanished, and what cannot be listed."""

import os
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from index.errors import IngestRefusedError

_VANISHED_SHARE = 0.2
"""More than this share of a folder's files gone at once is asked about, not obeyed."""


@dataclass(frozen=True, slots=True)
class Skipped:
    """A file or folder that was left out, and why, in one line.

    `lasts` says that the file is to blame, and not tried again as long as it is as it is.
    """

    path: str
    reason: str
    lasts: bool = True


def listed(
    paths: Sequence[Path], known: Iterable[str], accepted: bool
) -> tuple[list[Path], list[Skipped]]:
    """Every file that `paths` name or hold, once and in a stable order, and what cannot be listed.

    A path that is gone, or an empty folder, is refused, unless documents are known from there and
    `accepted` says that they may go.
    """
    found: dict[Path, None] = {}
    unlisted: list[Skipped] = []
    for given in paths:
        path = absolute(given)
        before = len(found) + len(unlisted)
        if path.is_dir():
            found.update((file, None) for file in _walk(path, unlisted))
        elif path.exists():
            found[path] = None
        if len(found) + len(unlisted) > before:
            continue
        what = "holds no file" if path.is_dir() else "does not exist"
        if not _under(path, known):
            raise IngestRefusedError(f"{given} {what}; nothing was changed")
        if not accepted:
            raise IngestRefusedError(
                f"{given} {what}, though documents are known from there; if they are to be "
                "removed, run the command again with --yes. Nothing was changed."
            )
    return list(found), unlisted


def _walk(folder: Path, unlisted: list[Skipped]) -> Iterator[Path]:
    """The files under `folder`, without hidden ones; what cannot be followed goes to `unlisted`."""

    def note(path: str | Path, reason: str) -> None:
        unlisted.append(Skipped(printable(Path(path)), reason))

    def on_error(error: OSError) -> None:
        note(error.filename, f"cannot list the folder: {error.strerror}")

    for root, folders, names in os.walk(folder, onerror=on_error):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in folders:
            if Path(root, name).is_symlink():
                note(Path(root, name), "links to folders are not followed; name the folder itself")
        for name in sorted(names):
            if name.startswith((".", "~$")):
                continue
            # Whoever may write here could have us read, and hand out, what only we may read.
            if Path(root, name).is_symlink():
                note(Path(root, name), "links to files are not followed; name the file itself")
                continue
            yield Path(root, name)


def vanished_from(
    known: Collection[str],
    paths: Sequence[Path],
    files: Sequence[Path],
    unlisted: Sequence[Skipped],
) -> set[str]:
    """Known files that are gone from where they were; not those in a folder that is unlisted."""
    there = {str(file) for file in files}
    under = {path for given in paths for path in _under(absolute(given), known)}
    hidden = {path for skipped in unlisted for path in _under(Path(skipped.path), known)}
    return under - there - hidden


def require_meant(
    vanished: Collection[str], paths: Sequence[Path], known: Collection[str], accepted: bool
) -> None:
    """Raises IngestRefusedError when so much has vanished that it may be a disk that is missing."""
    under = {path for given in paths for path in _under(absolute(given), known)}
    if not accepted and len(vanished) > 1 and len(vanished) > _VANISHED_SHARE * len(under):
        raise IngestRefusedError(
            f"{len(vanished)} of the {len(under)} files known from there have vanished; if their "
            "documents are to be removed, run the command again with --yes. Nothing was changed."
        )


def _under(path: Path, known: Iterable[str]) -> list[str]:
    """Those of the `known` files that are `path`, or lie in it."""
    inside = str(path).rstrip(os.sep) + os.sep
    return [name for name in known if name == str(path) or name.startswith(inside)]


def places_of(paths: Sequence[Path]) -> list[str]:
    """The paths as files are known by, but for those by which none can be."""
    return [str(path) for path in map(absolute, paths) if printable(path) == str(path)]


def absolute(path: Path) -> Path:
    """The path as files are known by."""
    return path.expanduser().resolve()


def printable(path: Path) -> str:
    """The path as text that can be written; a name in another encoding than UTF-8 is altered."""
    return str(path).encode("utf-8", "replace").decode()
