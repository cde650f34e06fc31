"""OpenDocument files, made here by odfdo."""

from pathlib import Path

import odfdo
import pytest
from odfdo import DrawPage, Element, Frame, Header, List, Paragraph, Row, Table

from index.documents import BlockKind
from index.errors import UnreadableDocumentError
from index.readers.opendocument import read_opendocument
from tests.made_files import read_as, saved


def table(name: str) -> Table:
    made = Table(name)
    for cells in (("Rom", "Plasser"), ("Naustet", "12")):
        row = Row()
        row.set_values(cells)
        made.append_row(row)
    return made


def letter() -> bytes:
    file = odfdo.Document("text")
    file.body.clear()
    removed = Element.from_tag("text:tracked-changes")
    removed.append(Paragraph("Dette er strøket."))
    for element in (
        removed,
        Header(1, "Høringssvar"),
        Paragraph("Rådet støtter\tforslaget."),
        List(["kortere ventetid", List(["for barn"])]),
        Header(2, "Rom"),
        table("Tabell"),
    ):
        file.body.append(element)
    return saved(file)


def deck() -> bytes:
    file = odfdo.Document("presentation")
    file.body.clear()
    for number, title in enumerate(("Felles helsetjeneste", "Kapasitet"), 1):
        page = DrawPage(f"s{number}")
        below = Frame.text_frame("Nederst", position=("1cm", "15cm"))
        above = Frame.text_frame("Øverst", position=("1cm", "5cm"))
        heading = Frame.text_frame(title, position=("1cm", "10mm"), presentation_class="title")
        counter = Frame.text_frame("7", presentation_class="page-number")
        for frame in (below, above, heading, counter):
            page.append(frame)
        file.body.append(page)
    return saved(file)


def workbook() -> bytes:
    file = odfdo.Document("spreadsheet")
    file.body.clear()
    for made in (table("Budsjett"), Table("Tomt")):
        file.body.append(made)
    return saved(file)


def test_a_text_keeps_headings_lists_and_tables_and_leaves_out_what_was_struck() -> None:
    pieces, slides = read_opendocument(letter())
    assert slides is None
    assert [(p.kind, p.level, p.text) for p in pieces] == [
        (BlockKind.HEADING, 1, "Høringssvar"),
        (BlockKind.PARAGRAPH, 0, "Rådet støtter forslaget."),
        (BlockKind.LIST_ITEM, 1, "kortere ventetid"),
        (BlockKind.LIST_ITEM, 2, "for barn"),
        (BlockKind.HEADING, 2, "Rom"),
        (BlockKind.TABLE_ROW, 0, "Rom | Plasser"),
        (BlockKind.TABLE_ROW, 0, "Naustet | 12"),
    ]


def test_what_stands_within_a_paragraph_is_neither_lost_nor_invented() -> None:
    file = odfdo.Document("text")
    file.body.clear()
    inner = (
        '<text:p>Rådet fikk 12<text:note text:note-class="footnote"><text:note-citation>1'
        "</text:note-citation><text:note-body><text:p>Se vedlegget.</text:p></text:note-body>"
        '</text:note> millioner, <text:a xlink:href="https://www.regjeringen.no">sier det</text:a>'
        "<office:annotation><text:p>Stemmer det?</text:p></office:annotation>."
        '<text:line-break/>Takk<text:s text:c="2"/>til alle<draw:frame><draw:text-box>'
        "<text:p>I en boks.</text:p></draw:text-box><svg:title>Et bilde</svg:title></draw:frame>"
        "</text:p>"
    )
    file.body.append(Element.from_tag(inner))
    file.body.append(Paragraph("Etterpå."))
    assert [piece.text for piece in read_opendocument(saved(file))[0]] == [
        "Rådet fikk 12 millioner, sier det. Takk til alle",
        "I en boks.",
        "Etterpå.",
        "Se vedlegget.",
    ]


def test_repeated_and_covered_cells_keep_the_columns() -> None:
    cell = '<table:table-cell office:value-type="string"{}><text:p>{}</text:p></table:table-cell>'
    empty = '<table:table-cell table:number-columns-repeated="2"/>'
    rows = (
        "".join(cell.format("", name) for name in ("Navn", "Jan", "Feb", "Mar")),
        cell.format("", "Drift") + empty + cell.format("", "7"),
        cell.format("", "Lønn") + cell.format(' table:number-columns-repeated="3"', "5"),
        cell.format("", "Leie") + "<table:covered-table-cell/>" + cell.format("", "9"),
    )
    ending = '<table:table-cell table:number-columns-repeated="16000"/>'
    inner = "".join(f"<table:table-row>{row}{ending}</table:table-row>" for row in rows)
    file = odfdo.Document("spreadsheet")
    file.body.clear()
    file.body.append(Element.from_tag(f'<table:table table:name="Ark">{inner}</table:table>'))
    assert [piece.text for piece in read_opendocument(saved(file))[0]][1:] == [
        "Navn | Jan | Feb | Mar",
        "Drift |  |  | 7",
        "Lønn | 5 | 5 | 5",
        "Leie |  | 9",
    ]


def test_a_table_in_a_cell_is_read_once() -> None:
    nested = (
        "<table:table><table:table-row><table:table-cell><text:h>Ytre</text:h><table:table>"
        "<table:table-row><table:table-cell><text:p>indre</text:p></table:table-cell>"
        "</table:table-row></table:table></table:table-cell></table:table-row></table:table>"
    )
    file = odfdo.Document("text")
    file.body.clear()
    file.body.append(Element.from_tag(nested))
    assert [piece.text for piece in read_opendocument(saved(file))[0]] == ["Ytre indre"]


def test_a_presentation_is_read_slide_by_slide_from_top_to_bottom() -> None:
    pieces, slides = read_opendocument(deck())
    assert slides == 2
    assert [(p.kind, p.page, p.text) for p in pieces] == [
        (BlockKind.HEADING, 1, "Felles helsetjeneste"),
        (BlockKind.PARAGRAPH, 1, "Øverst"),
        (BlockKind.PARAGRAPH, 1, "Nederst"),
        (BlockKind.HEADING, 2, "Kapasitet"),
        (BlockKind.PARAGRAPH, 2, "Øverst"),
        (BlockKind.PARAGRAPH, 2, "Nederst"),
    ]


def test_a_workbook_gives_its_sheets_as_rows() -> None:
    pieces, _ = read_opendocument(workbook())
    assert [(p.kind, p.text) for p in pieces] == [
        (BlockKind.HEADING, "Budsjett"),
        (BlockKind.TABLE_ROW, "Rom | Plasser"),
        (BlockKind.TABLE_ROW, "Naustet | 12"),
    ]


def test_a_file_is_known_by_its_content(tmp_path: Path) -> None:
    for raw, title, kind in (
        (letter(), "Høringssvar", "text"),
        (deck(), "Felles helsetjeneste", "presentation"),
        (workbook(), "fil", "spreadsheet"),
    ):
        found = read_as(tmp_path / "fil.odt", raw)
        assert (found.title, found.media_type.rpartition(".")[2]) == (title, kind)


def test_what_cannot_be_read_is_refused_with_a_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UnreadableDocumentError, match="cut off"):
        read_as(tmp_path / "fil.odt", letter()[:-100])
    monkeypatch.setattr("index.readers.opendocument.MAX_ROWS", 1)
    with pytest.raises(UnreadableDocumentError, match="split the workbook"):
        read_opendocument(workbook())
