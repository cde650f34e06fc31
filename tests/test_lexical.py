"""The lexical index, on disk and in the real engine."""

import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from index.analysis import Analyser
from index.lexical import LexicalIndex, LexicalWriter
from index.records import Scope

ANALYSER = Analyser()
BIG_ID = 2**53

Build = Callable[[dict[tuple[int, str], str]], LexicalIndex]


@pytest.fixture
def build(tmp_path: Path) -> Build:
    def built(texts: dict[tuple[int, str], str]) -> LexicalIndex:
        folder = tmp_path / f"leksikalsk å {len(list(tmp_path.iterdir()))}"
        with LexicalWriter(folder) as writer:
            for (passage_id, document_id), text in texts.items():
                writer.add_passage(passage_id, document_id, ANALYSER.words(text))
        return LexicalIndex(folder)

    return built


@pytest.fixture
def library(build: Build) -> LexicalIndex:
    return build(
        {
            (1, "a"): "Bønner, korn og poteter dyrkes på flatbygdene.",
            (2, "a"): "Bonner er et fremmedord som ingen bruker.",
            (BIG_ID, "b"): "Sykehusene har 1 369 årsverk, og sykehusene vil ha flere.",
            (4, "c"): "Korn selges om høsten.",
        }
    )


def ids(index: LexicalIndex, query: str, limit: int = 10, scope: Scope | None = None) -> list[int]:
    return [id_ for id_, _ in index.search(ANALYSER.weights(query), limit, scope)]


def test_a_word_finds_its_other_forms(library: LexicalIndex) -> None:
    assert ids(library, "sykehuset") == [BIG_ID]
    assert ids(library, "1369") == [BIG_ID]


def test_norwegian_letters_never_match_others(library: LexicalIndex) -> None:
    assert ids(library, "bønner") == [1]
    assert ids(library, "bonner") == [2]
    assert ids(library, "arsverk") == []
    assert ids(library, "årsverk") == [BIG_ID]


def test_the_shorter_text_and_the_more_words_in_common_come_first(library: LexicalIndex) -> None:
    assert ids(library, "korn") == [4, 1]
    assert ids(library, "korn poteter") == [1, 4]


def test_scores_fall_and_a_weight_multiplies_them(library: LexicalIndex) -> None:
    scores = [score for _, score in library.search({"korn": 1.0}, 10)]
    doubled = [score for _, score in library.search({"korn": 2.0}, 10)]
    assert scores == sorted(scores, reverse=True)
    assert doubled == pytest.approx([2 * score for score in scores])


def test_a_score_is_bm25(build: Build) -> None:
    index = build({(1, "a"): "rev rev ulv", (2, "b"): "ulv", (3, "c"): "elg elg"})
    [(found, score)] = index.search({"rev": 1.0}, 5)
    tf, length, average = 2, 3, 2
    saturation = tf * 2.2 / (tf + 1.2 * (1 - 0.75 + 0.75 * length / average))
    assert found == 1
    assert score == pytest.approx(math.log(1 + (3 - 1 + 0.5) / 1.5) * saturation, rel=1e-4)


def test_documents_narrow_the_search_and_leave_the_scores(library: LexicalIndex) -> None:
    everywhere = dict(library.search({"korn": 1.0}, 10))
    within = dict(library.search({"korn": 1.0}, 10, Scope(frozenset({"c", "b", "finnes ikke"}))))
    assert within == pytest.approx({4: everywhere[4]})
    assert library.search({"korn": 1.0}, 10, Scope(frozenset({"finnes ikke"}))) == []
    assert library.search({"korn": 1.0}, 10, Scope(frozenset())) == []


def test_all_but_some_documents_have_the_scores_of_all(library: LexicalIndex) -> None:
    everywhere = dict(library.search({"korn": 1.0}, 10))
    others = Scope(frozenset({"a", "finnes ikke"}), others=True)
    assert dict(library.search({"korn": 1.0}, 10, others)) == {4: everywhere[4]}
    assert dict(library.search({"korn": 1.0}, 10, Scope(frozenset(), others=True))) == everywhere


def test_the_limit_holds(library: LexicalIndex) -> None:
    assert ids(library, "korn", limit=1) == [4]
    assert ids(library, "korn", limit=0) == []


@pytest.mark.parametrize("query", ["", "…", "finnesikke", 'korn" OR *', "a" * 100_000])
def test_no_query_is_an_error(library: LexicalIndex, query: str) -> None:
    assert isinstance(ids(library, query), list)


def test_rarity_is_higher_for_what_fewer_passages_hold(library: LexicalIndex) -> None:
    assert (
        library.rarity("finnesikke")
        > library.rarity(ANALYSER.words("poteter")[0])
        > library.rarity("korn")
        > 0
    )
    assert library.rarity("korn") == pytest.approx(math.log(1 + (4 - 2 + 0.5) / 2.5))


def test_an_empty_index_finds_nothing(build: Build) -> None:
    index = build({})
    assert ids(index, "korn") == []
    assert index.rarity("korn") > 0


def test_a_word_too_long_for_the_engine_does_not_lose_its_passage(build: Build) -> None:
    assert ids(build({(1, "a"): "a" * 100_000 + " korn"}), "korn") == [1]


def test_threads_search_the_same_index(library: LexicalIndex) -> None:
    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(lambda _: tuple(ids(library, "korn")), range(64))) == {(4, 1)}


class TestCoverage:
    """How much of a question a passage has."""

    def test_it_is_the_share_of_the_words_by_rarity(self, library: LexicalIndex) -> None:
        words = {"korn": 1.0, "sykehus": 1.0}
        coverage = library.coverage(words, [1, 4, BIG_ID])
        rare, common = library.rarity("sykehus"), library.rarity("korn")
        assert coverage[BIG_ID] == pytest.approx(rare / (rare + common))
        assert coverage[1] == coverage[4] == pytest.approx(common / (rare + common))

    def test_how_often_a_word_stands_does_not_count_and_its_weight_does(
        self, library: LexicalIndex
    ) -> None:
        assert library.coverage({"sykehus": 1.0}, [BIG_ID])[BIG_ID] == pytest.approx(1.0)
        halved = library.coverage({"korn": 0.5, "sykehus": 1.0}, [1])[1]
        assert halved < library.coverage({"korn": 1.0, "sykehus": 1.0}, [1])[1]

    @pytest.mark.parametrize("words", [{}, {"finnesikke": 1.0}])
    def test_no_word_in_common_is_no_coverage(
        self, library: LexicalIndex, words: dict[str, float]
    ) -> None:
        assert set(library.coverage(words, [1, 2]).values()) <= {0.0}

    def test_only_the_passages_asked_for_are_there(self, library: LexicalIndex) -> None:
        assert set(library.coverage({"korn": 1.0}, [4, 999])) <= {4, 999}
        assert library.coverage({"korn": 1.0}, []) == {}
