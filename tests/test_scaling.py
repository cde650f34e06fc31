"""What is measured of how cost grows: the made passages, and how figures are told."""

import numpy as np
import pytest

from scripts.scaling.corpus import (
    LIMITS,
    NEAREST,
    PASSAGES_A_DOCUMENT,
    Corpus,
    Questions,
    document_id,
    language_of,
    path_of,
)
from scripts.scaling.figures import recall, times_of
from scripts.scaling.table import _lines


@pytest.fixture(scope="module")
def corpus() -> Corpus:
    return Corpus(3000)


def test_a_corpus_is_the_beginning_of_a_larger_one(corpus: Corpus) -> None:
    for mine, larger in zip(Corpus(1000).batches(), corpus.batches(), strict=False):
        assert mine.bodies == larger.bodies
        assert np.array_equal(mine.vectors, larger.vectors)
    [last] = corpus.batches(there=2000)
    assert last.ids[0] == 2001
    with pytest.raises(ValueError, match="multiple"):
        Corpus(1500)


def test_vectors_lie_in_clusters_and_words_come_as_they_do(corpus: Corpus) -> None:
    rows = np.concatenate([made.vectors for made in corpus.batches()])
    assert np.allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-5)
    documents = rows.reshape(-1, PASSAGES_A_DOCUMENT, rows.shape[1])
    within = np.median(documents[:, :10] @ documents[:, 10:20].transpose(0, 2, 1))
    between = np.median(rows[:500] @ rows[2000:].T)
    assert between + 0.1 < within < 0.97
    words = " ".join(body for made in corpus.batches() for body in made.bodies).lower().split()
    kinds, counts = np.unique(words, return_counts=True)
    assert counts.max() > 0.01 * len(words), "some words are everywhere"
    assert np.mean(counts == 1) > 0.3, "and many stand once"
    assert len(kinds) > 10_000


def test_true_neighbours_are_known_also_within_a_filter(corpus: Corpus) -> None:
    rows = np.concatenate([made.vectors for made in corpus.batches()])
    questions = Questions(["a", "b"], rows[[5, 2999]])
    nearest = corpus.nearest(questions)
    assert nearest.shape == (2, NEAREST)
    assert nearest[:, 0].tolist() == [6, 3000]
    assert (
        nearest[0].tolist() == (np.argsort(-(rows @ rows[5]), kind="stable")[:NEAREST] + 1).tolist()
    )
    half, hundredth = LIMITS
    allowed = corpus.allowed(half)
    assert set(corpus.nearest(questions, allowed)[0] - 1) <= set(np.flatnonzero(allowed))
    few = corpus.nearest(questions, corpus.allowed(hundredth))
    assert np.count_nonzero(few[0]) == PASSAGES_A_DOCUMENT, "as many as pass, and zeros"
    assert corpus.documents_within(hundredth) == {document_id(0)}


def test_filters_of_the_cluster_let_the_same_documents_through() -> None:
    half, hundredth = map(Corpus(10_000).documents_within, LIMITS)
    for number in range(200):
        assert (language_of(number) == language_of(0)) == (document_id(number) in half)
        assert path_of(number).startswith("/laget/00/") == (document_id(number) in hundredth)


def test_recall_counts_what_there_is_to_find() -> None:
    truth = np.array([[1, 2, 3, 4], [5, 6, 0, 0]])
    assert recall([[1, 2], [6, 5]], truth, 2) == 1.0
    assert recall([[2, 9, 1, 8], [5]], truth, 4) == 0.5
    seen = times_of(lambda number: [(number + 1, 1.0)], 20, np.arange(1, 21).reshape(20, 1))
    assert seen["recall_1"] == 1.0
    assert seen["found"] == 1.0


def test_tables_tell_every_size_that_was_asked() -> None:
    query = {"p50_ms": 1.0, "p95_ms": 2.0, "cpu_ms": 1.5, "found": 100.0, "load": 1.0}
    asked = {"lexical": query, "both": query, "dense": {**query, "recall_10": 1, "recall_100": 0.9}}
    memory = {"rss_mb": 200.0, "own_mb": 150.0, "pss_mb": 180.0}
    run = {
        "build_s": 4.9,
        "build_load": [1.8, 1.7],
        "passages_per_s": 2040,
        "bytes_a_passage": 2500,
        "vector_bytes": 1544,
        "memory": memory,
        "queries": {"all": asked, "half": asked},
    }
    unasked = {name: value for name, value in run.items() if name != "queries"}
    figures = {"local 100000": run, "local 10000": run, "opensearch 10000": unasked}
    told = "\n".join(_lines(figures))
    assert told.index("| local, 10,000 | 5 |") < told.index("| local, 100,000 | 5 |")
    assert "| local, 10,000 | half | 1.0, 2.0, **1.5** |" in told
    assert "opensearch" not in told
