"""The dense half in a cluster: nearest neighbours by cosine, in Lucene's graphs (HNSW).

Which they are is found there; how near they are is known exactly from the library's own vectors.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from index.embedding.encoder import Vector
from index.lexical import Scored
from index.library import Library
from index.opensearch.indices import EVERYTHING, RANKED, Indices, count_of, counting, scored
from index.opensearch.within import ClusterWithin

_LOOKED_AT = 800
"""Passages that are followed in each graph at least (`ef_search`): of a million made ones 800 find
0.98 of the nearest ten where 200 find 0.92, for 2 ms of a core (docs/scaling.md)."""


class ClusterDense:
    """As `index.layers.LayeredDense`, over the indices of one view."""

    def __init__(self, indices: Indices, library: Library, fingerprint: str) -> None:
        """`fingerprint` is of the model that made the vectors."""
        self._indices = indices
        self._library = library
        self._fingerprint = fingerprint

    def __len__(self) -> int:
        return count_of(self._indices.search(counting(EVERYTHING))) if self._indices else 0

    def search(
        self, vector: Vector, limit: int, within: ClusterWithin | None = None, /
    ) -> list[Scored]:
        """The `limit` passages nearest to `vector`, best first; a few of the farthest may be
        missed."""
        if not self._indices or limit == 0:
            return []
        near: dict[str, Any] = {
            "vector": vector.tolist(),
            "k": limit,
            "method_parameters": {"ef_search": max(limit, _LOOKED_AT)},
        }
        if within and within.clauses:
            near["filter"] = {"bool": {"filter": within.clauses}}
        body = {**RANKED, "size": limit, "query": {"knn": {"vector": near}}}
        return [(i, _cosine(score)) for i, score in scored(self._indices.search(body))]

    def similarities(self, vector: Vector, ids: Sequence[int]) -> npt.NDArray[np.float32]:
        """Cosines float32[len(ids)]; NaN of a passage that the library does not know."""
        known = self._library.passage_vectors(ids, self._fingerprint)
        cosines = np.full(len(ids), np.nan, np.float32)
        here = [at for at, passage_id in enumerate(ids) if passage_id in known]
        if here:
            cosines[here] = np.stack([known[ids[at]] for at in here]) @ vector
        return cosines


def _cosine(score: float) -> float:
    """Of what Lucene makes of an inner product, so that no score is below 0."""
    return score - 1 if score >= 1 else 1 - 1 / score
