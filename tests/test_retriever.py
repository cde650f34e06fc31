"""Retrieval over the example documents: both halves, their fusion, filters and paging."""

from collections.abc import Sequence
from copy import copy

import numpy as np
import numpy.typing as npt
import pytest

from app.assembly import Kildesvar
from index.embedding.encoder import Vector
from index.records import Filters
from index.retriever import RetrievalSettings, Retriever, SearchResult
from index.views import Dense
from index.wording import Wordings


def search(
    kildesvar: Kildesvar, query: str, weight: float = 0.6, limit: int = 10, refined: int = 40
) -> SearchResult:
    settings = RetrievalSettings(dense_weight=weight, refined=refined)
    retriever = Retriever(
        kildesvar.library, kildesvar.encoder, kildesvar.analyser, Wordings(), settings
    )
    return retriever.search(kildesvar.generation(), query, limit)


def test_words_alone_and_meaning_alone(kildesvar: Kildesvar) -> None:
    query = "samhandlingsbudsjettet"
    words = search(kildesvar, query, weight=0.0, refined=0).hits
    meaning = search(kildesvar, query, weight=1.0, refined=0).hits
    assert [h.bm25 for h in words] == sorted((h.bm25 for h in words), reverse=True)
    assert [h.cosine for h in meaning] == sorted((h.cosine for h in meaning), reverse=True)
    assert "amhandlingsbudsjett" in words[0].passage.text


def test_the_second_look_by_words_alone_counts_how_many_a_passage_has(
    kildesvar: Kildesvar,
) -> None:
    query = "medlemmer kommuner sykehus"
    hits = search(kildesvar, query, weight=0.0).hits
    weights = kildesvar.analyser.weights(query)
    coverage = kildesvar.generation().lexical.coverage(weights, [hit.passage.id for hit in hits])
    assert [hit.score for hit in hits] == [coverage.get(hit.passage.id, 0.0) for hit in hits]


def test_the_second_look_by_meaning_alone_counts_the_nearest_unit(kildesvar: Kildesvar) -> None:
    first = search(kildesvar, "Hvem leder samarbeidet?", weight=1.0, refined=0)
    second = search(kildesvar, "Hvem leder samarbeidet?", weight=1.0)
    assert {hit.passage.id for hit in second.hits[:5]} & {hit.passage.id for hit in first.hits[:5]}
    best = second.hits[0]
    units = kildesvar.library.unit_vectors(
        [hit.passage.id for hit in second.hits], kildesvar.encoder.fingerprint
    )
    nearest = {i: float((own @ second.query_vector).max()) for i, own in units.items()}
    assert all(
        best.cosine >= hit.cosine or nearest[best.passage.id] >= nearest[hit.passage.id]
        for hit in second.hits
    )


def test_a_corrected_query_is_the_one_that_is_searched(kildesvar: Kildesvar) -> None:
    right = search(kildesvar, "samhandlingsbudsjettet")
    wrong = search(kildesvar, "samhandlingsbudsjetet")
    assert wrong.wording.corrected == "samhandlingsbudsjettet"
    assert [hit.passage.id for hit in wrong.hits] == [hit.passage.id for hit in right.hits]


def test_cosines_are_those_of_the_vectors(kildesvar: Kildesvar) -> None:
    result = search(kildesvar, "Hva er samhandlingsbudsjettet?")
    generation = kildesvar.generation()
    ids = [hit.passage.id for hit in result.hits]
    cosines = generation.dense.similarities(result.query_vector, ids)
    np.testing.assert_allclose([hit.cosine for hit in result.hits], cosines, atol=1e-5)


def test_scores_fall_and_lie_between_0_and_1(kildesvar: Kildesvar) -> None:
    scores = [hit.score for hit in search(kildesvar, "kommuner og sykehus").hits]
    assert scores == sorted(scores, reverse=True)
    assert all(0 <= score <= 1.000001 for score in scores)


def test_a_question_without_a_known_word_is_still_searched(kildesvar: Kildesvar) -> None:
    assert search(kildesvar, "xyzzy").hits
    assert search(kildesvar, "???").hits


def test_odd_queries_do_not_break_the_word_index(kildesvar: Kildesvar) -> None:
    for query in ("§ 3-1 (jf.", 'AND OR "', "title:x^2 +~*", "😀", "å" * 500, "\\", "a\x00b"):
        assert search(kildesvar, query).hits, query


def test_filters_limit_both_halves(kildesvar: Kildesvar) -> None:
    [only] = [d.id for d in kildesvar.library.documents(10) if d.language == "nn"]
    result = kildesvar.retriever.search(
        kildesvar.generation(), "helse", 50, filters=Filters(language=("nn",))
    )
    assert {hit.passage.document_id for hit in result.hits} == {only}
    assert result.total == len(kildesvar.library.passages_of({only}))


@pytest.mark.parametrize("offset", [0, 3, 1000])
def test_pages_are_slices_of_one_ranking(kildesvar: Kildesvar, offset: int) -> None:
    generation = kildesvar.generation()
    every = kildesvar.retriever.search(generation, "helse", 1000).hits
    some = kildesvar.retriever.search(generation, "helse", 3, offset).hits
    assert [h.passage.id for h in some] == [h.passage.id for h in every[offset : offset + 3]]


class _Forgetful:
    """A dense half that does not know one passage any more, as one elsewhere may not."""

    def __init__(self, dense: Dense, forgotten: int) -> None:
        self._dense = dense
        self._forgotten = forgotten
        self.search = dense.search

    def __len__(self) -> int:
        return len(self._dense)

    def similarities(self, vector: Vector, ids: Sequence[int]) -> npt.NDArray[np.float32]:
        cosines = np.array(self._dense.similarities(vector, ids))
        cosines[[i == self._forgotten for i in ids]] = np.nan
        return cosines


def test_what_is_known_no_more_is_no_candidate(kildesvar: Kildesvar) -> None:
    query = "Hva er samhandlingsbudsjettet?"
    before = search(kildesvar, query)
    view = copy(kildesvar.generation())
    view.dense = _Forgetful(view.dense, before.hits[0].passage.id)
    after = kildesvar.retriever.search(view, query, 10)
    assert after.total == before.total - 1
    assert before.hits[0].passage.id not in {hit.passage.id for hit in after.hits}
    assert all(0 <= hit.score <= 1.000001 for hit in after.hits)
