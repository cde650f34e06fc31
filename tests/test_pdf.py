"""PDF files, made here by reportlab."""

from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image
from reportlab.lib.pdfencrypt import StandardEncryption
from reportlab.lib.utils import ImageReader

from index.documents import BlockKind, Piece
from index.errors import UnreadableDocumentError
from index.readers.pdf import PdfFile, read_pdf
from tests.made_files import LEADING, Writer, read_as


def pieces_of(writer: Writer) -> list[Piece]:
    return read_pdf(writer.bytes()).pieces


def texts(file: PdfFile) -> list[str]:
    return [piece.text for piece in file.pieces]


def test_the_lines_of_a_paragraph_are_joined_and_broken_words_are_whole() -> None:
    writer = Writer().lines(
        "Kommunen har vedtatt en plan for bedre helse- og omsorgs-",
        "tjenester. Den gjelder hjemmesykepleie, sykehjem og helse-",
        "og omsorgsboliger i alle bydeler, og skal følges opp hvert år.",
    )
    [piece] = pieces_of(writer)
    assert piece.kind is BlockKind.PARAGRAPH
    assert piece.text == (
        "Kommunen har vedtatt en plan for bedre helse- og omsorgstjenester. Den gjelder "
        "hjemmesykepleie, sykehjem og helse- og omsorgsboliger i alle bydeler, og skal følges opp "
        "hvert år."
    )


def test_headings_are_known_by_their_size_and_weight() -> None:
    body = "Ærlig talt må øvelsen gjentas på årlig basis, sier rådet i sin uttalelse."
    writer = Writer().lines("Årsmelding", size=22).gap().lines("Økonomi", size=15).lines(body)
    writer.gap().lines("Regnskap", bold=True).lines(body).gap().lines("Drift", size=15).lines(body)
    headings = [(p.text, p.level) for p in pieces_of(writer) if p.kind is BlockKind.HEADING]
    assert headings == [("Årsmelding", 1), ("Økonomi", 2), ("Regnskap", 3), ("Drift", 2)]


def test_bold_words_that_go_on_from_the_line_above_are_no_heading() -> None:
    writer = Writer().lines("Rådet vil gjennomgå loven om spesialisthelsetjenester og loven om")
    writer.lines("kommunale omsorgstjenester", bold=True).lines("i løpet av neste år.")
    assert [piece.kind for piece in pieces_of(writer)] == [BlockKind.PARAGRAPH]


def test_a_long_heading_on_two_lines_is_one() -> None:
    writer = Writer().lines("Nasjonal plan for helse", "og samhandling", size=20).gap()
    [heading, _] = pieces_of(writer.lines("Planen gjelder hele landet og alle helseforetak."))
    assert heading.text == "Nasjonal plan for helse og samhandling"


def test_bookmarks_say_what_is_a_heading() -> None:
    writer = Writer()
    writer.canvas.bookmarkPage("frist")
    writer.canvas.addOutlineEntry("Frist", "frist", level=0)
    writer.lines("Frist").gap().lines("Fristen for å søke er 1. mai hvert år.")
    [heading, _] = pieces_of(writer)
    assert (heading.kind, heading.level, heading.text) == (BlockKind.HEADING, 1, "Frist")


def test_lists_keep_their_items_apart() -> None:
    writer = Writer().lines(
        "Planen har tre mål:", "• kortere ventetid", "• flere fagfolk", "1. Mer"
    )
    kinds = [(p.kind, p.text, p.marker) for p in pieces_of(writer)]
    assert kinds == [
        (BlockKind.PARAGRAPH, "Planen har tre mål:", ""),
        (BlockKind.LIST_ITEM, "kortere ventetid", "• "),
        (BlockKind.LIST_ITEM, "flere fagfolk", "• "),
        (BlockKind.LIST_ITEM, "1. Mer", ""),
    ]


def test_cells_that_stand_apart_are_a_row_of_a_table() -> None:
    writer = Writer()
    for row, cells in enumerate((("Rom", "Plasser"), ("Naustet", "12"), ("Fjellstua", "40"))):
        for column, cell in enumerate(cells):
            writer.at(72 + 150 * column, 700 - 20 * row).lines(cell)
    assert [(p.kind, p.text) for p in pieces_of(writer)] == [
        (BlockKind.TABLE_ROW, "Rom | Plasser"),
        (BlockKind.TABLE_ROW, "Naustet | 12"),
        (BlockKind.TABLE_ROW, "Fjellstua | 40"),
    ]


