"""Retrieval: the question against passages, by meaning and by words, in one ranking."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from time import perf_counter

import numpy as np
import numpy.typing as npt

from index.analysis import Analyser
from index.duplicates import near_duplicates
from index.embedding.encoder import Encoder, Vector
from index.errors import LibraryError
from index.facets import Facts
from index.lexical import Scored
from index.library import Library
from index.records import Filters, StoredPassage
from index.views import View
from index.wording import Wording, Wordings

Scores = npt.NDArray[np.float32]

Ranked = tuple[int, float, float, float]
"""Passage id, score, cosine, BM25."""


@dataclass(frozen=True, slots=True)
class RetrievalSettings:
    """How many passages each half hands over to fusion, and how much the dense half weighs."""

    candidates: int = 100
    dense_weight: float = 0.5
    refined: int = 40
    """Candidates compared with the question unit by unit. Of NorQuAD's questions 99 of 100 have the
    right passage among them."""


@dataclass(frozen=True, slots=True)
class Hit:
    """A passage found. `score` is in [0, 1] and comparable within one result only."""

    passage: StoredPassage
    score: float
    cosine: float
    bm25: float


@dataclass(frozen=True, slots=True)
class SearchResult:
    """Hits from best to worst. `total` counts all candidates, `documents` all that were searched;
    times are milliseconds."""

    hits: list[Hit]
    total: int
    documents: int
    query_vector: Vector
    wording: Wording
    embed_ms: float
    retrieve_ms: float


@dataclass(frozen=True, slots=True)
class Browsed:
    """One page of a search, and what is known of the documents of all its candidates."""

    result: SearchResult
    candidates: list[Facts]


@dataclass(frozen=True, slots=True)
class _Ranking:
    """All candidates from best to worst, and those of them that are at hand already."""

    ranked: list[Ranked]
    known: dict[int, StoredPassage]
    documents: int
    vector: Vector
    wording: Wording
    embed_ms: float
    embedded: float

    def page(self, hits: list[Hit]) -> SearchResult:
        return SearchResult(
            hits=hits,
            total=len(self.ranked),
            documents=self.documents,
            query_vector=self.vector,
            wording=self.wording,
            embed_ms=self.embed_ms,
            retrieve_ms=(perf_counter() - self.embedded) * 1000,
        )


class Retriever:
    """Searches one generation and hydrates what it finds from the library."""

    def __init__(
        self,
        library: Library,
        encoder: Encoder,
        analyser: Analyser,
        wordings: Wordings,
        settings: RetrievalSettings,
    ) -> None:
        self._library = library
        self._encoder = encoder
        self._analyser = analyser
        self._settings = settings
        self._wordings = wordings
        self._pool = ThreadPoolExecutor(max_workers=4, thread_name_prefix="lexical")

    def close(self) -> None:
        """Ends the threads that look words up."""
        self._pool.shutdown()

    def search(
        self,
        view: View,
        query: str,
        limit: int,
        offset: int = 0,
        filters: Filters | None = None,
    ) -> SearchResult:
        """The passages that fit `query` best, `limit` of them from place `offset`.

        Its spelling is mended first. The words are looked up while the model embeds the query. A
        passage that the library no longer knows is dropped; raises LibraryError when it knows none.
        """
        ranking = self._ranking(view, query, filters)
        page = ranking.ranked[offset : offset + limit]
        return ranking.page(self._hydrated(page, ranking.known))

    def browse(  # noqa: PLR0913, PLR0917 - what a reader can ask for
        self,
        view: View,
        query: str,
        limit: int,
        offset: int = 0,
        filters: Filters | None = None,
        newest_first: bool = False,
    ) -> Browsed:
        """As `search`, with what is known of the documents of all candidates.

        `newest_first` puts the candidates in the order of their documents' days; those of one day
        stay in the order in which they fit. Every candidate is on one page, and on one only.
        """
        ranking = self._ranking(view, query, filters)
        facts = self._library.facts([passage_id for passage_id, *_ in ranking.ranked])
        ranked = [entry for entry in ranking.ranked if entry[0] in facts]
        if newest_first:
            ranked.sort(key=lambda entry: facts[entry[0]].day, reverse=True)  # it is stable
        hits = self._hydrated(ranked[offset : offset + limit], ranking.known)
        result = replace(ranking, ranked=ranked).page(hits)
        return Browsed(result, [facts[passage_id] for passage_id, *_ in ranked])

    def _ranking(self, view: View, query: str, filters: Filters | None) -> _Ranking:
        began = perf_counter()
        wording = self._wordings.of(query, view.vocabulary)
        words = self._analyser.weights(wording.searched)
        within = view.within(filters) if filters else None
        candidates = self._settings.candidates
        lexical = self._pool.submit(view.lexical.search, words, candidates, within)
        vector = self._encoder.embed_query(wording.searched)
        embedded = perf_counter()
        dense = view.dense.search(vector, candidates, within)
        ranked = self._fused(view, vector, dense, lexical.result())
        refined = self._settings.refined
        known = self._library.passages([passage_id for passage_id, *_ in ranked[:refined]])
        if ranked[:refined] and not known:
            raise _replaced()
        best = self._refined(view, words, vector, [r for r in ranked[:refined] if r[0] in known])
        best = _uncrowded(best, known)
        ranked = [*best, *_below(best, ranked[refined:])]
        return _Ranking(
            ranked=ranked,
            known=known,
            documents=within.documents if within else view.documents,
            vector=vector,
            wording=wording,
            embed_ms=(embedded - began) * 1000,
            embedded=embedded,
        )

    def require_known(self, hits: Sequence[Hit]) -> None:
        """Raises LibraryError when some of `hits` are gone since they were found.

        Then a question may have found nothing in them because they were replaced meanwhile.
        """
        ids = [hit.passage.id for hit in hits]
        if len(self._library.passages(ids)) < len(ids):
            raise _replaced()

    def _fused(
        self,
        view: View,
        vector: Vector,
        dense: Sequence[Scored],
        lexical: Sequence[Scored],
    ) -> list[Ranked]:
        """Candidates from best to worst, without those that are known no more.

        Both scores are divided by the best of their kind and blended. Reciprocal ranks, the usual
        choice, throw away how much better the best is, and lost on NorQuAD.
        """
        bm25 = dict(lexical)
        ids = list(dict.fromkeys([*(i for i, _ in dense), *bm25]))
        if not ids:
            return []
        cosines = view.dense.similarities(vector, ids)
        known = ~np.isnan(cosines)
        if not known.all():
            ids = [i for i, is_known in zip(ids, known.tolist(), strict=True) if is_known]
            cosines = cosines[known]
            if not ids:
                return []
        words = np.array([bm25.get(i, 0.0) for i in ids], dtype=np.float32)
        weight = self._settings.dense_weight
        scores = weight * _scaled(cosines) + (1 - weight) * words / (words.max() or 1.0)
        order = np.argsort(-scores, kind="stable")
        return [(ids[i], float(scores[i]), float(cosines[i]), float(words[i])) for i in order]

    def _refined(
        self,
        view: View,
        words: Mapping[str, float],
        vector: Vector,
        ranked: Sequence[Ranked],
    ) -> list[Ranked]:
        """The candidates in a new order, by what holds within them, in scores from 0 to 1.

        By meaning, half is for the passage and half for its nearest unit, which a long passage
        hides; by words, what counts is how many of the question's words it has, not how often.
        On NorQuAD that put the right passage first for 4 questions of 100 more than the blend did.
        """
        ids = [passage_id for passage_id, *_ in ranked]
        if not ids:
            return []
        units = self._library.unit_vectors(ids, self._encoder.fingerprint)
        cosines = np.array([cosine for _, _, cosine, _ in ranked], dtype=np.float32)
        nearest = np.array(
            [
                float((units[i] @ vector).max(initial=-1.0)) if i in units else cosine
                for i, cosine in zip(ids, cosines, strict=True)
            ],
            dtype=np.float32,
        )
        covered = view.lexical.coverage(words, ids)
        coverage = np.array([covered.get(i, 0.0) for i in ids], dtype=np.float32)
        weight = self._settings.dense_weight
        scores = weight * (_scaled(cosines) + _scaled(nearest)) / 2 + (1 - weight) * coverage
        order = np.argsort(-scores, kind="stable")
        return [(ids[i], float(scores[i]), *ranked[i][2:]) for i in order]

    def _hydrated(self, page: Sequence[Ranked], known: dict[int, StoredPassage]) -> list[Hit]:
        """Hits of a page; of its passages, `known` are at hand already."""
        if missing := [passage_id for passage_id, *_ in page if passage_id not in known]:
            known = known | self._library.passages(missing)
        return [
            Hit(known[passage_id], score, cosine, bm25)
            for passage_id, score, cosine, bm25 in page
            if passage_id in known
        ]


def _replaced() -> LibraryError:
    return LibraryError(
        "the documents were replaced a moment ago, and their index is being made; try again in "
        "some seconds"
    )


def _uncrowded(ranked: Sequence[Ranked], known: Mapping[int, StoredPassage]) -> list[Ranked]:
    """Puts passages that repeat a better one behind the others."""
    repeats = near_duplicates([known[passage_id].text for passage_id, *_ in ranked])
    first = [entry for entry, repeated in zip(ranked, repeats, strict=True) if not repeated]
    later = [entry for entry, repeated in zip(ranked, repeats, strict=True) if repeated]
    return [*first, *_below(first, later)]


def _below(better: Sequence[Ranked], others: Sequence[Ranked]) -> list[Ranked]:
    """`others` in their order, with scores that none of `better` falls short of."""
    if not better or not others:
        return list(others)
    lowest = better[-1][1]
    shrink = min(1.0, lowest / others[0][1]) if others[0][1] > 0 else 1.0
    return [(i, score * shrink, cosine, bm25) for i, score, cosine, bm25 in others]


def _scaled(cosines: Scores) -> Scores:
    """Cosines from 0 for the farthest candidate to 1 for the nearest.

    E5's cosines all lie between 0.7 and 0.95: divided by the best alone, they would hardly differ.
    """
    lowest, highest = cosines.min(), cosines.max()
    return (cosines - lowest) / (highest - lowest) if highest > lowest else np.ones_like(cosines)
