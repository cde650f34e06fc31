"""The question as it is searched: spelling mended, Nynorsk bridged, names left in peace."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.text import normalise
from index.vocabulary import Vocabulary, count_forms, write_vocabulary
from index.wording import Wording, Wordings, edits, edits_to_beginning

TEXT = """
Kommunen vedtok budsjettet for samhandling. Hvem er leder? Hvor mange veier er det i kommunen?
Hvordan går det?
Direktør Berntsen leder arbeidet. Kastilla ligger i Spania. Vegen er stengt. Hva koster det?
"""
WORDINGS = Wordings()


@pytest.fixture(scope="module")
def vocabulary(tmp_path_factory: pytest.TempPathFactory) -> Vocabulary:
    folder = tmp_path_factory.mktemp("words") / "vocabulary"
    write_vocabulary(folder, count_forms(TEXT))
    return Vocabulary(folder)


@pytest.mark.parametrize(
    ("asked", "corrected"),
    [
        ("Hvme vedtok budjettet?", "Hvem vedtok budsjettet?"),
        ("HVEM VEDTOK BUDSJETTET", "HVEM VEDTOK BUDSJETTET"),
        ("Hva sier direktør Bernsten?", "Hva sier direktør Berntsen?"),  # a name, one edit
        ("Hva koster trikken?", "Hva koster trikken?"),  # a word that the texts lack
        ("Hva er sykkelparkeringsavgift?", "Hva er sykkelparkeringsavgift?"),
        ("Hvor er Kastello?", "Hvor er Kastello?"),  # two edits make another name
        ("Hvilke ledere? Kven, which, begge?", "Hvilke ledere? Kven, which, begge?"),  # not «hvem»
        ("Hva med 2034 og § 3-1?", "Hva med 2034 og § 3-1?"),
        ("", ""),
        ("?!", "?!"),
    ],
)
def test_words_that_no_text_has_are_mended(
    vocabulary: Vocabulary, asked: str, corrected: str
) -> None:
    assert WORDINGS.of(asked, vocabulary).corrected == corrected


def test_nynorsk_is_searched_as_the_texts_write_it(vocabulary: Vocabulary) -> None:
    wording = WORDINGS.of("Kven er leiar? Korleis går det?", vocabulary)
    assert wording == Wording(
        corrected="Kven er leiar? Korleis går det?", searched="Hvem er leder? Hvordan går det?"
    )


def test_a_nynorsk_word_that_the_texts_have_more_often_stays(vocabulary: Vocabulary) -> None:
    assert WORDINGS.of("Er vegen stengt?", vocabulary).searched == "Er vegen stengt?"


@given(st.text(max_size=60))
def test_any_question_keeps_all_but_its_words(text: str) -> None:
    empty = _Empty()
    assert WORDINGS.of(text, empty) == Wording(normalise(text), normalise(text))


class _Empty(Vocabulary):
    """Of a library without a word."""

    def __init__(self) -> None:
        pass

    def count(self, word: str) -> int:
        return 0

    def near(self, word: str, distance: int) -> list[tuple[str, int]]:
        return []


def test_a_corrected_question_finds_what_the_right_one_finds(tmp_path: Path) -> None:
    write_vocabulary(tmp_path / "v", count_forms(TEXT))
    vocabulary = Vocabulary(tmp_path / "v")
    right = WORDINGS.of("Hvor mange veier er det i kommunen?", vocabulary)
    wrong = WORDINGS.of("Hvor mnage veieer er det i komunen?", vocabulary)
    assert wrong == right


@given(st.text("aåb", max_size=7), st.text("aåb", max_size=9))
def test_edits_to_a_beginning_are_those_to_the_nearest_of_all(typed: str, word: str) -> None:
    beginnings = [word[:end] for end in range(len(word) + 1)]
    assert edits_to_beginning(typed, word) == min(edits(typed, one) for one in beginnings)
