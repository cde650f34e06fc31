"""Passages: whole sentences, items and rows, within the limit, and nothing left out."""

from collections.abc import Callable
from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.documents import Block, BlockKind, Document, Piece, assemble
from index.passages import Passage, PassageSettings, contextual_text, lead_in, split
from index.sentences import split_sentences

HEADING, PARAGRAPH = BlockKind.HEADING, BlockKind.PARAGRAPH
ITEM, ROW = BlockKind.LIST_ITEM, BlockKind.TABLE_ROW


def words(text: str) -> int:
    return len(text.split())


def letters(text: str) -> int:
    return len("".join(text.split()))


def document(*pieces: Piece) -> Document:
    text, blocks = assemble(pieces)
    return Document("Tittel", text, blocks, "text/plain", "nb")


def cut(source: Document, limit: int, count: Callable[[str], int] = words) -> list[Passage]:
    return split(source, count, PassageSettings(max_tokens=limit))


def bodies(source: Document, limit: int) -> list[str]:
    return [source.text[p.start : p.end] for p in cut(source, limit)]


def leads(source: Document, limit: int) -> list[str | None]:
    return [p.lead_in and source.text[slice(*p.lead_in)] for p in cut(source, limit)]


def item(text: str, level: int = 1) -> Piece:
    return Piece(ITEM, text, level, marker="- ")


# By example ----------------------------------------------------------------------------------


def test_a_short_document_is_one_passage() -> None:
    source = document(Piece(HEADING, "Mål", 1), Piece(PARAGRAPH, "Vi bygger. Vi river."))
    assert bodies(source, 50) == [source.text]


def test_sentences_are_never_cut() -> None:
    source = document(Piece(PARAGRAPH, "En to tre fire. Fem seks sju. Åtte ni ti elleve tolv."))
    assert bodies(source, 7) == ["En to tre fire. Fem seks sju.", "Åtte ni ti elleve tolv."]
    assert bodies(source, 5) == ["En to tre fire.", "Fem seks sju.", "Åtte ni ti elleve tolv."]


def test_an_item_or_row_of_several_sentences_stays_whole() -> None:
    source = document(
        item("En to. Tre fire."), item("Fem seks. Sju åtte."), Piece(ROW, "A. B | C. D")
    )
    assert bodies(source, 5) == ["En to. Tre fire.", "Fem seks. Sju åtte.", "A. B | C. D"]


def test_what_alone_is_too_long_is_cut_at_sentences_and_then_at_words() -> None:
    source = document(item("En to tre. Fire fem seks sju åtte ni."))
    assert bodies(source, 4) == ["En to tre.", "Fire fem seks sju", "åtte ni."]


def test_bullets_count_towards_the_limit() -> None:
    source = document(*(item(word) for word in ("en", "to", "tre", "fire", "fem")))
    assert bodies(source, 5) == ["en\n- to\n- tre", "fire\n- fem"]
    assert bodies(document(item("en"), item("to tre fire")), 4) == ["en", "to tre fire"]


def test_passages_do_not_cross_headings_and_headings_in_a_row_stay_together() -> None:
    source = document(
        Piece(PARAGRAPH, "Forord."),
        Piece(HEADING, "Del", 1),
        Piece(HEADING, "Mål", 2),
        Piece(PARAGRAPH, "Vi bygger."),
        Piece(HEADING, "Slutt", 2),
    )
    assert bodies(source, 50) == ["Forord.", "Del\n\nMål\n\nVi bygger.", "Slutt"]
    assert [p.heading_path for p in cut(source, 50)] == [(), ("Del", "Mål"), ("Del",)]


def test_a_block_that_fits_goes_whole_into_the_next_passage() -> None:
    source = document(Piece(PARAGRAPH, "En to tre."), Piece(PARAGRAPH, "Fire fem. Seks sju."))
    assert bodies(source, 6) == ["En to tre.", "Fire fem. Seks sju."]


def test_a_passage_less_than_half_full_takes_a_part_of_the_next_block() -> None:
    source = document(
        Piece(PARAGRAPH, "En."), Piece(PARAGRAPH, "To tre. Fire fem seks sju åtte ni.")
    )
    assert bodies(source, 8) == ["En.\n\nTo tre.", "Fire fem seks sju åtte ni."]


def test_a_later_part_of_a_list_remembers_the_sentence_before_it() -> None:
    source = document(
        Piece(PARAGRAPH, "Året var godt for alle. Vi krever:"),
        item("en to"),
        item("tre fire"),
        item("fem"),
    )
    assert bodies(source, 7) == ["Året var godt for alle. Vi krever:", "en to\n- tre fire\n- fem"]
    assert leads(source, 7) == [None, "Vi krever:"]
    assert leads(source, 4)[-1] == "Vi krever:"
    assert leads(source, 50) == [None]


def test_a_later_part_of_a_table_remembers_its_header() -> None:
    source = document(Piece(ROW, "År | Antall"), Piece(ROW, "2022 | 5"), Piece(ROW, "2023 | 6"))
    assert leads(source, 6) == [None, "År | Antall"]


def test_a_lead_in_longer_than_a_passage_is_left_out() -> None:
    source = document(Piece(ROW, "en to tre fire fem seks sju"), Piece(ROW, "A | B"))
    assert leads(source, 5)[-1] is None


