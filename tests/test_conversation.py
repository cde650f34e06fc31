"""Follow-ups become the questions that they stand for; what stands by itself is left alone."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.answering.conversation import MAX_STANDALONE, Turn, standalone
from tests.conftest import ROOT

PLAN = "Hva sier planen om sykehjem i 2022?"


def asked(*turns: str) -> list[Turn]:
    """Turns by turns: a question, and after « => » its short answer."""
    history = []
    for turn in turns:
        question, _, short = turn.partition(" => ")
        answer = f"{short}\n\nDet står at det er {short}. [1]" if short else "Det står her. [1]"
        history += [Turn("user", question), Turn("assistant", answer)]
    return history


@pytest.mark.parametrize(
    ("before", "question", "complete"),
    [
        (PLAN, "Og i 2023?", "Hva sier planen om sykehjem i 2023?"),
        (PLAN, "og 2023", "Hva sier planen om sykehjem i 2023?"),
        (PLAN, "For 2023?", "Hva sier planen om sykehjem for 2023?"),
        (PLAN, "Hva med barnehager?", "Hva sier planen om barnehager i 2022?"),
        (PLAN, "Og om barnehager i 2024?", "Hva sier planen om barnehager i 2024?"),
        (PLAN, "Takk, og barnehager?", "Hva sier planen om barnehager i 2022?"),
        ("Hvor mange bor i Bodø?", "Enn i Oslo?", "Hvor mange bor i Oslo?"),
        ("Kor mange plassar har tunet?", "Og tilsette?", "Kor mange tilsette har tunet?"),
        ("Hva er tema for kapittel 2?", "Kapittel 3?", "Hva er tema for kapittel 3?"),
        ("Hvor mange har mer enn 20 plasser?", "Og under 5?", "Hvor mange har under 5 plasser?"),
        ("What is chapter 2 about?", "And chapter 3?", "What is chapter 3 about?"),
    ],
)
def test_a_part_takes_the_place_of_its_like(before: str, question: str, complete: str) -> None:
    assert standalone(question, asked(before)) == complete


def test_what_has_no_like_is_added() -> None:
    history = asked("Hvor mange plasser har sykehjemmet?")
    assert standalone("Og i 2023?", history) == "Hvor mange plasser har sykehjemmet i 2023?"


@pytest.mark.parametrize(
    ("before", "question", "complete"),
    [
        ("Når åpnet sykehjemmet?", "Hvem leder det?", "Hvem leder sykehjemmet?"),
        ("Når kom planen?", "Hvem har laget den?", "Hvem har laget planen?"),
        (
            "Hva sier rådet om planen?",  # of the two it is the plan that is «den»
            "Når ble den vedtatt?",
            "Når ble planen vedtatt?",
        ),
        (
            "Kven fekk brevet frå rådet?",
            "Når vart det sendt?",
            "Når vart brevet frå rådet sendt?",
        ),
        ("Kva gjer kommunane?", "Kva kostar dei?", "Kva kostar kommunane?"),
        ("Hvem møtte rådet? => Kari Nordmann", "Hva sa hun?", "Hva sa Kari Nordmann?"),
        ("Hvem leder rådet?", "Når ble hun valgt?", "Når ble den som leder rådet valgt?"),
        ("Hvem målte luften? => Målebyrået", "Når målte de?", "Når målte Målebyrået?"),
        ("Hvor ligger tunet? => Bodø", "Hvor mange bor der?", "Hvor mange bor i Bodø?"),
        ("Hvem bor i Bodø?", "Hvilke skoler er det der?", "Hvilke skoler er det i Bodø?"),
        ("Hvilke tiltak har planen?", "Hva koster de?", "Hva koster tiltakene i planen?"),
        (
            "Når åpnet det nye sykehjemmet på tunet?",
            "Hvem leder dette sykehjemmet?",
            "Hvem leder det nye sykehjemmet på tunet?",
        ),
        ("Hva koster plassen?", "Er det dyrt?", "Er plassen dyrt?"),
        ("Who leads the council?", "When was it founded?", "When was the council founded?"),
    ],
)
def test_a_pronoun_becomes_what_it_points_to(before: str, question: str, complete: str) -> None:
    assert standalone(question, asked(before)) == complete


@pytest.mark.parametrize(
    ("before", "question", "complete"),
    [
        ("Ble ordningen avviklet?", "Hvorfor?", "Hvorfor ble ordningen avviklet?"),
        ("Ble ordningen avviklet?", "Hvorfor ikke?", "Hvorfor ble ikke ordningen avviklet?"),
        ("Vart ordninga avvikla?", "Når då?", "Når vart ordninga avvikla?"),
        ("Når ble ordningen avviklet?", "Av hvem?", "Av hvem ble ordningen avviklet?"),
        ("Når ble ordningen avviklet?", "Hvor var det?", "Hvor ble ordningen avviklet?"),
        ("Hvor mange plasser har tunet? => 12", "Hvorfor?", "Hvorfor har tunet 12 plasser?"),
        ("Hva koster plassen?", "Hvem bestemmer?", "Hvem bestemmer plassen?"),
    ],
)
def test_a_bare_question_word_asks_of_the_last_question(
    before: str, question: str, complete: str
) -> None:
    assert standalone(question, asked(before)) == complete


def test_a_chain_is_resolved_turn_by_turn() -> None:
    history = asked("Hva kostet planen i 2021?", "Og i 2022?", "Takk!", "Hvem laget den?")
    assert standalone("Hvem leder rådet?", history) == "Hvem leder rådet?"
    assert standalone("Når kom den?", history) == "Når kom planen?"
    assert standalone("Og budsjettet?", history[:4]) == "Hva kostet budsjettet i 2022?"


def test_a_pronoun_may_point_past_the_last_question() -> None:
    history = asked("Hva kostet planen?", "Hvem leder rådet?")
    assert standalone("Når kom den?", history) == "Når kom planen?"


def test_a_refusal_names_nothing() -> None:
    refusal = "Jeg finner ikke svaret i dokumentene. Jeg søkte etter «Hvem leder Kari Nordmann?»."
    history = [Turn("user", "Hvem leder rådet?"), Turn("assistant", refusal)]
    assert standalone("Hva er det?", history) == "Hva er rådet?"


STANDING_ALONE = [
    "Hvem leder kommunen?",
    "Og hvem leder kommunen?",
    "Er det lov å klage?",
    "Er det plass til flere?",
    "Går det an å søke på nett?",
    "Hva er det viktigste tiltaket?",
    "Hva er det rådet mener om skolen?",
    "Hvor mange ansatte er det i kommunen?",
    "Hvor mange bor det i Bodø?",
    "Finnes det en ordning for pårørende?",
    "Hvor lang tid tar det å få svar?",
    "Hva gjør det offentlige for eldre?",
    "Hva mener de ansatte?",
    "Hva vil de som bor der, ha gjort?",
    "Hvor bodde Henrik Ibsen da han døde?",
    "Hvor bor Kari og moren hennes?",
    "Hva skrev Hans Jæger om?",
    "Hvilken avtale har Tour de Ski?",
    "Kor mange tilsette er det i kommunen?",
    "Kva er det som hastar?",
    "Finst det ei ordning for pårørande?",
    "Is there a deadline for appeals?",
    "Is it possible to appeal?",
    "velferdsmiks kommuner 2023",
    "Samhandlingsbudsjettet",
    "Ja",
    "?",
    "",
    "  Hvem leder   kommunen ",
]


@pytest.mark.parametrize("question", STANDING_ALONE)
def test_what_stands_by_itself_is_left_exactly_as_it_is(question: str) -> None:
    history = asked("Hvor mange medlemmer har bransjen i 2024? => 1369")
    assert standalone(question, history) == question


@given(st.text(max_size=300))
def test_the_first_question_is_left_as_it_is(question: str) -> None:
    assert standalone(question) == question


FOLLOW_UP_WORDS = """
    Og og hva Hva med det den de hun der Hvem Hvorfor ikke leder er ble har planen rådet Meld. St. 9
    2023 i på til som å ( ) « » ? . [1] Kari Nordmann medlemmer kven dette it
