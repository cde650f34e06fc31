"""Text as Markdown: what a renderer makes of it shows the same words, and nothing else."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from app.openai_api.markdown_text import MarkdownText, markdown, text_of

RENDERER = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
PLAIN = {
    "paragraph",
    "inline",
    "text",
    "softbreak",
    "hardbreak",
    "code_inline",
    "bullet_list",
    "ordered_list",
    "list_item",
}
"""What a rendering may consist of. No link, image, HTML, heading, table, quotation or emphasis."""

PIECES = st.sampled_from(
    [
        *"[]()!<>&`\\*_~$|:#-+=.,\n \t",
        *("**", "__", "```", "---", "===", "> ", "## ", "1. ", "- ", "\n\n", "\n    ", "\r\n"),
        *("![bilde](http://e.example/a.png)", "[lenke](http://e.example)", "[1]", "[a][b]"),
        *(
            "[b]: http://e.example",
            "<img src=x>",
            "<script>",
            "<http://e.example>",
            "&lt;",
            "&#60;",
        ),
        *(
            "http://e.example/a.png",
            "https://x.no/b(c)",
            "www.x.no",
            "x.no",
            "a@b.no",
            "mailto:a@b",
        ),
        *("| a | b |", "| - | - |", "- | -", "--- | ---", "1369", "Planen", "æøå", "f.eks.", "«"),
    ]
)
NASTY = st.lists(PIECES, max_size=20).map("".join)
MOSTLY_TEXT = st.one_of(NASTY, st.text(max_size=60))


def kinds(tokens: list[Token]) -> set[str]:
    found = {re.sub(r"_(open|close)$", "", token.type) for token in tokens}
    return found.union(*(kinds(token.children) for token in tokens if token.children))


def words(text: str) -> str:
    """The text without its white space."""
    return "".join(text.split())


def shown(tokens: list[Token]) -> str:
    """What a reader sees, without the bullets and numbers that a list is given."""
    parts = [shown(token.children) if token.children else token.content for token in tokens]
    return words("".join(parts))


@given(MOSTLY_TEXT)
def test_nothing_but_text_and_lists_comes_of_it(text: str) -> None:
    assert kinds(RENDERER.parse(markdown(text))) <= PLAIN


@given(MOSTLY_TEXT.filter(lambda text: "\0" not in text))
def test_the_reader_sees_the_same_words(text: str) -> None:
    without_items = re.sub(r"(?m)^\s*(?:(?:[-+]|\d+[.)])\s+)+", "x ", text)
    assert shown(RENDERER.parse(markdown(without_items))) == words(without_items)


@given(MOSTLY_TEXT)
def test_the_text_can_be_had_back(text: str) -> None:
    assert words(text_of(markdown(text))) == words(text)


@given(st.lists(PIECES, max_size=20))
def test_pieces_make_the_same_as_the_whole(pieces: list[str]) -> None:
    made = MarkdownText()
    parts = [made.add(piece) for piece in pieces]
    assert "".join(parts) + made.end() == markdown("".join(pieces))


@pytest.mark.parametrize(
    ("text", "made"),
    [
        ("Bransjen har 1369 medlemmer. [1]", "Bransjen har 1369 medlemmer. [1]"),
        ("Se ![x](http://e.example/a.png)", "Se \\![x]\\(`http://e.example/a.png`)"),
        ("<img src=x> & R&D &lt;", "&lt;img src=x> & R&D &amp;lt;"),
        ("Les mer på www.x.no, eller spør a@x.no.", "Les mer på `www.x.no`, eller spør `a@x.no`."),
        (
            "Målene er:\n- å være først\n- å bli best",
            "Målene er:  \n- å være først  \n- å bli best",
        ),
        ("Region | 2023\n- | -\nNord | 5", "Region | 2023  \n- \\| \\-  \nNord | 5"),
        ("Tittel\n---\n# Mål\n> sa hun", "Tittel  \n\\---  \n\\# Mål  \n\\> sa hun"),
        ("fil_navn _kursiv_ **fet** m.fl.", "fil_navn \\_kursiv\\_ \\*\\*fet\\*\\* m.fl."),
        ("  først", "først"),
    ],
)
def test_no_more_is_marked_than_has_to_be(text: str, made: str) -> None:
    assert markdown(text) == made


def test_a_text_within_a_line_begins_none() -> None:
    assert markdown("# 1. mål", within_line=True) == "# 1. mål"


def test_a_piece_is_ready_once_its_last_word_is_whole() -> None:
    made = MarkdownText()
    assert made.add("Se http://e") == "Se"
    assert made.add("vil.example nå") == " `http://evil.example`"
    assert made.end() == " nå"


def test_a_word_without_end_takes_no_time() -> None:
    """Not timed: with as many steps as its letters squared this would take minutes."""
    for word in ("a.-", "aa.", "@", "-", "a", "//"):
        assert text_of(markdown(word * 100_000)) == word * 100_000
