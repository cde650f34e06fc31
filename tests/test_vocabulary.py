"""The words of a generation: their counts, and which are near to which."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from index.vocabulary import Vocabulary, count_forms, write_vocabulary
from index.wording import edits

TEXTS = ["Kommunen har budsjett. Budsjettet er vedtatt.", "Budsjett, BUDSJETT og kommune – 2024"]


@pytest.fixture(scope="module")
def vocabulary(tmp_path_factory: pytest.TempPathFactory) -> Vocabulary:
    folder = tmp_path_factory.mktemp("words") / "vocabulary"
    write_vocabulary(folder, count_forms("\n".join(TEXTS)))
    return Vocabulary(folder)


def test_words_are_counted_without_their_case(vocabulary: Vocabulary) -> None:
    assert vocabulary.count("budsjett") == 3
    assert vocabulary.count("budsjettet") == 1
    assert vocabulary.count("budsjet") == vocabulary.count("2024") == vocabulary.count("") == 0


def test_near_words_lie_within_the_edits(vocabulary: Vocabulary) -> None:
    assert vocabulary.near("budsjet", 1) == [("budsjett", 3)]
    assert vocabulary.near("budjsett", 2) == [("budsjett", 3)]
    assert vocabulary.near("helt annet", 2) == []


def test_an_empty_library_knows_no_words(tmp_path: Path) -> None:
    write_vocabulary(tmp_path / "v", count_forms(""))
    assert Vocabulary(tmp_path / "v").count("ord") == 0
    assert Vocabulary(tmp_path / "v").near("ord", 2) == []


WORDS = st.text(st.sampled_from("abøå"), min_size=1, max_size=6)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
@given(st.sets(WORDS, min_size=1, max_size=8), WORDS, st.sampled_from([1, 2]))
def test_the_engine_and_the_distance_agree(
    tmp_path_factory: pytest.TempPathFactory, words: set[str], word: str, distance: int
) -> None:
    folder = tmp_path_factory.mktemp("agree") / "v"
    write_vocabulary(folder, count_forms(" ".join(words)))
    found = {form for form, _ in Vocabulary(folder).near(word, distance)}
    assert {form for form in words if edits(word, form) <= distance} == found


@given(WORDS, WORDS)
def test_edits_are_a_distance(left: str, right: str) -> None:
    assert edits(left, right) == edits(right, left)
    assert (edits(left, right) == 0) == (left == right)
    assert abs(len(left) - len(right)) <= edits(left, right) <= max(len(left), len(right))


def test_a_swap_of_neighbours_is_one_edit() -> None:
    assert edits("hvme", "hvem") == 1
    assert edits("kveeld", "kveld") == 1
    assert edits("poøitiet", "politiet") == 1
    assert edits("ca", "abc") == 3