"""


def sayings() -> st.SearchStrategy[str]:
    """Texts of the words that follow-ups are made of, and any others."""
    words = st.sampled_from([*FOLLOW_UP_WORDS.split(), "\n"])
    return st.one_of(st.lists(words, max_size=12).map(" ".join), st.text(max_size=60))


@given(
    st.lists(st.builds(Turn, st.sampled_from(["user", "assistant"]), sayings()), max_size=8),
    sayings(),
)
def test_whatever_is_said_the_question_stays_a_short_text(
    history: list[Turn], question: str
) -> None:
    complete = standalone(question, history)
    assert complete == standalone(question, history)
    assert len(complete) <= MAX_STANDALONE
    assert bool(complete.strip()) == bool(question.strip())


def test_long_turns_are_neither_completed_nor_remembered() -> None:
    long = "Hva sier planen om " + "sykehjem og " * 600 + "skolen?"
    assert standalone("Hvem leder den?", [Turn("user", long)] * 40) == "Hvem leder den?"
    assert standalone(long, asked(PLAN)) == long


def test_the_questions_of_the_examples_stand_by_themselves() -> None:
    path = ROOT / "tests/questions/examples.jsonl"
    lines = path.read_text(encoding="utf-8").splitlines()
    history = asked("Hvor ligger tunet? => Bodø")
    for question in (json.loads(line)["question"] for line in lines):
        assert standalone(question, history) == question
