"""What files say of themselves: title, author, date, address."""

import io
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import docx
import odfdo
import openpyxl
import pptx
import pytest

from index.documents import BlockKind, Piece
from index.readers.stated import author_of, day_of, title_within, web_address
from tests.made_files import Writer, read_as, saved

SAVED = datetime(2024, 3, 5, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("2024-03-05", "2024-03-05"),
        ("2024-03-05T23:30:00+01:00", "2024-03-05"),
        ("2024-03-05 23:30", "2024-03-05"),
        ("D:20240305233000+01'00'", "2024-03-05"),
        ("20240305", "2024-03-05"),
        ("5.3.2024", "2024-03-05"),
        ("05.03.2024", "2024-03-05"),
        ("2024-13-05", None),
        ("2024-02-30", None),
        ("1601-01-01T00:00:00Z", None),
        ("0000-00-00", None),
        ("2024", None),
        ("i fjor", None),
        ("", None),
        (None, None),
    ],
)
def test_days_are_written_one_way_or_not_at_all(text: str | None, day: str | None) -> None:
    assert day_of(text) == day


@pytest.mark.parametrize(
    ("text", "author"),
    [
        (" Rådet  for\neldre ", "Rådet for eldre"),
        ("Bjørg A\u030as", "Bjørg Ås"),
        ("python-docx", None),
        ("Un-named", None),
        ("Microsoft Office User", None),
        ("https://a.example/bjorg", None),
        ("--", None),
        ("", None),
        (None, None),
    ],
)
def test_programs_and_nobody_are_no_authors(text: str | None, author: str | None) -> None:
    assert author_of(text) == author


def test_a_title_counts_only_where_the_document_opens_with_it() -> None:
    pieces = [
        Piece(BlockKind.PARAGRAPH, "Årsmelding\nfor 2024"),
        *[Piece(BlockKind.PARAGRAPH, "-")] * 30,
    ]
    late = [*pieces, Piece(BlockKind.PARAGRAPH, "Vedlegg")]
    assert title_within("ÅRSMELDING for  2024", pieces) == "ÅRSMELDING for 2024"
    assert title_within("Vedlegg", late) == ""
    assert title_within(None, pieces) == ""


def test_an_address_is_of_the_web() -> None:
    assert web_address(" https://a.no/år ") == "https://a.no/år"
    assert web_address("Arkivet") is web_address(None) is web_address("http://a b") is None


def pdf() -> bytes:
    writer = Writer(invariant=1)  # made on the first day of the year 2000
    writer.canvas.setTitle("Årsmelding")
    writer.canvas.setAuthor("Rådet for eldre")
    return writer.lines("Årsmelding fra rådet", "Rådet møttes fem ganger.").bytes()


def core(file: Any) -> bytes:
    properties = file.core_properties
    properties.title, properties.author = "Årsmelding", "Rådet for eldre"
    properties.created, properties.modified = datetime(2020, 1, 1, tzinfo=UTC), SAVED
    return saved(file)


def word() -> bytes:
    file = docx.Document()
    file.add_heading("Om året", 1)
    file.add_paragraph("Dette er en årsmelding fra rådet.")
    return core(file)


def slides() -> bytes:
    file = pptx.Presentation()
    slide = file.slides.add_slide(file.slide_layouts[5])
    slide.shapes.title.text = "Årsmelding for året"
    return core(file)


def sheets() -> bytes:
    book = openpyxl.Workbook()
    book.create_sheet("Ark", 0).append(["Årsmelding", 2024])
    book.properties.title, book.properties.creator = "Årsmelding", "Rådet for eldre"
    buffer = io.BytesIO()
    book.save(buffer)
    return with_part(buffer.getvalue(), "docProps/core.xml", CORE)


def text(kind: str) -> Callable[[], bytes]:
    def make() -> bytes:
        file = odfdo.Document("text")
        file.body.clear()
        file.body.append(odfdo.Paragraph("Dette er en årsmelding."))
        return with_part(saved(file), "meta.xml", META if kind == "whole" else b"<ikke xml")

    return make


def with_part(raw: bytes, name: str, content: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(raw)) as old, zipfile.ZipFile(buffer, "w") as new:
        for part in old.infolist():
            new.writestr(part, content if part.filename == name else old.read(part))
    return buffer.getvalue()


