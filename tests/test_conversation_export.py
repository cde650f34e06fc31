"""A conversation as Markdown, as a reader of Markdown sees it."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from unicodedata import category

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from app.answering.citations import Citation
from app.kept.conversation_export import as_markdown
from app.kept.conversation_records import ConversationSummary
from app.kept.conversations import Conversation, ConversationTurn

CITATION = Citation(
    2,
    "d" * 16,
    "Plan",
    "/d/plan_2024.pdf",
    "sha256:e",
    3,
    ("Plan", "Økonomi"),
    7,
    20,
    "2,5 mill. kr.",
    None,
)
TURN = ConversationTurn(
    asked_at="2026-11-25T10:11:12.000000+00:00",
    question="Hva koster planen?",
    answered=True,
    answer="2,5 mill. kr. [2]",
    short_answer="2,5 mill.",
    citations=(CITATION,),
    gone=1,
)


def conversation(*turns: ConversationTurn, title: str = "Planen") -> Conversation:
    return Conversation(ConversationSummary("a", title, "", "", len(turns)), turns)


def test_a_conversation_with_its_sources() -> None:
    refused = ConversationTurn(
        "2026-11-25T10:12:13+00:00", "Kva meiner dei?", False, "Eg finn ikkje svaret.", None, (), 0
    )
    assert as_markdown(conversation(TURN, refused)) == (
        "# Planen\n\n"
        "## Hva koster planen?\n\n"
        "2026-11-25 10:11 UTC\n\n"
        "**2,5 mill.**\n\n"
        "> 2,5 mill. kr. \\[2\\]\n\n"
        "Kilder:\n\n"
        "- \\[2\\] Plan › Økonomi, side 3, /d/plan\\_2024.pdf\n\n"
        "*Én kilde er ikke lenger blant dokumentene.*\n\n"
        "## Kva meiner dei?\n\n"
        "2026-11-25 10:12 UTC\n\n"
        "> Eg finn ikkje svaret.\n"
    )


def test_of_an_answer_that_is_gone_the_question_stays() -> None:
    gone = replace(TURN, answer="", short_answer=None, citations=(), gone=3)
    assert as_markdown(conversation(gone)).splitlines()[2:] == [
        "## Hva koster planen?",
        "",
        "2026-11-25 10:11 UTC",
        "",
        "*3 kilder er ikke lenger der.*",
    ]


MARKUP = """
    # ## - + * 1. 12) > >> ``` ~~~ --- === ___ <b> </b> <!-- &lt; &#35; [a](http://b.c) ![a](b)
    [a]: /b **a** __a__
    *a _a ~~a~~ `a` | --- | :--- \\ \\* $a$ http://a.no www.a.no <http://a.no> a@b.no
    [1] [^1] : a 1.5 -2 & ! « »
"""
TEXTS = st.one_of(
    st.lists(st.sampled_from([*MARKUP.split(), "\n", "\n\n", "    ", "\t"]), max_size=12).map(
        " ".join
    ),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=40),
)


def words(text: str) -> str:
    """The words of a text in a row; what controls a terminal is none."""
    return " ".join("".join(c if category(c) != "Cc" else " " for c in text).split())


def read(tokens: Iterable[Token]) -> tuple[Counter[str], str]:
    """How often each kind of markup stands there, and the words that are shown."""
    kinds, shown = Counter[str](), ""
    for token in tokens:
        if token.type == "inline":
            inner, text = read(token.children or [])
            kinds += inner
            shown += text
        else:
            if token.nesting >= 0:
                kinds[token.type.removesuffix("_open")] += 1
            shown += token.content or " "
    return kinds, shown


@settings(max_examples=150, deadline=None)
@given(TEXTS, TEXTS, TEXTS)
@example("a\n===", "- b\n1. c", "# d\n\n    e\n> f")
@example("<script>", "a\\", "&lt;b&gt;")
def test_no_word_of_a_document_or_a_person_becomes_markup(
    question: str, quote: str, title: str
) -> None:
    citation = replace(CITATION, quote=quote, title=title, source=title, heading_path=(quote,))
    turn = replace(TURN, question=question, answer=quote, short_answer=quote, citations=(citation,))
    written = as_markdown(conversation(turn, title=title))
    kinds, shown = read(MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(written))
    for line in ("paragraph", "text", "softbreak", "hardbreak"):
        kinds.pop(line, None)
    has_words = bool(words(quote))
    assert kinds == Counter(
        heading=2, strong=has_words, blockquote=bool(quote), bullet_list=1, list_item=1, em=1
    )
    assert words(quote) in words(shown)
    assert words(question) in words(shown)
    assert words(title) in words(shown)


@pytest.mark.parametrize("address", ["http://a.no/b", "www.a.no"])
def test_an_address_becomes_no_link(address: str) -> None:
    turn = replace(TURN, answer=f"Se {address} nå", citations=())
    written = as_markdown(conversation(turn))
    assert address not in written
    rendered = MarkdownIt().render(written)
    assert f"Se {address} nå" in rendered
