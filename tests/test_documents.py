"""Documents: one text, and blocks that are exact spans of it."""

import hashlib

from hypothesis import given
from hypothesis import strategies as st

from index.documents import Block, BlockKind, Document, Piece, assemble, heading_paths
from index.text import normalise_line

TEXTS = st.text(st.sampled_from("aæøåÅ. \n\t-•\u00a0\u200b\u030a1")) | st.text(max_size=30)
PIECES = st.builds(
    Piece,
    kind=st.sampled_from(BlockKind),
    text=TEXTS,
    level=st.integers(0, 6),
    page=st.none() | st.integers(1, 9),
    marker=st.sampled_from(["", "- ", "• "]),
)


def lines_of(piece: Piece) -> str:
    return "\n".join(filter(None, map(normalise_line, piece.text.split("\n"))))


@given(st.lists(PIECES, max_size=12))
def test_every_block_is_a_span_in_order_and_equals_its_piece(pieces: list[Piece]) -> None:
    text, blocks = assemble(pieces)
    kept = [piece for piece in pieces if lines_of(piece)]
    assert [text[block.start : block.end] for block in blocks] == [lines_of(p) for p in kept]
    assert [(b.kind, b.level, b.page) for b in blocks] == [(p.kind, p.level, p.page) for p in kept]
    ends = [0, *(block.end for block in blocks)]
    assert all(end <= block.start < block.end for end, block in zip(ends, blocks, strict=False))
    assert ends[-1] == len(text)


@given(st.lists(PIECES, max_size=12))
def test_only_markers_and_blank_space_stand_between_blocks(pieces: list[Piece]) -> None:
    text, blocks = assemble(pieces)
    starts = [block.start for block in blocks]
    ends = [0, *(block.end for block in blocks)]
    between = {text[end:start].strip() for end, start in zip(ends, starts, strict=False)}
    assert between <= {"", "-", "•"}


def test_a_list_stands_line_under_line_and_paragraphs_apart() -> None:
    text, blocks = assemble(
        [
            Piece(BlockKind.PARAGRAPH, "Vi tilbyr:"),
            Piece(BlockKind.LIST_ITEM, "råd", 1, marker="- "),
            Piece(BlockKind.LIST_ITEM, "  kurs ", 1, marker="- "),
            Piece(BlockKind.TABLE_ROW, "A | B"),
            Piece(BlockKind.TABLE_ROW, "1 | 2"),
            Piece(BlockKind.PARAGRAPH, " \n"),
            Piece(BlockKind.PARAGRAPH, "Ring\n\n oss"),
        ]
    )
    assert text == "Vi tilbyr:\n\n- råd\n- kurs\n\nA | B\n1 | 2\n\nRing\noss"
    assert [text[block.start : block.end] for block in blocks][1:3] == ["råd", "kurs"]


def test_nothing_gives_an_empty_document() -> None:
    assert assemble([]) == ("", ())


def test_heading_paths_follow_the_levels() -> None:
    text, blocks = assemble(
        [
            Piece(BlockKind.PARAGRAPH, "forord"),
            Piece(BlockKind.HEADING, "Øst", 1),
            Piece(BlockKind.HEADING, "Helse", 2),
            Piece(BlockKind.PARAGRAPH, "a"),
            Piece(BlockKind.HEADING, "Skole", 2),
            Piece(BlockKind.PARAGRAPH, "b"),
            Piece(BlockKind.HEADING, "Vest\nog nord", 1),
            Piece(BlockKind.PARAGRAPH, "c"),
        ]
    )
    paths = dict(
        zip((text[b.start : b.end] for b in blocks), heading_paths(blocks, text), strict=True)
    )
    assert paths["forord"] == ()
    assert paths["Øst"] == ()
    assert paths["Helse"] == ("Øst",)
    assert paths["a"] == ("Øst", "Helse")
    assert paths["b"] == ("Øst", "Skole")
    assert paths["c"] == ("Vest og nord",)


def test_a_deeper_heading_without_its_parent_is_closed_by_a_higher_one() -> None:
    blocks = [Block(BlockKind.HEADING, at, at + 1, level) for at, level in enumerate((3, 1, 4, 2))]
    assert heading_paths(blocks, "abcd") == [(), (), ("b",), ("b",)]


def test_the_content_hash_is_of_the_text_alone() -> None:
    one = Document("Tittel", "blåbær", (), "text/plain", "nb")
    other = Document("Annen", "blåbær", (), "text/html", "nn", "https://a.no", 3)
    assert one.content_hash == other.content_hash
    assert one.content_hash == "sha256:" + hashlib.sha256("blåbær".encode()).hexdigest()
    assert Document("Tittel", "blabær", (), "text/plain", "nb").content_hash != one.content_hash
