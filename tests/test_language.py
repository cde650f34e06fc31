"""Bokmål, Nynorsk or English, from function words."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.language import detect_language


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Hvor mange har søkt, og hvem får ikke plass hos dere?", "nb"),
        ("Jeg vet ikke hvordan de gjør det uten hjelp fra noen.", "nb"),
        ("Kor mange har søkt, og kven får ikkje plass hos dykk?", "nn"),
        ("Eg veit ikkje korleis dei gjer det utan hjelp frå nokon.", "nn"),
        ("KVIFOR VERT IKKJE DESSE TILBODA NYTTA MEIR?", "nn"),
        ("The members of the council are not paid for this work.", "en"),
        ("Who decides when the plan is not followed?", "en"),
    ],
)
def test_one_sentence_is_enough(text: str, language: str) -> None:
    assert detect_language(text) == language


@pytest.mark.parametrize("text", ["", "1369 2024", "Oslo", "🙂"])
def test_without_function_words_the_default_holds(text: str) -> None:
    assert detect_language(text) == "nb"
    assert detect_language(text, default="nn") == "nn"


def test_a_tie_goes_to_the_default() -> None:
    assert detect_language("ikke ikkje", default="nn") == "nn"
    assert detect_language("ikke ikkje", default="nb") == "nb"


def test_words_count_and_not_parts_of_words() -> None:
    assert detect_language("theater island ofte byttet", default="nn") == "nn"


def test_one_english_quotation_does_not_turn_a_norwegian_text() -> None:
    text = "Rapporten heter «The state of the art», men hvem som har skrevet den, vet jeg ikke. "
    assert detect_language(text + "Den er fra i fjor og blir brukt mer enn noen annen.") == "nb"


@given(st.text(max_size=200))
def test_any_text_has_one_of_the_three(text: str) -> None:
    assert detect_language(text) in {"nb", "nn", "en"}
