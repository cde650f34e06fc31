"""Word, PowerPoint and Excel files, and delimited text, made here by libraries that write them."""

import io
import re
import zipfile
from datetime import datetime
from pathlib import Path
from typing import Any

import docx
import openpyxl
import pptx
import pytest
from docx.opc.packuri import PackURI
from docx.opc.part import Part
from lxml import etree
from pptx.util import Inches

from index.documents import BlockKind
from index.errors import UnreadableDocumentError
from index.readers.delimited import read_delimited, table_rows
from index.readers.excel import read_xlsx
from index.readers.powerpoint import read_pptx
from index.readers.word import read_docx
from tests.made_files import read_as, saved


def letter() -> bytes:
    file = docx.Document()
    file.add_heading("Høringssvar", 0)
    file.add_heading("Våre mål", 1)
    file.add_paragraph("Rådet støtter forslaget.")
    file.add_paragraph("kortere ventetid", style="List Bullet")
    file.add_paragraph("flere fagfolk", style="List Bullet")
    table = file.add_table(2, 2)
    for row, cells in zip(table.rows, (("Rom", "Plasser"), ("Naustet", "12")), strict=True):
        for cell, text in zip(row.cells, cells, strict=True):
            cell.text = text
    file.sections[0].header.paragraphs[0].text = "Side"
    return saved(file)


def letter_with_a_footnote() -> bytes:
    """python-docx writes no footnotes, so that the parts which make one are added by hand."""
    file = docx.Document()
    paragraph = file.add_paragraph("Rådet støtter dette.")
    main = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
    reference = etree.SubElement(paragraph.add_run()._r, f"{{{main}}}footnoteReference")
    reference.set(f"{{{main}}}id", "2")
    inserted = etree.SubElement(paragraph._p, f"{{{main}}}ins")
    etree.SubElement(etree.SubElement(inserted, f"{{{main}}}r"), f"{{{main}}}t").text = "Enstemmig."
    note = (
        f'<w:footnotes xmlns:w="{main}"><w:footnote w:id="2"><w:p><w:r><w:t>Se rapporten.</w:t>'
        "</w:r></w:p></w:footnote></w:footnotes>"
    )
    relations = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/footnotes"
    part = Part(
        PackURI("/word/footnotes.xml"),
        "application/vnd.openxmlformats-officedocument.wordprocessingml.footnotes+xml",
        note.encode(),
    )
    file.part.relate_to(part, relations)
    return saved(file)


def deck() -> bytes:
    file = pptx.Presentation()
    slide = file.slides.add_slide(file.slide_layouts[1])
    slide.shapes.title.text = "Felles helsetjeneste"
    slide.placeholders[1].text = "Tilgang på personell\nLange ventetider"
    slide.notes_slide.notes_text_frame.text = "Husk tallene fra i fjor."
    second = file.slides.add_slide(file.slide_layouts[5])
    second.shapes.title.text = "Kapasitet"
    group = second.shapes.add_group_shape()
    group.shapes.add_textbox(0, Inches(5), Inches(3), Inches(1)).text_frame.text = "Nederst"
    table = second.shapes.add_table(2, 2, 0, Inches(2), Inches(4), Inches(1)).table
    for at, text in enumerate(("Rom", "Plasser", "Naustet", "12")):
        table.cell(at // 2, at % 2).text = text
    return saved(file)


def workbook() -> bytes:
    book = openpyxl.Workbook()
    book.remove(book.worksheets[0])
    sheet = book.create_sheet("Budsjett")
    for row in (["Tiltak", "Kroner", None], ["Opplæring", 120000.0, None], [None, None, None]):
        sheet.append(row)
    book.create_sheet("Tomt")
    return saved(book)


def test_a_word_file_keeps_headings_lists_and_tables() -> None:
    assert [(p.kind, p.level, p.text) for p in read_docx(letter())] == [
        (BlockKind.HEADING, 1, "Høringssvar"),
        (BlockKind.HEADING, 1, "Våre mål"),
        (BlockKind.PARAGRAPH, 0, "Rådet støtter forslaget."),
        (BlockKind.LIST_ITEM, 1, "kortere ventetid"),
        (BlockKind.LIST_ITEM, 1, "flere fagfolk"),
        (BlockKind.TABLE_ROW, 0, "Rom | Plasser"),
        (BlockKind.TABLE_ROW, 0, "Naustet | 12"),
    ]


def test_a_presentation_is_read_slide_by_slide_from_top_to_bottom() -> None:
    pieces, slides = read_pptx(deck())
    assert slides == 2
    assert [(p.kind, p.page, p.text) for p in pieces] == [
        (BlockKind.HEADING, 1, "Felles helsetjeneste"),
        (BlockKind.LIST_ITEM, 1, "Tilgang på personell"),
        (BlockKind.LIST_ITEM, 1, "Lange ventetider"),
        (BlockKind.PARAGRAPH, 1, "Husk tallene fra i fjor."),
        (BlockKind.HEADING, 2, "Kapasitet"),
        (BlockKind.TABLE_ROW, 2, "Rom | Plasser"),
        (BlockKind.TABLE_ROW, 2, "Naustet | 12"),
        (BlockKind.PARAGRAPH, 2, "Nederst"),
    ]


def test_a_numbered_list_goes_on_after_bullets() -> None:
    file = docx.Document()
    for text, style in (
        ("Mål", "List Number"),
        ("kortere ventetid", "List Bullet"),
        ("Tiltak", "List Number"),
        ("Planen gjelder i fire år.", None),
        ("Ny liste", "List Number"),
    ):
        file.add_paragraph(text, style=style)
    assert [piece.text for piece in read_docx(saved(file))] == [
        "1. Mål",
        "kortere ventetid",
        "2. Tiltak",
        "Planen gjelder i fire år.",
        "1. Ny liste",
    ]


def test_footnotes_and_insertions_of_a_word_file_are_read_without_invented_letters() -> None:
    assert [piece.text for piece in read_docx(letter_with_a_footnote())] == [
        "Rådet støtter dette.Enstemmig.",
        "1. Se rapporten.",
    ]


def test_slides_without_a_title_or_text_count(tmp_path: Path) -> None:
    file = pptx.Presentation()
    for title in ("", "Kapasitet", ""):
        file.slides.add_slide(file.slide_layouts[5]).shapes.title.text = title
    found = read_as(tmp_path / "fil.pptx", saved(file))
    assert (found.title, found.pages) == ("Kapasitet", 3)


def test_a_workbook_that_misstates_its_size_is_read_whole() -> None:
    raw = workbook()
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(raw)) as old, zipfile.ZipFile(buffer, "w") as new:
        for part in old.infolist():
            content = old.read(part)
            new.writestr(part, re.sub(rb'<dimension ref="[^"]*"', b'<dimension ref="A1"', content))
    assert [p.text for p in read_xlsx(buffer.getvalue())] == [p.text for p in read_xlsx(raw)]


