"""Markdown: blocks, lists with their numbers, tables, and front matter that is really one."""

from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.documents import BlockKind, assemble
from index.errors import UnreadableDocumentError
from index.readers.markdown import read_markdown

HEADING, PARAGRAPH = BlockKind.HEADING, BlockKind.PARAGRAPH
ITEM, ROW = BlockKind.LIST_ITEM, BlockKind.TABLE_ROW


def outline(text: str) -> list[tuple[BlockKind, int, str, str]]:
    return [(p.kind, p.level, p.marker, p.text) for p in read_markdown(text)[1]]


def texts(text: str) -> list[str]:
    return [piece.text for piece in read_markdown(text)[1]]


def test_front_matter_gives_plain_fields_and_leaves_the_text() -> None:
    fields, pieces = read_markdown(
        '---\nTitle: "Året på Ås"\nkilde: https://a.no/x:y\nauthor:\n  title: Direktør\n'
        "# merknad\n- løs\n---\nHei\n"
    )
    assert fields["title"] == "Året på Ås"
    assert fields["kilde"] == "https://a.no/x:y"
    assert [piece.text for piece in pieces] == ["Hei"]


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("---\n\nViktig beskjed\n\n---\n\nMer", ["Viktig beskjed", "Mer"]),
        ("---\n---\nMer\n\n---\n", ["Mer"]),
        ("---\nBare tekst uten felt\n---\n\nMer", ["Bare tekst uten felt", "Mer"]),
        ("---\ntitle: aldri lukket\n\nMer", ["title: aldri lukket", "Mer"]),
        ("Først\n\n---\ntitle: midt i\n---\n", ["Først", "title: midt i"]),
    ],
)
def test_text_between_rulers_is_not_lost(text: str, kept: list[str]) -> None:
    assert texts(text) == kept


@pytest.mark.parametrize(
    "text", ["---\ntitle: Å\n---", "---\r\ntitle: Å\r\n---\r\nHei", "---\ntitle: Å\n--- \nHei"]
)
def test_front_matter_in_other_line_endings(text: str) -> None:
    assert read_markdown(text)[0] == {"title": "Å"}


def test_headings_have_their_levels() -> None:
    assert outline("# Én *to*\n\n### Tre\n\nFire\n----\n") == [
        (HEADING, 1, "", "Én to"),
        (HEADING, 3, "", "Tre"),
        (HEADING, 2, "", "Fire"),
    ]


def test_nested_lists_have_depth_bullets_and_numbers() -> None:
    text = "3. søk\n   - skriftlig\n   - signert\n\n     med dato\n4.\n5. vent\n\n- ferdig\n"
    assert outline(text) == [
        (ITEM, 1, "", "3. søk"),
        (ITEM, 2, "- ", "skriftlig"),
        (ITEM, 2, "- ", "signert"),
        (ITEM, 2, "", "med dato"),
        (ITEM, 1, "", "5. vent"),
        (ITEM, 1, "- ", "ferdig"),
    ]


def test_a_table_gives_a_row_for_each_line_and_drops_empty_ones() -> None:
    text = "| År | Antall |\n|---|--:|\n| 2023 | 1 369<br>ca. |\n| | |\n| **2024** | |\n"
    assert outline(text) == [
        (ROW, 0, "", "År | Antall"),
        (ROW, 0, "", "2023 | 1 369 ca."),
        (ROW, 0, "", "2024 | "),
    ]


@pytest.mark.parametrize(
    ("raw", "seen"),
    [
        ("Se [planen](https://a.no) og <https://b.no>", "Se planen og https://b.no"),
        ("Se [planen][p]\n\n[p]: https://a.no", "Se planen"),
        ("![Kart over Ås](kart.png)", "Kart over Ås"),
        ("bar**ne**hage og *øl*", "barnehage og øl"),
        ("en `kode` til", "en kode til"),
        ("myk\nlinje", "myk linje"),
        ("hard\\\nlinje", "hard\nlinje"),
        ("hard<br/>linje", "hard\nlinje"),
        ("&aring; &amp; \\*stjerne\\*", "å & *stjerne*"),
        ("> sitert", "sitert"),
        ("a <span>b</span> c", "a b c"),
    ],
)
def test_the_words_that_a_reader_sees(raw: str, seen: str) -> None:
    assert texts(raw) == [seen]


def test_code_is_kept_as_text() -> None:
    assert assemble(read_markdown("```\nén\nto\n```\n\n    tre\n")[1])[0] == "én\nto\n\ntre"


def test_html_in_markdown_is_read_as_html() -> None:
    text = (
        "<div><script>skjult()</script><table><tr><td>A<td>B</table></div>\n\n<!-- nei -->\n\nHei"
    )
    assert [(kind, seen) for kind, _, _, seen in outline(text)] == [
        (ROW, "A | B"),
        (PARAGRAPH, "Hei"),
    ]


def nested_list(depth: int) -> str:
    return "\n".join("  " * level + f"- nivå {level}" for level in range(depth))


def test_a_deep_list_is_read_whole_or_refused() -> None:
    assert len(texts(nested_list(40))) == 40
    for deep in (nested_list(80), "> " * 5_000 + "bunn"):
        with pytest.raises(UnreadableDocumentError, match="nested"):
            read_markdown(deep)


MARKUP = st.lists(
    st.sampled_from(
        [
            "# ",
            "- ",
            "1. ",
            "> ",
            "|a|b|\n|-|-|\n",
            "|",
            "**",
            "[",
            "](",
            ")",
            "`",
            "```\n",
            "<div>",
            "<br>",
            "<!--",
            "---\n",
            "\n",
            "\n\n",
            "  ",
            "\t",
            "å",
            "ord ",
            "&aring;",
            "\\",
            "x: y\n",
        ]
    ),
    max_size=25,
)


@given(MARKUP.map("".join) | st.text())
def test_any_markup_is_read_or_refused(text: str) -> None:
    try:
        _, pieces = read_markdown(text)
    except UnreadableDocumentError:
        return
    whole, blocks = assemble(pieces)
    assert all(whole[block.start : block.end] for block in blocks)


@given(st.lists(st.text(st.sampled_from("abæøåÆØÅ"), min_size=1, max_size=9), max_size=30))
def test_no_word_of_plain_lines_is_lost(words: list[str]) -> None:
    text = "\n\n".join(words)
    assert texts(text) == words


@pytest.mark.parametrize(
    "pattern", ["*", "*a ", "[", "![", "[a](/", ".", "<", "<!--", "|", "`", "\n<div\n<"]
)
def test_a_file_full_of_one_mark_is_read_at_once(pattern: str) -> None:
    began = process_time()
    read_markdown((pattern * 200_000)[:200_000])
    assert process_time() - began < 6
