"""Whether sources say what a sentence says: with the real models, over the example documents."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from app.answering.support import COEFFICIENTS, NONE, Signals, Sources, Supporter, agreement
from app.answering.support import probability as probability_of
from app.assembly import Kildesvar
from index.reading.reader import Reading


@pytest.fixture(scope="module")
def supporter(kildesvar: Kildesvar) -> Supporter:
    return Supporter(kildesvar.library, kildesvar.analyser, kildesvar.encoder, kildesvar.reader)


@pytest.fixture(scope="module")
def sources(kildesvar: Kildesvar, supporter: Supporter) -> Sources:
    """What is found for a question about members: the first source answers it."""
    generation = kildesvar.generation()
    found = kildesvar.answerer.find(generation, "Hvor mange medlemmer har bransjen?")
    passages = [hit.passage for hit in found.result.hits[:5]]
    passages.sort(key=lambda passage: "1369" not in passage.text)
    return supporter.sources(passages, generation.lexical)


@pytest.mark.parametrize(
    "sentence",
    [
        "Bransjen har 1369 medlemmer per april 2024.",
        "Per april 2024 har bransjen 1 369 medlemmer.",
        "Bransja har 1369 medlemer per april 2024.",
        "Til sammen står det 15.515 årsverk bak medlemstallet.",
        "I 2023 kom to områder til, arbeidsinkludering og digitalisering.",
        "Medlemmene er 1369 per april 2024.",
        "Det er 3 ansatte som arbeider bare med denne bransjen.",
    ],
)
def test_what_stands_there_is_supported(
    supporter: Supporter, sources: Sources, sentence: str
) -> None:
    support = supporter.check(sentence, sources, [1])
    assert support.is_enough, support
    assert support.missing == frozenset()


@pytest.mark.parametrize(
    ("sentence", "missing"),
    [
        ("Bransjen har 4711 medlemmer per april 2024.", {"4711"}),
        ("Bransjen har 1369 medlemmer per april 2019.", {"2019"}),
        ("Virke har 1369 medlemmer.", {"Virke"}),
        ("Bransjen ledes av et styre i Bergen.", {"Bergen"}),
        ("Kari Nordmann leder bransjen.", {"Kari", "Nordmann"}),
        ("Bransjen har fem ansatte.", {"fem"}),
    ],
)
def test_numbers_and_names_that_stand_nowhere_are_named(
    supporter: Supporter, sources: Sources, sentence: str, missing: set[str]
) -> None:
    support = supporter.check(sentence, sources, [1])
    assert support.missing == missing
    assert support.probability == 0


@pytest.mark.parametrize(
    "sentence",
    [
        "Bransjen har 15.515 medlemmer.",
        "Bransjen har ikke noe styre som er valgt.",
        "Sykehusene i landet får mindre penger til psykisk helsevern.",
        "JADA.",
        "Hei!",
    ],
)
def test_what_they_do_not_say_is_not_supported(
    supporter: Supporter, sources: Sources, sentence: str
) -> None:
    assert not supporter.check(sentence, sources, [1]).is_enough


def test_a_sentence_is_based_on_the_very_units_that_say_it(
    supporter: Supporter, sources: Sources
) -> None:
    one = supporter.check("Bransjen har 1369 medlemmer per april 2024.", sources, [1])
    assert [quote.text for quote in one.quotes] == ["Bransjen har 1369 medlemmer per april 2024."]
    both = supporter.check("Bransjen har 1369 medlemmer og 15.515 årsverk.", sources, [1])
    [quote] = both.quotes
    assert quote.text.endswith("Bak medlemstallet står 15.515 årsverk."), "neighbours are one place"
    apart = supporter.check("Bransjen har 1369 medlemmer og 13 bransjeområder.", sources, [1])
    assert {quote.text[:8] for quote in apart.quotes} == {"Bransjen", "Med dem "}


def test_it_is_looked_for_in_the_named_sources_only(supporter: Supporter, sources: Sources) -> None:
    sentence = "Bransjen har 1369 medlemmer per april 2024."
    assert not supporter.check(sentence, sources, [2]).is_enough
    assert supporter.check(sentence, sources, [2, 1]).is_enough
    assert supporter.check(sentence, sources).is_enough, "without any in all of them"


def test_what_says_nothing_is_not_supported(supporter: Supporter, sources: Sources) -> None:
    assert supporter.check("…", sources) == NONE
    assert supporter.check("Bransjen har 1369 medlemmer.", sources, [9]) == NONE


@given(st.builds(Signals, *[st.floats(-10, 10)] * len(Signals._fields)))
def test_it_is_a_probability(signals: Signals) -> None:
    assert 0 <= probability_of(signals) <= 1


def test_each_signal_counts_as_it_should() -> None:
    assert COEFFICIENTS.coverage > 0
    assert COEFFICIENTS.cosine > 0
    assert COEFFICIENTS.relevance > 0
    assert COEFFICIENTS.agreement > 0
    assert COEFFICIENTS.denies < 0
    assert COEFFICIENTS.denied < 0


def reading(starts: list[float], ends: list[float]) -> Reading:
    spans = [(5 * at, 5 * at + 4) for at in range(len(starts))]
    return Reading(0.0, spans, np.array(starts, np.float32), np.array(ends, np.float32))


class TestAgreement:
    def test_it_is_the_difference_to_the_best_other(self) -> None:
        found = reading([-1, -9, -3], [-1, -9, -5])
        assert agreement(found, [(5, 9)], [(0, 4)]) == pytest.approx(-6 + 2), (
            "the span over all three"
        )
        assert agreement(found, [(0, 4)], [(10, 14)]) == 0, "it is the better one itself"

    def test_without_another_there_is_nothing_to_prefer(self) -> None:
        assert agreement(reading([-9, -1], [-9, -1]), [(0, 4)], []) == 0

    def test_a_span_with_both_is_for_it(self) -> None:
        assert agreement(reading([0, -8], [-8, 0]), [(0, 4)], [(5, 9)]) == 0

    LOGITS = arrays.arrays(np.float32, 6, elements=st.floats(-20, 0, width=32))

    @given(LOGITS, LOGITS, st.sets(st.integers(0, 5)), st.sets(st.integers(0, 5)))
    def test_it_is_bounded(
        self, starts: np.ndarray, ends: np.ndarray, own: set[int], others: set[int]
    ) -> None:
        found = reading(starts.tolist(), ends.tolist())
        places = [[(5 * at, 5 * at + 4) for at in chosen] for chosen in (own, others)]
        assert -10 <= agreement(found, *places) <= 0
