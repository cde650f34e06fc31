"""The dense half of a generation, in layers: a large base, what came since, and what is gone.

    base/        every passage when the base was made
    delta/       passages that came since; absent when none did
    gone.npy     int64[n], ascending: ids of the base that the library has no more

A small change to a large library writes a small delta, and shares the base with the generation
before it. Both layers give exact cosines, so that their results merge as they are.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from index.dense import DenseIndex, write_dense_index
from index.embedding.encoder import Matrix, Vector
from index.files import link_or_copy
from index.lexical import Scored
from index.records import IdRanges, Ids


@dataclass(frozen=True, slots=True)
class Change:
    """Ids that a library has and a generation lacks, and the reverse; int64, ascending."""

    added: Ids
    removed: Ids

    def __len__(self) -> int:
        return len(self.added) + len(self.removed)


class LayeredDense:
    """Nearest neighbours by cosine in a base and its delta. Safe to share between threads."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._gone: Ids = np.load(folder / "gone.npy")
        self._base = DenseIndex(folder / "base", self._gone)
        self._delta = DenseIndex(folder / "delta") if (folder / "delta").exists() else None

    def __len__(self) -> int:
        return len(self._base) + (len(self._delta) if self._delta else 0)

    @property
    def base_ids(self) -> Ids:
        """int64[n], ascending: what the base holds, with what is gone of it."""
        return self._base.ids

    @property
    def overgrowth(self) -> float:
        """How much has changed since the base was made, as a share of it."""
        changed = len(self._gone) + (len(self._delta) if self._delta else 0)
        return changed / max(1, len(self._base.ids))

    def search(self, vector: Vector, limit: int, among: IdRanges | None = None) -> list[Scored]:
        """The `limit` passages nearest to `vector`, best first, within `among` if given.

        Those of `among` that are not here are passed over.
        """
        found = self._base.search(vector, limit, among)
        if self._delta:
            found = [*found, *self._delta.search(vector, limit, among)]
            found.sort(key=lambda scored: -scored[1])
        return found[:limit]

    def holds(self, ids: Ids) -> npt.NDArray[np.bool_]:
        """Of each of `ids`, whether it can be found here."""
        here = self._base.holds(ids)
        return here | self._delta.holds(ids) if self._delta else here

    def similarities(self, vector: Vector, ids: Sequence[int]) -> npt.NDArray[np.float32]:
        """Cosines float32[len(ids)] of passages that are known to be here."""
        return self.rows(np.asarray(ids, dtype=np.int64)) @ vector

    def rows(self, ids: Ids) -> Matrix:
        """float32[len(ids), d]: vectors of passages that are known to be here."""
        if self._delta is None:
            return self._base.rows(ids)
        newer = self._delta.holds(ids)
        rows = self._delta.rows(ids[newer])
        found: Matrix = np.empty((len(ids), rows.shape[1]), np.float32)
        found[newer] = rows
        found[~newer] = self._base.rows(ids[~newer])
        return found

    def change_to(self, ids: Ids) -> Change:
        """What `ids` (ascending) have and this has not, and the reverse."""
        own = self._ids()
        return Change(
            np.setdiff1d(ids, own, assume_unique=True), np.setdiff1d(own, ids, assume_unique=True)
        )

    def grow(self, folder: Path, change: Change, vectors: Iterable[Matrix]) -> None:
        """Writes into `folder` what this becomes by `change`; `vectors` are those that it adds."""
        (folder / "base").mkdir()
        for path in (self._folder / "base").iterdir():
            link_or_copy(path, folder / "base" / path.name)
        gone = np.union1d(self._gone, np.intersect1d(change.removed, self._base.ids))
        np.save(folder / "gone.npy", gone)
        kept = np.empty(0, np.int64) if self._delta is None else self._delta.ids
        kept = np.setdiff1d(kept, change.removed, assume_unique=True)
        ids = np.concatenate([kept, change.added])
        rows = np.concatenate([self.rows(kept), *vectors])
        if len(ids):
            order = np.argsort(ids)
            write_dense_index(folder / "delta", ids[order], [rows[order]])

    def _ids(self) -> Ids:
        """int64[n], ascending: all that is here."""
        live = self._base.ids[self._base.holds(self._base.ids)]
        return live if self._delta is None else np.union1d(live, self._delta.ids)


def write_layers(folder: Path, ids: Ids, vectors: Iterable[Matrix]) -> None:
    """Writes a base of the passages `ids` (ascending) and their float32[n, d] into `folder`."""
    write_dense_index(folder / "base", ids, vectors)
    np.save(folder / "gone.npy", np.empty(0, np.int64))
