"""The words that are matched: stems, numbers in one spelling, and æ, ø and å as letters."""

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.analysis import FUNCTION_WORD_WEIGHT, PART_WEIGHT, Analyser
from index.text import normalise

ANALYSER = Analyser()


def same(words: Iterable[str]) -> bool:
    return len({tuple(ANALYSER.words(word)) for word in words}) == 1


@pytest.mark.parametrize(
    "forms",
    [
        ["kommune", "kommunen", "kommuner", "kommunene", "KOMMUNENES"],
        ["sykehus", "sykehuset", "Sykehusene"],
        ["årsverk", "Årsverkene", "ÅRSVERK", "a\u030arsverk"],
        ["1369", "1 369", "1.369", "1\u00a0369", "1\u202f369"],
        ["5000000,50", "5 000 000,50", "5.000.000,50"],
        ["sam\u00adarbeid", "samarbeid"],
        ["kommunene", "kommunane"],
        ["helse- og omsorgstjenester", "helse- og omsorgstenester"],
    ],
)
def test_forms_of_one_word_meet(forms: list[str]) -> None:
    assert same(forms)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("bønner", "bonner"),
        ("lår", "lar"),
        ("bær", "bar"),
        ("ø", "o"),
        ("å", "a"),
        ("æ", "e"),
        ("8,9", "89"),
    ],
)
def test_other_letters_and_numbers_never_meet(one: str, other: str) -> None:
    assert not set(ANALYSER.words(one)) & set(ANALYSER.words(other))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("8,9 %", ["8,9"]),
        ("23.11.23", ["23", "23.11", "11", "23"]),
        ("18.4.", ["18", "18.4", "4"]),
        ("15.515 1369", ["15515", "1369"]),
        ("i 2023 200 stk", ["i", "2023", "200", "stk"]),
        ("2,2 mrd.", ["2,2", "mrd"]),
        ("820.000.", ["820000"]),
        ("22 33 44 55", ["22", "33", "44", "55"]),
        ("e-post_adresse", ["e", "post", "adress"]),
        ("covid19", ["covid19"]),
        ("", []),
        ("– … !", []),
    ],
)
def test_how_text_falls_into_words(text: str, words: list[str]) -> None:
    assert ANALYSER.words(text) == words


def test_tokens_say_where_they_stand() -> None:
    text = "Øst: 1 369 kommuner"
    assert [text[token.start : token.end] for token in ANALYSER.tokens(text)] == [
        "Øst",
        "1 369",
        "kommuner",
    ]


@given(st.text())
def test_tokens_are_spans_in_order_and_words_hold_no_space(text: str) -> None:
    text = normalise(text)
    end = 0
    for token in ANALYSER.tokens(text):
        assert end <= token.start < token.end <= len(text)
        assert token.word and not set(token.word) & set(" \t\n\u00a0\u202f")
        assert not any(letter.isalnum() for letter in text[end : token.start])
        end = token.end
    assert not any(letter.isalnum() for letter in text[end:])


@given(st.text(st.sampled_from("æøåÆØÅ"), min_size=1))
def test_norwegian_letters_are_never_folded(word: str) -> None:
    assert set("".join(ANALYSER.words(word))) <= set("æøå")


@given(st.integers(1000, 999_999_999))
def test_a_grouped_number_is_the_number(number: int) -> None:
    grouped = f"{number:,}"
    assert same([str(number), grouped.replace(",", " "), grouped.replace(",", ".")])


def test_function_words_weigh_little_and_repetition_counts() -> None:
    weights = ANALYSER.weights("Hvor mange medlemmer, medlemmer?")
    stem = ANALYSER.words("medlemmer")[0]
    assert weights[stem] == 2
    assert weights["hvor"] == FUNCTION_WORD_WEIGHT
    assert list(weights) == list(dict.fromkeys(ANALYSER.words("hvor mange medlemmer")))


def test_threads_do_not_disturb_each_other() -> None:
    text = "kommunene sykehusene bedriftenes blåbærene " * 200
    alone = ANALYSER.words(text)
    with ThreadPoolExecutor(8) as pool:
        assert all(words == alone for words in pool.map(ANALYSER.words, [text] * 32))


@pytest.mark.parametrize(
    "pattern", ["1 234 ", "123.", "123 ", "1,", "1.123", "*", "[", ".", "a", "1", "ord ", "å_"]
)
def test_time_grows_with_the_length_only(pattern: str) -> None:
    began = process_time()
    ANALYSER.words((pattern * 200_000)[:200_000] + "12")
    assert process_time() - began < 3


@pytest.mark.parametrize("date", ["8. april", "8.april", "8 april", "8.4.", "8.4.2024", "8. April"])
def test_a_date_is_matched_in_all_its_spellings(date: str) -> None:
    assert "8.4" in ANALYSER.words(f"Møtet er {date} på rådhuset")


@pytest.mark.parametrize(
    "text", ["8,4 prosent", "kapittel 8.4 om tilsyn", "38.4.", "8.14.", "8.4.1"]
)
def test_what_only_looks_like_a_date_is_none(text: str) -> None:
    assert not {"8.4", "8.14", "38.4"} & set(ANALYSER.words(text))


def test_a_compound_is_matched_by_its_parts_which_weigh_less() -> None:
    words = ANALYSER.words("samhandlingsbudsjettet")
    assert words[1:] == ANALYSER.words("samhandling budsjett")
    weights = ANALYSER.weights("samhandlingsbudsjettet")
    assert [weights[word] for word in words] == [1.0, PART_WEIGHT, PART_WEIGHT]
