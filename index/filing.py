"""Filing: into which collection a file goes, by what is known of it and of the folders above it."""

import os
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from collections.abc import Set as AbstractSet

from index.collection_names import DEFAULT


class Filing:
    """Says which collection each file is in. A new file goes where its folder's files are, so that
    a folder which was put into a closed collection leaks none of them into an open one."""

    def __init__(  # noqa: PLR0913, PLR0917 - what it goes by
        self,
        of_files: Mapping[str, str],
        of_folders: Mapping[str, str],
        named: str | None = None,
        given: AbstractSet[str] = frozenset(),
        uploads: str | None = None,
        of_all: Callable[[], Mapping[str, str]] = dict,
    ) -> None:
        """`of_files` are those of the known files that are at hand, `of_folders` of folders that
        were put into one, both by path; `named` is the one, if any is named, that the files and
        folders `given` go into now, with all below but what was put into another. What lies in the
        folder `uploads` says nothing of those above it. Where it matters what else lies around a
        file, `of_all` tells those of all known files."""
        self.named = named
        self._given = given
        self._uploads = uploads
        self._of_files = dict(of_files)
        self._of_folders = of_folders
        self._of_all = of_all
        self._within: defaultdict[str, set[str]] | None = None

    def of(self, path: str) -> str:
        """The collection of a known file, or the one that it goes into now."""
        return self._named_for(path) or self._of_files.get(path, DEFAULT)

    def held(self, path: str) -> str | None:
        """The collection that the file is in now, whatever is named; None for a new one."""
        return self._of_files.get(path)

    def note(self, path: str, collection: str) -> None:
        """The file is in that collection from now on."""
        self._of_files[path] = collection
        if self._within is not None:
            self._count(path, collection)

    def of_new(
        self,
        path: str,
        same: AbstractSet[str] = frozenset(),
        gone: AbstractSet[str] = frozenset(),
    ) -> str:
        """That of the nearest folder above the file that was put into one; else that of files which
        held the same and are `gone`, for it is they that came here; else that of the nearest folder
        whose known files are all of one; else that of the other files which hold the `same`. Where
        that is several, and else, the default."""
        return (
            self._of_folder_put(path)
            or _only(gone)
            or self._of_files_around(path)
            or _only(same)
            or DEFAULT
        )

    def of_moved(self, path: str) -> str:
        """That of a file which was moved: of a folder that was put into one, else its own."""
        return self._named_for(path) or self._of_folder_put(path) or self.of(path)

    def _named_for(self, path: str) -> str | None:
        """The one that is named, unless the file is in a folder further down that was put into
        another: to name the folder above once more does not open that."""
        if self.named is None or path in self._given:
            return self.named
        for folder in _folders_above(path):
            if folder in self._given:
                break
            if put := self._of_folders.get(folder):
                return put
        return self.named

    def _of_folder_put(self, path: str) -> str | None:
        above = (self._of_folders.get(folder) for folder in _folders_above(path))
        return next(filter(None, above), None)

    def _of_files_around(self, path: str) -> str | None:
        if self._within is None:
            self._within = defaultdict(set)
            for known, collection in {**self._of_all(), **self._of_files}.items():
                self._count(known, collection)
        for folder in _folders_above(path):
            if found := _only(self._within.get(folder, set())):
                return found
        return None

    def _count(self, path: str, collection: str) -> None:
        """Notes a file's collection for the folders above it, up to one that was put into one: what
        lies in that says nothing of those above."""
        assert self._within is not None
        for folder in _folders_above(path):
            inside = self._within[folder]
            if folder in self._of_folders or folder == self._uploads or collection in inside:
                break  # of a collection that is noted, so it is in all folders above
            inside.add(collection)


def _only(collections: AbstractSet[str]) -> str | None:
    return next(iter(collections)) if len(collections) == 1 else None


def _folders_above(path: str) -> Iterator[str]:
    """From the nearest to the root."""
    folder = os.path.dirname(path)  # noqa: PTH120 - of each file; `Path` takes ten times as long
    while True:
        yield folder
        above = os.path.dirname(folder)  # noqa: PTH120
        if above == folder:
            return
        folder = above
