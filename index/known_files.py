"""What the library knows of files, against the files that are there now."""

import os
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from index.errors import InaccessibleFileError
from index.files import accessed, is_there, sha256_of
from index.filing import Filing
from index.readers import readers_of
from index.records import DELETED, LeftOut, Source
from index.text import normalise_line


@dataclass(slots=True)
class KnownFiles:
    """Files that were read, and files that are left out, by path; `ocr` says how they are now.

    `leaves_out` says whether a file that cannot be read is noted as such, and what it held goes.
    `collections` says into which collection each file goes.
    """

    sources: dict[str, Source]
    left_out: dict[str, LeftOut]
    ocr: bool
    filing: Filing
    leaves_out: bool = True
    deleted: frozenset[str] = field(init=False)
    """Paths of the files whose documents a person deleted, whatever is forgotten of them later."""
    _by_content: dict[str, list[Source]] = field(init=False)

    def __post_init__(self) -> None:
        deleted = (path for path, of in self.left_out.items() if of.source.readers == DELETED)
        self.deleted = frozenset(deleted)
        self._by_content = defaultdict(list)
        for source in self.sources.values():
            self._by_content[source.file_hash].append(source)

    def now(self, path: Path) -> Source:
        """The file as it is now, as these readers would read it. Raises InaccessibleFileError."""
        status = accessed(path.stat)
        file_hash = "sha256:" + accessed(lambda: sha256_of(path))
        readers = readers_of(path, self.ocr)
        return Source(str(path), status.st_size, status.st_mtime_ns, file_hash, readers)

    def before(self, path: Path) -> Source | None:
        """The file as these readers read it or left it out, if they did."""
        left_out = self.left_out.get(str(path))
        before = left_out.source if left_out else self.sources.get(str(path))
        is_so = before and before.readers in (readers_of(path, self.ocr), DELETED)
        return before if is_so else None

    def collection_of(self, source: Source) -> str:
        """The collection that the file belongs to, or is to go into."""
        path = source.path
        if self.filing.named or self.filing.held(path):
            return self.filing.of(path)
        same: set[str] = set()
        gone: set[str] = set()
        for other in self._by_content.get(source.file_hash, ()):
            if held := self.filing.held(other.path):
                (same if is_there(Path(other.path)) else gone).add(held)
        return self.filing.of_new(path, same, gone)

    def deleted_as(self, source: Source, collection: str) -> LeftOut | None:
        """A file that holds the same, and whose document a person deleted from the collection."""
        for left_out in self.left_out.values():
            same = left_out.source.file_hash == source.file_hash
            if same and left_out.source.readers == DELETED and left_out.collection == collection:
                return left_out
        return None

    def moves(
        self, gone: Collection[str], files: Sequence[Path], titles: Mapping[str, str]
    ) -> dict[str, Source]:
        """For files that are gone the one that holds the same now, by their old path.

        A document that has its file's name for a title (`titles`, by path) is not among them: it is
        to be read anew.
        """
        sizes: dict[int, list[Source]] = defaultdict(list)
        for path in sorted(gone & titles.keys()):
            if titles[path] != normalise_line(Path(path).stem):
                sizes[self.sources[path].size].append(self.sources[path])
        moves: dict[str, Source] = {}
        for file in files:
            if str(file) in self.sources or str(file) in self.left_out:
                continue
            try:
                candidates = sizes.get(accessed(file.stat).st_size, [])
                found = self.now(file) if candidates else None
            except InaccessibleFileError:
                continue  # to be named when its turn to be read has come
            if found and (old := next((s for s in candidates if _are_same(s, found)), None)):
                candidates.remove(old)
                moves[old.path] = found
        return moves

    def twin(self, source: Source, collection: str) -> str | None:
        """The path of another file that holds the same, if one was read into the collection and is
        there still."""
        for other in self._by_content.get(source.file_hash, ()):
            is_there = other.path in self.sources and _are_same(source, other)
            if is_there and self.filing.held(other.path) == collection:
                return other.path
        return None

    def forget(self, paths: Collection[str]) -> None:
        """What is gone is nobody's twin."""
        for path in paths & self.sources.keys():
            del self.sources[path]


def is_untouched(source: Source, status: os.stat_result) -> bool:
    """Whether the file has the size and the time that it had."""
    return (source.size, source.modified_ns) == (status.st_size, status.st_mtime_ns)


def _are_same(one: Source, other: Source) -> bool:
    """Whether two files hold the same bytes, and the same readers would make the same of them."""
    return (
        one.file_hash == other.file_hash
        and one.readers == other.readers
        and Path(one.path).suffix.lower() == Path(other.path).suffix.lower()
    )
