"""What the library knows of files, against the files that are there now."""

import os
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path

from index.errors import InaccessibleFileError
from index.files import accessed, is_there, sha256_of
from index.filing import Filing
from index.library import Library
from index.readers import readers_of
from index.records import DELETED, LeftOut, Source
from index.text import normalise_line


class KnownFiles:
    """Files in some places that were read, and that are left out, by path. All others are looked up
    by what they hold, so that the few that somebody sends in cost no more in a large library."""

    def __init__(
        self,
        library: Library,
        places: Sequence[str],
        filing: Filing,
        ocr: bool,
        leaves_out: bool = True,
    ) -> None:
        """`filing` says into which collection each file goes, `ocr` how it is read, and
        `leaves_out` whether one that cannot be read is noted as such, and what it held goes."""
        self._library = library
        self._ocr = ocr
        self.filing = filing
        self.leaves_out = leaves_out
        self.sources = library.sources(places)
        self.left_out = library.left_out(places)
        self.deleted = frozenset(
            path for path, of in self.left_out.items() if of.source.readers == DELETED
        )
        """Paths of those whose documents a person deleted, whatever is forgotten later."""
        self._gone: frozenset[str] = frozenset()
        self._asks_for_twins = self._asks_for_deleted = True
        self._by_content: dict[str, list[Source]] = defaultdict(list)
        for source in self.sources.values():
            self._by_content[source.file_hash].append(source)
        self._found: dict[str, list[tuple[Source, str]]] = {}

    def now(self, path: Path) -> Source:
        """The file as it is now, as these readers would read it. Raises InaccessibleFileError."""
        status = accessed(path.stat)
        file_hash = "sha256:" + accessed(lambda: sha256_of(path))
        readers = readers_of(path, self._ocr)
        return Source(str(path), status.st_size, status.st_mtime_ns, file_hash, readers)

    def before(self, path: Path) -> Source | None:
        """The file as these readers read it or left it out, if they did."""
        left_out = self.left_out.get(str(path))
        before = left_out.source if left_out else self.sources.get(str(path))
        is_so = before and before.readers in (readers_of(path, self._ocr), DELETED)
        return before if is_so else None

    def collection_of(self, source: Source) -> str:
        """The collection that the file belongs to, or is to go into."""
        path = source.path
        if self.filing.named or self.filing.held(path):
            return self.filing.of(path)
        same: set[str] = set()
        gone: set[str] = set()
        for other, held in self._holding(source.file_hash):
            (same if is_there(Path(other.path)) else gone).add(held)
        return self.filing.of_new(path, same, gone)

    def deleted_as(self, source: Source, collection: str) -> LeftOut | None:
        """A file that holds the same, and whose document a person deleted from the collection."""
        if not self._asks_for_deleted:
            return None
        return self._library.deleted_holding(source.file_hash, collection)

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
        if not self._asks_for_twins:
            return None
        for other, held in self._holding(source.file_hash):
            if other.path not in self._gone and held == collection and _are_same(source, other):
                return other.path
        return None

    def forget_left_out(self) -> None:
        """What was left out or deleted is read all the same."""
        self.left_out.clear()
        self._asks_for_deleted = False

    def forget_read(self) -> None:
        """Each file is read, whatever holds the same."""
        self.sources.clear()
        self._asks_for_twins = False

    def forget(self, paths: Collection[str]) -> None:
        """What is gone is nobody's twin."""
        self._gone |= frozenset(paths)
        for path in paths & self.sources.keys():
            del self.sources[path]

    def note_read(self, source: Source, collection: str) -> None:
        """The file was read into the collection: others that hold the same are copies of it."""
        found = self._found.setdefault(source.file_hash, [])
        if all(held != collection for _, held in found):
            found.append((source, collection))

    def _holding(self, file_hash: str) -> Iterator[tuple[Source, str]]:
        """Files that held this when it was first asked for, and of those read since one in each
        collection. A file that was changed or removed meanwhile tells still whose text it was."""
        if file_hash not in self._found:
            self._found[file_hash] = self._library.holding(file_hash)
        there = set()
        for source, collection in self._found[file_hash]:
            there.add(source.path)
            yield source, self.filing.held(source.path) or collection
        for source in self._by_content.get(file_hash, ()):
            if source.path not in there and (held := self.filing.held(source.path)):
                yield source, held


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