def test_a_list_right_under_a_heading_has_no_lead_in() -> None:
    blocks = [
        Block(HEADING, 0, 1, 1),
        Block(ITEM, 2, 3, 1),
        Block(PARAGRAPH, 4, 5),
        Block(ITEM, 6, 7, 1),
    ]
    assert [lead_in(blocks, at) for at in range(4)] == [None, None, None, (4, 5)]


def test_a_passage_has_the_page_it_begins_on() -> None:
    source = document(Piece(PARAGRAPH, "En.", page=2), Piece(PARAGRAPH, "To.", page=3))
    assert [p.page for p in cut(source, 50)] == [2]


@pytest.mark.parametrize(
    ("title", "path", "lead", "body", "text"),
    [
        ("T", ("A", "B"), "Vi vil:", "bygge", "T – A – B\nVi vil:\nbygge"),
        ("T", ("T", "B"), "", "bygge", "T – B\nbygge"),
        ("T", ("A",), "", "A\n\nbygge", "T\nA\n\nbygge"),
        ("Mål", (), "", "Målene er tre.", "Mål\nMålene er tre."),
        ("", (), "", "bygge", "bygge"),
        ("T", (), "", "T", "T"),
    ],
)
def test_context_says_everything_once(
    title: str, path: tuple[str, ...], lead: str, body: str, text: str
) -> None:
    assert contextual_text(title, path, lead, body) == text


# For any document ----------------------------------------------------------------------------

SENTENCES = st.lists(
    st.sampled_from(
        ["Å.", "Vi går nå.", "Det er f.eks. Ås kl. 12.", "ett to tre fire fem seks sju åtte", "Ø?"]
    ),
    min_size=1,
    max_size=5,
).map(" ".join)
PIECES = st.one_of(
    st.builds(Piece, st.just(HEADING), st.sampled_from(["Mål", "Tall og år"]), st.integers(1, 3)),
    st.builds(Piece, st.just(PARAGRAPH), SENTENCES | st.just("Kari Moe\nleder ved Ås\nTlf. 22 33")),
    st.builds(
        Piece, st.just(ITEM), SENTENCES, st.integers(1, 3), marker=st.sampled_from(["", "- "])
    ),
    st.builds(Piece, st.just(ROW), SENTENCES),
)
DOCUMENTS = st.lists(PIECES, max_size=10).map(lambda pieces: document(*pieces))
LIMITS = st.integers(1, 20)


@given(DOCUMENTS, LIMITS)
def test_every_passage_is_within_the_limit(source: Document, limit: int) -> None:
    assert all(words(body) <= limit for body in bodies(source, limit))


@given(DOCUMENTS, LIMITS)
def test_passages_stand_in_order_and_hold_every_block(source: Document, limit: int) -> None:
    covered: set[int] = set()
    end = 0
    for passage in cut(source, limit):
        assert end <= passage.start < passage.end <= len(source.text)
        end = passage.end
        covered.update(range(passage.start, passage.end))
    for block in source.blocks:
        left_out = [at for at in range(block.start, block.end) if at not in covered]
        assert not "".join(source.text[at] for at in left_out).strip()


@given(DOCUMENTS, LIMITS)
def test_a_passage_ends_inside_a_unit_only_if_that_alone_is_too_long(
    source: Document, limit: int
) -> None:
    edges = {edge for p in cut(source, limit) for edge in (p.start, p.end)}
    for start, end in _units(source, limit):
        if words(source.text[start:end]) <= limit:
            assert not any(start < edge < end for edge in edges)


def _units(source: Document, limit: int) -> list[tuple[int, int]]:
    found = []
    for block in source.blocks:
        text = source.text[block.start : block.end]
        if block.kind is not PARAGRAPH and words(text) <= limit:
            found.append((block.start, block.end))
        found += [
            (block.start + s, block.start + e)
            for s, e in split_sentences(text)
            if block.kind is PARAGRAPH
        ]
    return found


@given(DOCUMENTS, LIMITS)
def test_a_heading_only_begins_a_passage(source: Document, limit: int) -> None:
    for passage in cut(source, limit):
        inside = [b.kind for b in source.blocks if b.start < passage.end and passage.start < b.end]
        body_began = False
        for kind in inside:
            assert not (kind is HEADING and body_began)
            body_began = body_began or kind is not HEADING


@given(DOCUMENTS, LIMITS)
def test_a_lead_in_stands_before_its_passage_and_is_no_longer_than_one(
    source: Document, limit: int
) -> None:
    for passage in cut(source, limit):
        if passage.lead_in:
            start, end = passage.lead_in
            assert start < end <= passage.start
            assert words(source.text[start:end]) <= limit


@given(st.text(st.sampled_from("aæøå 🙂."), max_size=80), st.integers(1, 9))
def test_letters_beyond_one_byte_do_not_shift_the_cuts(text: str, limit: int) -> None:
    source = document(Piece(PARAGRAPH, text))
    parts = [source.text[p.start : p.end] for p in cut(source, limit, count=letters)]
    assert all(letters(part) <= limit for part in parts)
    assert "".join("".join(parts).split()) == "".join(text.split())


@pytest.mark.parametrize("text", ["ord " * 60_000, "a" * 1_000_000, "Det er kort. " * 20_000])
def test_a_long_line_is_cut_at_once(text: str) -> None:
    source = document(Piece(PARAGRAPH, text))
    began = process_time()
    passages = cut(source, 220)
    assert process_time() - began < 4
    assert passages[-1].end == len(source.text)