def test_dates_are_written_without_midnight() -> None:
    days = [[datetime(2024, 5, 1), datetime(2024, 5, 1, 12, 30)]]
    assert [p.text for p in table_rows(days)] == ["2024-05-01 | 2024-05-01 12:30:00"]


def test_a_workbook_gives_its_sheets_as_rows() -> None:
    assert [(p.kind, p.text) for p in read_xlsx(workbook())] == [
        (BlockKind.HEADING, "Budsjett"),
        (BlockKind.TABLE_ROW, "Tiltak | Kroner"),
        (BlockKind.TABLE_ROW, "Opplæring | 120000"),
    ]


def test_a_workbook_with_too_many_rows_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("index.readers.excel.MAX_ROWS", 2)
    with pytest.raises(UnreadableDocumentError, match="split the workbook"):
        read_xlsx(workbook())


def test_delimited_text_gives_its_rows() -> None:
    for text, rows in (
        ("Rom;Plasser\nNaustet;12\n\n", ["Rom | Plasser", "Naustet | 12"]),
        ("Rom\tPlasser\nNaustet\t12\n", ["Rom | Plasser", "Naustet | 12"]),
        ('Navn,Sted\n"Moe, Kari",Bø\n', ["Navn | Sted", "Moe, Kari | Bø"]),
        ("bare én kolonne\nog en til\n", ["bare én kolonne", "og en til"]),
        ("Beløp, kr;Andel\n0,5;1,5\n", ["Beløp, kr | Andel", "0,5 | 1,5"]),
        ('Navn;Merknad\nMoe;"to\nlinjer"\n', ["Navn | Merknad", "Moe | to linjer"]),
        ("", []),
    ):
        assert [piece.text for piece in read_delimited(text)] == rows


def test_a_quotation_mark_that_is_never_closed_is_named() -> None:
    with pytest.raises(UnreadableDocumentError, match="quotation mark"):
        read_delimited("a;b\n" * 60 + '1;"' + "x" * 140_000)


@pytest.mark.parametrize(
    ("make", "title", "pages"),
    [(letter, "Høringssvar", None), (deck, "Felles helsetjeneste", 2), (workbook, "fil", None)],
)
def test_an_office_file_is_known_by_its_content(
    tmp_path: Path, make: Any, title: str, pages: int | None
) -> None:
    for name in ("fil.docx", "fil.pptx", "fil.xlsx"):
        found = read_as(tmp_path / name, make())
        assert (found.title, found.pages) == (title, pages)
        assert all(found.text[b.start : b.end].strip() for b in found.blocks)


def without_central_directory() -> bytes:
    return letter()[:-200]


def damaged() -> bytes:
    raw = bytearray(letter())
    raw[len(raw) // 2] ^= 0xFF
    return bytes(raw)


def bomb() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("word/document.xml", b" " * 30_000_000)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (without_central_directory(), "cut off"),
        (damaged(), "damaged"),
        (b"\xd0\xcf\x11\xe0" + bytes(600), "password"),
        (b"bare tekst", "no Office file"),
        (bomb(), "unpacks to 28 MB"),
    ],
)
def test_what_cannot_be_read_is_refused_with_a_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, raw: bytes, reason: str
) -> None:
    monkeypatch.setattr("index.readers.office.MAX_UNPACKED_BYTES", 20 * 1024**2)
    with pytest.raises(UnreadableDocumentError, match=reason):
        read_as(tmp_path / "fil.docx", raw)
