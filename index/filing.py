"""Filing: into which collection a file goes, by what is known of it and of the folders above it."""

import os
from collections import defaultdict
from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet

from index.collection_names import DEFAULT


class Collections:
    """The collections of files. A new file goes where its folder's files are, so that a folder
    which was put into a closed collection leaks none of them into an open one."""

    def __init__(
        self,
        of_files: Mapping[str, str],
        of_folders: Mapping[str, str],
        named: str | None = None,
        uploads: str | None = None,
    ) -> None:
        """`of_files` are those of known files, `of_folders` of folders that were put into one, both
        by path; `named` is the one that all files now go into, if any is named. What lies in the
        folder `uploads` says nothing of those above it."""
        self.named = named
        self._uploads = uploads
        self._of_files = dict(of_files)
        self._of_folders = of_folders
        self._within: dict[str, set[str]] | None = None

    def of(self, path: str) -> str:
        """The collection of a known file, or the one that is named."""
        return self.named or self._of_files.get(path, DEFAULT)

    def held(self, path: str) -> str | None:
        """The collection that the file is in now, whatever is named; None for a new one."""
        return self._of_files.get(path)

    def note(self, path: str, collection: str) -> None:
        """The file is in that collection from now on."""
        self._of_files[path] = collection

    def of_new(self, path: str, same: AbstractSet[str] = frozenset()) -> str:
        """That of the nearest folder above the file that was put into one, or whose known files are
        all of one; else that of the files which hold the `same`, if it is one; else the default."""
        return self._of_folder_above(path) or (next(iter(same)) if len(same) == 1 else DEFAULT)

    def of_moved(self, path: str) -> str:
        """That of a file which was moved: its new folder's, if that has one, else its own."""
        return self.named or self._of_folder_above(path) or self.of(path)

    def _of_folder_above(self, path: str) -> str | None:
        if self._within is None:
            self._within = self._counted()
        for folder in _folders_above(path):
            if folder in self._of_folders:
                return self._of_folders[folder]
            if len(inside := self._within.get(folder, set())) == 1:
                return next(iter(inside))
        return None

    def _counted(self) -> dict[str, set[str]]:
        """Of each folder, the collections of the files below it, but of those in a folder that was
        put into one: they say nothing of the folders above that one."""
        within: defaultdict[str, set[str]] = defaultdict(set)
        for path, collection in self._of_files.items():
            for folder in _folders_above(path):
                if folder in self._of_folders or folder == self._uploads:
                    break
                if collection in within[folder]:
                    break  # and so it is in all folders above
                within[folder].add(collection)
        return within


def _folders_above(path: str) -> Iterator[str]:
    """From the nearest to the root."""
    folder = os.path.dirname(path)  # noqa: PTH120 - of each file; `Path` takes ten times as long
    while True:
        yield folder
        above = os.path.dirname(folder)  # noqa: PTH120
        if above == folder:
            return
        folder = above