CORE = (
    '<p xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:t="http://purl.org/dc/terms/">'
    "<dc:title>Årsmelding</dc:title><dc:creator>Rådet for eldre</dc:creator>"
    "<t:created>2020-01-01T00:00:00Z</t:created><t:modified>2024-03-05T10:00:00Z</t:modified></p>"
).encode()
META = (
    '<m xmlns:dc="http://purl.org/dc/elements/1.1/" '
    'xmlns:meta="urn:oasis:names:tc:opendocument:xmlns:meta:1.0"><dc:title>Årsmelding</dc:title>'
    "<meta:initial-creator>Rådet for eldre</meta:initial-creator><dc:creator>En annen</dc:creator>"
    "<meta:creation-date>2020-01-01T10:00:00.5</meta:creation-date>"
    "<dc:date>2024-03-05T10:00:00.5</dc:date></m>"
).encode()
PAGE = (
    "<html><head><title>Årsmelding</title><meta name=Author content='Rådet for eldre'>"
    "{}</head><body><p>Dette er en årsmelding."
)
PUBLISHED = '<meta property="article:published_time" content="2024-03-05T10:00:00+01:00">'
ISSUED = '<meta name="DC.date" content="2024-03-05"><meta name=date content=2020-01-01>'
LINKED = '<script type="application/ld+json">{"datePublished": "2024-03-05"}</script>'
FRONT = (
    "---\ntitle: Årsmelding\nauthor: [Rådet for eldre]\ndate: 2024-03-05\n---\nDette er en melding."
)
NORWEGIAN = "---\ntitle: Årsmelding\nforfatter: Rådet for eldre\ndato: 5.3.2024\n---\nDette er noe."


@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("a.docx", word),
        ("a.pptx", slides),
        ("a.xlsx", sheets),
        ("a.odt", text("whole")),
        ("a.html", lambda: PAGE.format(PUBLISHED).encode()),
        ("b.html", lambda: PAGE.format(ISSUED).encode()),
        ("c.html", lambda: PAGE.format(LINKED).encode()),
        ("a.md", FRONT.encode),
        ("b.md", NORWEGIAN.encode),
    ],
)
def test_each_format_states_title_author_and_date(
    tmp_path: Path, name: str, make: Callable[[], bytes]
) -> None:
    found = read_as(tmp_path / name, make())
    assert (found.title, found.author, found.date) == (
        "Årsmelding",
        "Rådet for eldre",
        "2024-03-05",
    )


def test_a_pdf_is_of_the_day_that_it_was_made(tmp_path: Path) -> None:
    found = read_as(tmp_path / "a.pdf", pdf())
    assert (found.title, found.author) == ("Årsmelding", "Rådet for eldre")
    assert found.date == "2000-01-01"


def test_a_pdf_may_state_it_in_xml(tmp_path: Path) -> None:
    raw = Writer(invariant=1).lines("Rådet møttes fem ganger.").bytes()
    silent = raw.replace(b"/CreationDate", b"/CreationDatx").replace(b"(anonymous)", b"()         ")
    xml = (
        "<x:xmpmeta><dc:creator><rdf:Seq><rdf:li>Råd &amp; dåd</rdf:li></rdf:Seq></dc:creator>"
        "<xmp:CreateDate>2024-03-05T10:00:00+01:00</xmp:CreateDate></x:xmpmeta>"
    )
    found = read_as(tmp_path / "a.pdf", silent + xml.encode())
    assert (found.author, found.date) == ("Råd & dåd", "2024-03-05")
    assert read_as(tmp_path / "b.pdf", silent).author is None


def test_what_a_library_begins_with_says_nothing(tmp_path: Path) -> None:
    file = docx.Document()
    file.add_paragraph("Rådet støtter forslaget.")
    found = read_as(tmp_path / "a.docx", saved(file))
    assert (found.title, found.author, found.date) == ("a", None, None)


def test_broken_properties_cost_no_more_than_themselves(tmp_path: Path) -> None:
    found = read_as(tmp_path / "a.odt", text("broken")())
    assert (found.text, found.author, found.date) == ("Dette er en årsmelding.", None, None)
