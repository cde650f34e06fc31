"""Passages that repeat a better one."""

from hypothesis import given
from hypothesis import strategies as st

from index.duplicates import SAME, near_duplicates

LAST_YEAR = (
    "Foreningen har som formål å fremme godt naboskap i bygda. Styret møtes den første mandagen i "
    "hver måned på grendehuset, og alle medlemmer kan legge fram saker for styret. I 2023 hadde "
    "foreningen 214 medlemmer."
)
THIS_YEAR = LAST_YEAR.replace("2023", "2024").replace("214", "231")
OTHER = "Kassereren fører regnskapet og legger det fram for årsmøtet innen utgangen av mars."


def test_the_same_with_other_figures_is_a_repetition() -> None:
    assert near_duplicates([THIS_YEAR, OTHER, LAST_YEAR]) == [False, False, True]


def test_a_part_of_a_passage_is_no_repetition_of_it() -> None:
    assert near_duplicates([THIS_YEAR, THIS_YEAR[:60]]) == [False, False]


def test_short_and_empty_texts_are_compared_too() -> None:
    assert near_duplicates(["Ja.", "Nei.", "ja.", "", ""]) == [False, False, True, False, True]


@given(st.lists(st.text(max_size=40), max_size=6))
def test_the_first_of_its_kind_is_never_a_repetition(texts: list[str]) -> None:
    repeats = near_duplicates(texts)
    assert len(repeats) == len(texts)
    assert not any(repeats[:1])
    assert all(near_duplicates([*texts, text])[-1] for text in texts)


@given(st.lists(st.lists(st.sampled_from("abc"), max_size=9).map(" ".join), max_size=8))
def test_each_text_is_compared_with_every_other_that_repeats_none(texts: list[str]) -> None:
    def triples(text: str) -> set[tuple[str, ...]]:
        words = text.split()
        return {tuple(words[at : at + 3]) for at in range(max(1, len(words) - 2))}

    def resemblance(one: str, other: str) -> float:
        return len(triples(one) & triples(other)) / len(triples(one) | triples(other))

    kept: list[str] = []
    for text, repeats in zip(texts, near_duplicates(texts), strict=True):
        assert repeats == any(resemblance(text, other) >= SAME for other in kept)
        if not repeats:
            kept.append(text)
