"""Evidence units: sentences, items, rows and headings, inside their passage."""

from hypothesis import given

from index.documents import BlockKind, Document, Piece
from index.passages import Passage
from index.units import UnitKind, units_of
from tests.test_passages import DOCUMENTS, LIMITS, cut, document, item


def whole(source: Document) -> Passage:
    return Passage(0, len(source.text), ())


def seen(source: Document, passage: Passage) -> list[tuple[UnitKind, str]]:
    return [(unit.kind, source.text[unit.start : unit.end]) for unit in units_of(source, passage)]


def test_each_kind_of_block_gives_its_kind_of_unit() -> None:
    source = document(
        Piece(BlockKind.HEADING, "Øl. Og vin", 1),
        Piece(BlockKind.PARAGRAPH, "Vi venter f.eks. på svar. Det kommer."),
        item("En sak. Med to setninger."),
        Piece(BlockKind.TABLE_ROW, "År | Antall. Sum"),
    )
    assert seen(source, whole(source)) == [
        (UnitKind.HEADING, "Øl. Og vin"),
        (UnitKind.SENTENCE, "Vi venter f.eks. på svar."),
        (UnitKind.SENTENCE, "Det kommer."),
        (UnitKind.LIST_ITEM, "En sak. Med to setninger."),
        (UnitKind.TABLE_ROW, "År | Antall. Sum"),
    ]


def test_a_signature_of_short_lines_is_one_unit_and_long_lines_are_not() -> None:
    long = "Denne linjen er så lang at den ikke kan være en del av en underskrift"
    source = document(
        Piece(BlockKind.PARAGRAPH, "Kari Moe\nleder"), Piece(BlockKind.PARAGRAPH, f"{long}\nleder")
    )
    assert seen(source, whole(source)) == [
        (UnitKind.SENTENCE, "Kari Moe\nleder"),
        (UnitKind.SENTENCE, long),
        (UnitKind.SENTENCE, "leder"),
    ]


def test_only_what_stands_in_the_passage_counts() -> None:
    source = document(
        Piece(BlockKind.PARAGRAPH, "Først. Så."),
        item("en"),
        item("to"),
        Piece(BlockKind.PARAGRAPH, "Sist."),
    )
    start, end = source.text.index("Så"), source.text.index("to")
    assert seen(source, Passage(start, end, ())) == [
        (UnitKind.SENTENCE, "Så."),
        (UnitKind.LIST_ITEM, "en"),
    ]


def test_a_row_that_two_passages_share_is_quoted_from_each_in_part() -> None:
    source = document(Piece(BlockKind.TABLE_ROW, "en to tre fire fem"))
    parts = [seen(source, passage) for passage in cut(source, 3)]
    assert parts == [[(UnitKind.TABLE_ROW, "en to tre")], [(UnitKind.TABLE_ROW, "fire fem")]]


@given(DOCUMENTS, LIMITS)
def test_units_lie_in_their_passage_in_order_and_hold_its_words(
    source: Document, limit: int
) -> None:
    for passage in cut(source, limit):
        end = passage.start
        for unit in units_of(source, passage):
            assert end <= unit.start < unit.end <= passage.end
            assert source.text[end : unit.start].strip() in {"", "-"}  # only a bullet is left out
            end = unit.end
        assert end == passage.end
