"""The parts of questions, in the three languages of the service."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.answering.grammar.phrases import Gender, parse
from app.answering.grammar.references import reference_of


@pytest.mark.parametrize(
    ("question", "verb"),
    [
        ("Hvem leder rådet?", "leder"),
        ("Hvor mange ansatte har kommunen?", "har"),
        ("Hvilke saker arbeider rådet med?", "arbeider"),
        ("Kven skreiv under brevet?", "skreiv"),
        ("Ble ordningen avviklet?", "Ble"),
        ("Who carried it out?", "carried"),
        ("Kapittel 9?", None),
        ("søknadsfrist dagtilbud", None),
    ],
)
def test_the_main_verb(question: str, verb: str | None) -> None:
    parts = parse(question)
    found = None if parts.verb is None else parts.words[parts.verb].text
    assert found == verb


@pytest.mark.parametrize(
    ("question", "phrases"),
    [
        ("Hvor mange medlemmer har bransjen?", ["medlemmer", "bransjen"]),
        ("Når kom Meld. St. 9 (2023–2024)?", ["Meld. St. 9 (2023–2024)"]),
        ("Når var Helse- og velferdskonferansen?", ["Helse- og velferdskonferansen"]),
        ("Hvem møtte ministeren 6. mars?", ["ministeren", "6. mars"]),
        ("Når har utvalget frist?", ["utvalget", "frist"]),
        ("Hva sier «Bo trygt hjemme» om skolen?", ["«Bo trygt hjemme»", "skolen"]),
        ("Når ble det vedtatt?", []),
        ("Hvor mange medlemmer har rådet?", ["medlemmer", "rådet"]),
        ("Hvilken ordning ble kuttet?", ["ordning"]),
        ("Hvem har laget den?", []),
        ("Hva mener de ansatte?", ["de ansatte"]),
    ],
)
def test_the_phrases_that_name_things(question: str, phrases: list[str]) -> None:
    parts = parse(question)
    assert [parts.text[phrase.start : phrase.end] for phrase in parts.phrases] == phrases


@pytest.mark.parametrize(
    ("question", "with_complement"),
    [
        ("Når kom brevet frå rådet?", "brevet frå rådet"),
        ("Hva er fristen for å søke plass?", "fristen for å søke plass"),
        ("Hva mener rådet om planen?", "rådet"),
        ("Hva gikk ordningen med valg ut på?", "ordningen med valg"),
        ("Hva skjedde i valgkampen i 2023?", "valgkampen"),
    ],
)
def test_what_tells_which_thing_it_is_belongs_to_it(question: str, with_complement: str) -> None:
    parts = parse(question)
    phrase = parts.phrases[0]
    assert parts.text[phrase.start : parts.complement_end(phrase)] == with_complement


@pytest.mark.parametrize(
    ("phrase", "gender"),
    [
        ("planen", Gender.COMMON),
        ("hytta", Gender.COMMON),
        ("rådet", Gender.NEUTER),
        ("HelseOmsorg21-rådet", Gender.NEUTER),
        ("et register", Gender.NEUTER),
        ("kommunene", Gender.PLURAL),
        ("kommunane", Gender.PLURAL),
        ("Bodø og Bergen", Gender.PLURAL),
        ("Bergen", None),
        ("barometer", None),
    ],
)
def test_gender(phrase: str, gender: Gender | None) -> None:
    [found] = parse(f"Hvor er {phrase}?").phrases
    assert found.gender is gender


@pytest.mark.parametrize(
    ("question", "word"),
    [
        ("Hvem leder det?", "det"),
        ("Når ble det vedtatt i rådet?", "det"),
        ("Dekker det hele kostnaden?", "det"),
        ("Når ble det bygd sykehus i Bodø?", None),
        ("Hvem er det som leder?", None),
        ("Hva mener de?", "de"),
        ("Hvor mange av dem leverer?", "dem"),
        ("Hvor kom de fra, de som søkte?", "de"),
        ("Hvem er de med størst behov som venter?", None),
        ("Hva sier statsråd Nordmann om henne?", None),
        ("Hvem er moren hans?", "hans"),
        ("Hvor mange bor der?", "der"),
        ("Kva seier ho?", "ho"),
    ],
)
def test_the_word_that_points_back(question: str, word: str | None) -> None:
    reference = reference_of(parse(question))
    assert (reference.word.text if reference else None) == word


@given(st.text(max_size=200))
def test_words_and_phrases_are_spans_of_the_question(text: str) -> None:
    parts = parse(text)
    ends = 0
    for word in parts.words:
        assert ends <= word.start < word.end
        assert parts.text[word.start : word.end] == word.text
        ends = word.end
    for phrase in parts.phrases:
        assert phrase.end <= parts.complement_end(phrase) <= len(parts.text)
