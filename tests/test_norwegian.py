"""Forms, Nynorsk and compounds: which words are one word, and what words are made of."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import index.norwegian
from index.norwegian.compounds import compounds
from index.norwegian.forms import lines_of, word_forms
from index.norwegian.verbs import verbs

FORMS = word_forms()
COMPOUNDS = compounds()


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("kven", "hvem"),
        ("ikkje", "ikke"),
        ("kommunane", "kommunene"),
        ("helsetenester", "helsetjenester"),
        ("verkemiddel", "virkemidler"),
        ("gikk", "gå"),
        ("nokre", "noen"),
    ],
)
def test_forms_of_one_word_have_one_key(one: str, other: str) -> None:
    assert FORMS.key(one) == FORMS.key(other)


@pytest.mark.parametrize(("one", "other"), [("ikke", "like"), ("vann", "vant")])
def test_other_words_have_other_keys(one: str, other: str) -> None:
    assert FORMS.key(one) != FORMS.key(other)


@pytest.mark.parametrize(
    ("nynorsk", "bokmal"), [("kvifor", "hvorfor"), ("leiar", "leder"), ("hus", None), ("xyz", None)]
)
def test_nynorsk_words_have_a_bokmal_form_where_it_differs(
    nynorsk: str, bokmal: str | None
) -> None:
    assert FORMS.in_bokmal(nynorsk) == bokmal


@pytest.mark.parametrize(
    ("word", "parts"),
    [
        ("samhandlingsbudsjettet", ["samhandling", "budsjett"]),
        ("helsefellesskapene", ["helse", "fellesskap"]),
        ("legemiddelutgiftene", ["legemiddel", "utgift"]),
        ("kyrkjebudsjettet", ["kirke", "budsjett"]),
        ("omsorgstenester", ["omsorg", "tjeneste"]),
        ("sykehus", []),
        ("sykehusene", []),
        ("Oslo", []),
        ("fisk", []),
        ("qwertyqwerty", []),
    ],
)
def test_compounds_fall_into_words_of_the_dictionary(word: str, parts: list[str]) -> None:
    assert list(COMPOUNDS.parts(word)) == [FORMS.key(part) for part in parts]


LEMMAS = [lemma for lemma in lines_of("lemmas.txt") if len(lemma) > 5]


@given(st.sampled_from(LEMMAS), st.sampled_from(LEMMAS), st.sampled_from(["", "s", "e"]))
def test_two_words_put_together_are_split_again(head: str, tail: str, binding: str) -> None:
    """Maybe elsewhere than they were joined, but into no more parts than there were."""
    parts = COMPOUNDS.parts(head + binding + tail)
    whole = head + binding + tail in set(lines_of("lemmas.txt"))
    assert whole or len(parts) == 2 or (not parts and len(head + binding + tail) > 60)


@given(st.text(st.sampled_from("abefgiklmnoprstæøå"), max_size=80))
def test_any_letters_can_be_asked_for_their_parts(word: str) -> None:
    parts = COMPOUNDS.parts(word)
    assert len(parts) != 1 and all(parts)


def test_every_table_says_where_it_comes_from() -> None:
    folder = Path(index.norwegian.__file__).parent
    sources = (folder / "SOURCES.md").read_text(encoding="utf-8")
    tables = [path.name for path in folder.iterdir() if path.suffix in {".tsv", ".txt"}]
    assert len(tables) == 4
    assert all(f"`{name}`" in sources for name in tables)


def test_verbs() -> None:
    known = verbs()
    assert known.is_finite("leder")
    assert not known.is_always("leder"), "it is a noun too"
    assert known.is_always("deltok")
    assert known.is_finite("skreiv"), "Nynorsk is known by its Bokmål"
    assert known.is_infinite("vedtatt")
    assert not known.is_finite("vedtatt")
    for word in ("kommune", "budsjettet", "xyz", ""):
        assert not known.is_finite(word) and not known.is_infinite(word)
        assert not known.is_always(word)
