"""The dense half of a generation: passage vectors in FAISS, searched exactly."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, cast

import faiss
import numpy as np
import numpy.typing as npt

from index.embedding.encoder import Matrix, Vector
from index.lexical import Scored

Ids = npt.NDArray[np.int64]


def write_dense_index(folder: Path, ids: Ids, batches: Iterable[Matrix], dimension: int) -> None:
    folder.mkdir()
    np.save(folder / "ids.npy", ids)
    index = faiss.IndexFlatIP(dimension)
    for batch in batches:
        index.add(batch)
    faiss.write_index(index, str(folder / "vectors.faiss"))


class DenseIndex:
    """Exact nearest neighbours by cosine. Safe to share between threads: it is never changed."""

    def __init__(self, folder: Path, without: Ids | None = None) -> None:
        self.ids: Ids = np.load(folder / "ids.npy")
        self._index = cast(Any, faiss.read_index(str(folder / "vectors.faiss")))
        self.dimension = d = int(self._index.d)
        n = self._index.ntotal
        self._vectors: Matrix = faiss.rev_swig_ptr(self._index.get_xb(), n * d).reshape(n, d)
        self._live = np.ones(n, bool)
        if without is not None:
            self._live[np.searchsorted(self.ids, without)] = False

    def __len__(self) -> int:
        return int(self._live.sum())

    def search(
        self, vector: Vector, limit: int, among: Sequence[int] | None = None
    ) -> list[Scored]:
        rows = np.flatnonzero(self._live)
        if among is not None:
            rows = rows[np.isin(self.ids[rows], np.asarray(among, np.int64))]
        scores = self._vectors[rows] @ vector
        order = np.argsort(-scores, kind="stable")[:limit]
        return [(int(self.ids[rows[i]]), float(scores[i])) for i in order]

    def rows(self, ids: Ids) -> Matrix:
        """float32[len(ids), d]: vectors of ids that the index is known to have."""
        return self._vectors[np.searchsorted(self.ids, ids)]