def test_a_bullet_larger_than_its_words_makes_no_heading() -> None:
    writer = Writer().lines("Planen har disse målene for de neste årene i kommunen:")
    for top, words in ((756, "kortere ventetid"), (742, "flere fagfolk")):
        writer.at(78, top).lines("•", size=13).at(96, top).lines(words)
    assert [p.kind for p in pieces_of(writer)] == [
        *(BlockKind.PARAGRAPH, BlockKind.LIST_ITEM, BlockKind.LIST_ITEM)
    ]


def test_two_numbers_close_to_each_other_are_not_made_one() -> None:
    writer = Writer()
    for row, cells in enumerate((("Legevakten", "2007", "32"), ("Vannverket", "2010", "2.5"))):
        for left, cell in zip((72, 160, 195), cells, strict=True):
            writer.at(left, 700 - 20 * row).lines(cell)
    text = " ".join(piece.text for piece in pieces_of(writer))
    assert "2007 32" in text
    assert "2.5" in text


def test_running_headers_footers_and_page_numbers_are_left_out() -> None:
    writer = Writer()
    for number in range(1, 5):
        writer.at(72, 810).lines("Årsmelding for rådet")
        writer.at(72, 700 - 20 * number).lines(f"Kapittel {number} handler om hjemmetjenesten.")
        writer.at(290, 40).lines(f"Side {number} av 4").page()
    file = read_pdf(writer.bytes())
    assert texts(file) == [
        f"Kapittel {number} handler om hjemmetjenesten." for number in range(1, 5)
    ]
    assert [piece.page for piece in file.pieces] == [1, 2, 3, 4]
    assert file.pages == 4


def test_a_sentence_goes_on_over_the_page() -> None:
    writer = Writer().at(72, 60).lines("Rådet mener at kommunene må").page()
    pieces = pieces_of(writer.lines("samarbeide bedre. Det haster."))
    assert [(piece.text, piece.page) for piece in pieces] == [
        ("Rådet mener at kommunene må samarbeide bedre.", 1),
        ("Det haster.", 2),
    ]


def test_what_stands_below_is_no_rest_of_what_stands_above() -> None:
    writer = Writer().lines("Tabell over plasser").gap().gap().lines("kilde: kommunen selv, 2024")
    assert [p.text for p in pieces_of(writer)] == [
        "Tabell over plasser",
        "kilde: kommunen selv, 2024",
    ]


def test_titles_and_rows_at_the_edge_of_pages_are_kept() -> None:
    writer = Writer()
    for number in range(1, 5):
        writer.at(72, 800).lines(f"Kapittel {number}", size=18).gap()
        writer.lines(f"Dette kapitlet har {number * 7 + number % 2} sider om omsorg.")
        for row in range(2):
            for column, cell in enumerate((f"Post {number}{row}", str(100 * number + row))):
                writer.at(72 + 150 * column, 60 - 20 * row).lines(cell)
        writer.page()
    file = read_pdf(writer.bytes())
    assert len(file.pieces) == 4 * 4


def test_a_sections_number_goes_with_its_title() -> None:
    writer = Writer().at(72, 700).lines("1.2").at(120, 700).lines("Økonomi").at(72, 660)
    pieces = pieces_of(writer.lines("Kommunen fikk et lite overskudd i fjor."))
    assert pieces[0].text == "1.2 Økonomi"
    assert pieces[0].kind is not BlockKind.TABLE_ROW


