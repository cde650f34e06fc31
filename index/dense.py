"""The dense half of a generation: passage vectors in FAISS, searched exactly."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import faiss
import numpy as np
import numpy.typing as npt

from index.embedding.encoder import Matrix, Vector
from index.lexical import Scored


def write_dense_index(path: Path, ids: Sequence[int], vectors: Matrix) -> None:
    """Writes float32[n, d] `vectors` under the passage `ids`; the inner product is their cosine."""
    index = faiss.IndexIDMap2(faiss.IndexFlatIP(vectors.shape[1]))
    if len(ids):
        index.add_with_ids(vectors, np.asarray(ids, dtype=np.int64))
    faiss.write_index(index, str(path))


class DenseIndex:
    """Exact nearest neighbours by cosine. Safe to share between threads: it is never changed."""

    def __init__(self, path: Path) -> None:
        # The stubs know only the base class, which has less.
        self._index = cast(Any, faiss.read_index(str(path)))
        ids = faiss.vector_to_array(self._index.id_map)
        self._rows = {int(passage_id): row for row, passage_id in enumerate(ids)}
        flat = cast(Any, faiss.downcast_index(self._index.index))
        self._vectors: Matrix = faiss.rev_swig_ptr(flat.get_xb(), flat.ntotal * flat.d).reshape(
            flat.ntotal, flat.d
        )

    def __len__(self) -> int:
        return int(self._index.ntotal)

    def search(
        self, vector: Vector, limit: int, passages: Sequence[int] | None = None
    ) -> list[Scored]:
        """The `limit` passages nearest to `vector`, best first, among `passages` if given."""
        limit = min(limit, len(self) if passages is None else len(passages))
        if limit == 0:
            return []
        parameters = None
        if passages is not None:
            wanted = np.asarray(passages, dtype=np.int64)
            selector: Any = faiss.IDSelectorBatch(wanted)
            parameters = faiss.SearchParameters(sel=selector)  # type: ignore[call-arg]
        # One core for one question: questions come side by side, and sharing out the few thousand
        # products of one search takes longer than doing them. OpenMP keeps this by thread.
        faiss.omp_set_num_threads(1)
        scores, ids = self._index.search(vector[np.newaxis], limit, params=parameters)
        found = zip(ids[0].tolist(), scores[0].tolist(), strict=True)
        return [(passage_id, score) for passage_id, score in found if passage_id >= 0]

    def similarities(self, vector: Vector, ids: Sequence[int]) -> npt.NDArray[np.float32]:
        """Cosines float32[len(ids)] of passages that are known to be in the index."""
        return self._vectors[[self._rows[passage_id] for passage_id in ids]] @ vector
