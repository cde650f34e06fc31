"""What a question asks for, in the three languages of the service."""

import pytest

from app.answering.question_kinds import wants_account, wants_list, wants_name, wants_number

NUMBERS = [
    "Hvor mange plasser har sykehjemmet?",
    "Når åpnet sykehjemmet?",
    "Kor mykje kosta det?",
    "What year did it open?",
    "Hvor stor andel av de ansatte sluttet?",
    "How many places are there?",
]
NAMES = ["Hvem leder rådet?", "Kven leier rådet?", "Hvor ligger tunet?", "Which board decides?"]
LISTS = ["Hvilke tiltak er satt i verk?", "Kva for tiltak er sette i verk?", "Nevn tre tiltak."]
ACCOUNTS = [
    "Hvorfor ble ordningen avviklet?",
    "Kvifor vart ordninga avvikla?",
    "Hvordan søker man om plass?",
    "How does one apply?",
    "Er ordningen avviklet?",
    "Hvis en pasient klager, blir saken da behandlet?",
    "Beskriv ordningen.",
    "søknadsfrist dagtilbud",
]


@pytest.mark.parametrize("question", NUMBERS)
def test_questions_for_a_number(question: str) -> None:
    assert wants_number(question)
    assert not wants_name(question)
    assert not wants_account(question)


@pytest.mark.parametrize("question", NAMES)
def test_questions_for_a_name(question: str) -> None:
    assert wants_name(question)
    assert not wants_number(question)
    assert not wants_account(question)


@pytest.mark.parametrize("question", LISTS)
def test_questions_for_several_things(question: str) -> None:
    assert wants_list(question)


@pytest.mark.parametrize("question", ACCOUNTS)
def test_questions_that_one_fact_seldom_answers(question: str) -> None:
    assert wants_account(question)
    assert not wants_number(question)
    assert not wants_list(question)