@pytest.mark.parametrize("broken", ["from_bytes", "extract_spans"])
def test_where_one_parser_fails_the_other_is_believed(
    monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    class Failing:
        @staticmethod
        def from_bytes(raw: bytes) -> "Failing":
            if broken == "from_bytes":
                raise RuntimeError("cannot open")
            return Failing()

        def extract_spans(self, number: int) -> list[object]:
            raise RuntimeError("cannot read")

    monkeypatch.setattr("index.readers.pdf.PdfDocument", Failing)
    writer = Writer().lines("Rådet møttes fem ganger.").page().lines("Det neste møtet er i mai.")
    assert [(p.text, p.page, p.kind) for p in pieces_of(writer)] == [
        ("Rådet møttes fem ganger.", 1, BlockKind.PARAGRAPH),
        ("Det neste møtet er i mai.", 2, BlockKind.PARAGRAPH),
    ]


def test_a_page_that_one_parser_hardly_sees_is_read_by_the_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("index.readers.pdf._ordered", lambda document, number: [])
    assert [p.text for p in pieces_of(Writer().lines("Rådet møttes fem ganger."))] == [
        "Rådet møttes fem ganger."
    ]


def test_columns_are_read_one_after_the_other() -> None:
    left = [f"venstre spalte har i linje {number} noe om tannhelse" for number in range(12)]
    right = [f"høyre spalte har i linje {number} noe om barnevern" for number in range(12)]
    writer = Writer()
    for row in range(12):
        writer.at(60, 700 - LEADING * row).lines(left[row])
        writer.at(325, 700 - LEADING * row).lines(right[row])
    text = " ".join(piece.text for piece in pieces_of(writer))
    assert text == " ".join([*left, *right])


def test_lines_that_their_author_broke_stay_apart() -> None:
    full = "Bransjen har hatt et stort behov for bistand til offentlige anskaffelser gjennom"
    rest = "hele året."
    writer = Writer().lines("Anskaffelser", full, rest, "Med hilsen", "Rådets leder")
    assert [piece.text for piece in pieces_of(writer)] == [
        "Anskaffelser",
        f"{full} {rest}",
        "Med hilsen\nRådets leder",
    ]


def test_a_stated_title_counts_only_when_the_first_page_has_it() -> None:
    for stated, expected in (("Årsmelding", "Årsmelding"), ("Microsoft Word - ny.doc", "")):
        writer = Writer()
        writer.canvas.setTitle(stated)
        assert (
            read_pdf(writer.lines("Årsmelding fra rådet for 2024").bytes()).stated.title == expected
        )


def pictures() -> bytes:
    writer = Writer()
    image = ImageReader(Image.new("RGB", (40, 40), "white"))
    writer.canvas.drawImage(image, 72, 500)
    return writer.bytes()


def locked() -> bytes:
    return Writer(encrypt=StandardEncryption("hemmelig")).lines("Hemmelig").bytes()


def cut() -> bytes:
    return Writer().lines("Noe som ble borte underveis").bytes()[:300]


@pytest.mark.parametrize(
    ("make", "reason"), [(pictures, "no text layer"), (locked, "password"), (cut, "cut off")]
)
def test_what_cannot_be_read_is_refused_with_a_remedy(
    make: Callable[[], bytes], reason: str
) -> None:
    with pytest.raises(UnreadableDocumentError, match=reason):
        read_pdf(make())


def test_too_many_pages_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("index.readers.pdf.MAX_PAGES", 1)
    with pytest.raises(UnreadableDocumentError, match="2 pages"):
        read_pdf(Writer().lines("En").page().lines("To").bytes())


def test_a_pdf_is_known_by_its_content(tmp_path: Path) -> None:
    raw = Writer().lines("Rådet møttes fem ganger i løpet av året.").bytes()
    for name in ("a.pdf", "a.txt", "a.docx"):
        found = read_as(tmp_path / name, raw)
        assert (found.media_type, found.pages, found.title) == ("application/pdf", 1, "a")
    assert read_as(tmp_path / "c.pdf", b"\n\n" + raw).pages == 1
    for other in (b"bare tekst", b"PK\x03\x04 noe annet"):
        with pytest.raises(UnreadableDocumentError, match="named as a PDF"):
            read_as(tmp_path / "b.pdf", other)
    told = read_as(tmp_path / "d.md", b"En PDF begynner med %PDF-1.7 og slutter annerledes.")
    assert told.media_type == "text/markdown"


def test_blocks_are_spans_of_the_text_with_their_pages(tmp_path: Path) -> None:
    writer = Writer().lines("Mål", size=20).gap().lines("Vi skal bli bedre år for år.").page()
    found = read_as(tmp_path / "a.pdf", writer.lines("Neste side har mer om dette.").bytes())
    assert [(found.text[b.start : b.end], b.page) for b in found.blocks] == [
        ("Mål", 1),
        ("Vi skal bli bedre år for år.", 1),
        ("Neste side har mer om dette.", 2),
    ]
    assert found.title == "Mål"
