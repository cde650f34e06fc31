"""Normalisation: one form, reached once, with every Norwegian letter whole."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.text import normalise, normalise_line

# Every code point, lone surrogates included: files hold them, and they must not stop a reading.
ANY_TEXT = st.text(st.characters())


@given(ANY_TEXT)
def test_normalising_twice_changes_nothing_more(text: str) -> None:
    once = normalise(text)
    assert normalise(once) == once


@given(ANY_TEXT)
def test_the_result_is_composed_and_can_be_stored(text: str) -> None:
    result = normalise(text)
    assert unicodedata.is_normalized("NFC", result)
    result.encode()  # would raise on a lone surrogate


@given(st.text(st.sampled_from("a\u030ao\u0308\u200b\u00ad\x00\ufeff\n ")))
def test_invisible_characters_do_not_keep_a_letter_from_its_ring(text: str) -> None:
    assert unicodedata.is_normalized("NFC", normalise(text))


@given(ANY_TEXT)
def test_a_normalised_line_is_one_line_without_double_spaces(text: str) -> None:
    line = normalise_line(text)
    assert line == " ".join(line.split())
    assert normalise_line(line) == line


@pytest.mark.parametrize("letter", "æøåÆØÅéòôü")
def test_norwegian_letters_become_one_character_and_stay_themselves(letter: str) -> None:
    assert normalise(unicodedata.normalize("NFD", letter)) == letter
    assert normalise(letter) == letter


def test_a_letter_is_composed_across_a_removed_character() -> None:
    assert normalise("Ta\u200b\u030ase\u0000n") == "Tåsen"


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("én\r\nto\rtre", "én\nto\ntre"),
        ("én\x0bto\x0ctre", "én\nto\ntre"),  # manual line break, page break
        ("én\u2028to\u2029tre\x85fire", "én\nto\ntre\nfire"),
        ("sam\u00adarbeid", "samarbeid"),
        ("sam\u00ad\n  arbeid", "samarbeid"),
        ("sam\u00ad\r\narbeid", "samarbeid"),
        ("\uf0b7 punkt", "• punkt"),
        ("\ufefftekst\u200b", "tekst"),
        ("a\x00b\x1bc\x9fd", "abcd"),
        ("halv \ud83d", "halv \ufffd"),
        ("½ m² ﬁn", "½ m² ﬁn"),
        ("a\tb", "a\tb"),
    ],
)
def test_what_normalising_does(raw: str, expected: str) -> None:
    assert normalise(raw) == expected


def test_hard_spaces_fold_only_on_a_line() -> None:
    assert normalise("5\u00a0000") == "5\u00a0000"
    assert normalise_line("  5\u00a0000\t\nkr ") == "5 000 kr"
