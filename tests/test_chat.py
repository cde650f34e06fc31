"""Conversations in, Markdown out: what is asked, what was said before, and how it is shown."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from app.answering.answerer import Answer, Event, StageBegun
from app.answering.citations import Citation
from app.answering.composing import Text, Waiting
from app.answering.conversation import Turn
from app.openai_api.chat import Reply, answer_of, asked_in
from app.openai_api.errors import ChatRequestError
from app.openai_api.schemas import ChatMessage
from app.schemas import MAX_MESSAGE, MAX_MESSAGES, MAX_QUESTION
from tests.test_markdown_text import MOSTLY_TEXT, PLAIN, kinds, words

QUESTION = "Når kom planen?"


def messages(*said: tuple[str, Any]) -> list[ChatMessage]:
    return [ChatMessage.model_validate({"role": role, "content": text}) for role, text in said]


def citation(number: int, quote: str, **fields: Any) -> Citation:
    given = {
        "document_id": "d",
        "title": "Planen",
        "source": "plan.md",
        "content_hash": "h",
        "page": None,
        "heading_path": (),
        "start": 0,
        "end": len(quote),
        "short_answer": None,
    }
    return Citation(number=number, quote=quote, **(given | fields))


def events(citations: list[Citation], question: str = QUESTION, **fields: Any) -> list[Event]:
    """What the answerer tells of an answer that has those citations."""
    told: list[Event] = [StageBegun("retrieve")]
    gaps = ["", *["\n\n"] * len(citations)]
    quoted = [f"{gap}{c.quote} [{c.number}]" for gap, c in zip(gaps, citations, strict=False)]
    texts = quoted or ["Nei."]
    for place, text in enumerate(texts):
        told += [*citations[place : place + 1], Waiting(), Text(text)]
    answer = "".join(texts)
    told.append(
        Answer(bool(citations), answer, None, 0.9, citations, [], question, {}, "g", 1, **fields)
    )
    return told


def content(citations: list[Citation], question: str = QUESTION, **fields: Any) -> str:
    reply = Reply()
    return "".join(reply.piece(event) for event in events(citations, question, **fields))


def test_the_last_message_of_the_user_is_the_question() -> None:
    asked = asked_in(
        messages(
            ("system", "Svar på vers."),
            ("user", "Hvem lagde planen?"),
            ("assistant", "**Rådet**\n\nRådet lagde \\*den\\*. [1]\n\n**Kilder**\n\n- [1] Planen"),
            ("tool", "ingenting"),
            ("assistant", None),
            ("user", [{"type": "text", "text": " Når kom"}, {"type": "text", "text": "den? "}]),
            ("assistant", "Jo,"),
        )
    )
    assert asked.question == "Når kom\nden?"
    assert asked.history == (
        Turn("user", "Hvem lagde planen?"),
        Turn("assistant", "Rådet\n\nRådet lagde *den*. [1]"),
    )


def test_what_is_not_text_is_passed_over_in_the_history_and_refused_in_the_question() -> None:
    picture = [
        {"type": "image_url", "image_url": {"url": "data:"}},
        {"type": "text", "text": "Hva?"},
    ]
    asked = asked_in(messages(("user", picture), ("user", QUESTION)))
    assert asked.history == (Turn("user", "Hva?"),)
    with pytest.raises(ChatRequestError, match="part of type image_url") as refused:
        asked_in(messages(("user", QUESTION), ("user", picture)))
    assert refused.value.blame.param == "messages.1.content"


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ([], "no question"),
        ([("system", "Hei"), ("assistant", "Hei")], "no question"),
        ([("user", " \n")], "empty"),
        ([("user", None)], "empty"),
        ([("user", "å" * (MAX_QUESTION + 1))], "2,001 characters; the most are 2,000"),
    ],
)
def test_what_is_no_question_is_refused(said: list[tuple[str, Any]], reason: str) -> None:
    with pytest.raises(ChatRequestError, match=reason):
        asked_in(messages(*said))


def test_a_long_history_is_cut_not_refused() -> None:
    before = [("user", f"{number} {'x' * MAX_MESSAGE}") for number in range(MAX_MESSAGES + 20)]
    history = asked_in(messages(*before, ("user", "å" * MAX_QUESTION))).history
    assert [turn.content.split()[0] for turn in history] == [str(n) for n in range(20, 60)]
    assert {len(turn.content) for turn in history} == {MAX_MESSAGE}


def test_the_short_answer_comes_first_and_the_sources_last() -> None:
    short = citation(1, "Den kom i mai 2024.", start=40, short_answer=(50, 58), page=3)
    other = citation(2, "Rådet\nlagde den.", title="Om\nplanen", heading_path=("Om\nplanen", "Mål"))
    assert content([short, other]) == (
        "**mai 2024**\n\nDen kom i mai 2024. [1]\n\nRådet  \nlagde den. [2]\n\n"
        "**Kilder**\n\n- [1] Planen, side 3\n- [2] Om planen › Mål"
    )


def test_a_short_answer_leads_only_where_the_text_begins_with_saying_it() -> None:
    other = citation(2, "Mai.", short_answer=(0, 3))
    assert content([citation(1, "Den kom."), other]).startswith("Den kom. [1]\n\nMai. [2]")
    reply = Reply()
    assert reply.piece(citation(1, "Den kom i mai.", short_answer=(10, 13))) == ""
    assert reply.piece(Text("Planen er her. [1]")) == "Planen er her."


def test_what_the_reader_should_know_stands_between_text_and_sources() -> None:
    said = content([citation(1, "I mai.")], notice="Noe er *utelatt*.")
    assert said == "I mai. [1]\n\n*Noe er \\*utelatt\\*.*\n\n**Kilder**\n\n- [1] Planen"
    assert answer_of(said) == "I mai. [1]"


@pytest.mark.parametrize(
    ("question", "sources"),
    [
        ("Når kom den?", "**Kilder**\n\n- [1] Planen, side 2"),
        ("Kva tid kom han, og kven laga han?", "**Kjelder**\n\n- [1] Planen, side 2"),
        ("When did the plan come?", "**Sources**\n\n- [1] Planen, page 2"),
    ],
)
def test_the_sources_are_in_the_language_of_the_question(question: str, sources: str) -> None:
    assert content([citation(1, "I mai.", page=2)], question).endswith(sources)


def test_a_refusal_has_no_sources() -> None:
    assert content([]) == "Nei."


@given(MOSTLY_TEXT, MOSTLY_TEXT, st.lists(MOSTLY_TEXT, max_size=2))
def test_no_text_of_a_document_is_an_image_a_link_or_html(
    quote: str, title: str, headings: list[str]
) -> None:
    cited = citation(
        1,
        quote,
        end=len(quote),
        short_answer=(0, len(quote)),
        title=title,
        heading_path=(*headings,),
    )
    tokens = MarkdownIt("commonmark", {"html": True}).parse(content([cited]))
    assert kinds(tokens) <= PLAIN | {"strong"}


@given(MOSTLY_TEXT.filter(str.strip), MOSTLY_TEXT)
def test_what_was_answered_is_known_again_in_the_history(quote: str, title: str) -> None:
    cited = citation(1, quote, short_answer=(0, len(quote)), title=title)
    short, _, rest = answer_of(content([cited])).partition("\n\n")
    assert words(short) == words(quote)
    assert words(rest) == words(f"{quote} [1]")
