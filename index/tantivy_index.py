"""Writing a tantivy index that is a part of a generation: in one go, or as the next of another.

tantivy never changes a file that it has written, but for `meta.json` and its like, which it
replaces. So an index that is to grow shares the files of the one before it (hard links), and that
one stays as it is.
"""

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

import tantivy

from index.files import link_or_copy


class IndexWriter:
    """Adds documents to an index, and removes some; all of it is on disk when the block ends.

    A new `folder` is made. With `grown_from` the index begins as that one, whose files it shares.
    """

    def __init__(
        self,
        folder: Path,
        schema: tantivy.Schema,
        key: str,
        grown_from: Path | None = None,
    ) -> None:
        """`key` is the field that `remove` looks at."""
        folder.mkdir()
        if grown_from is not None:
            _share(grown_from, folder)
        self._key = key
        with _as_os_errors():
            index = tantivy.Index(schema, path=str(folder))
            self._writer = index.writer(heap_size=64_000_000, num_threads=1)

    def add(self, document: tantivy.Document) -> None:
        with _as_os_errors():
            self._writer.add_document(document)

    def remove(self, key: str) -> None:
        """Removes what was there before under `key`, not what is added after."""
        self._writer.delete_documents_by_term(self._key, key)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is None:
            with _as_os_errors():
                self._writer.commit()
                self._writer.wait_merging_threads()


@contextlib.contextmanager
def _as_os_errors() -> Iterator[None]:
    """tantivy says by a ValueError that a disk is full."""
    try:
        yield
    except ValueError as error:
        raise OSError(str(error)) from error


def _share(old: Path, new: Path) -> None:
    for path in old.iterdir():
        if path.suffix == ".json":
            shutil.copyfile(path, new / path.name)
        elif path.suffix != ".lock":
            link_or_copy(path, new / path.name)
