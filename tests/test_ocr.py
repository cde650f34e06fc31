"""Pages that are pictures, read by the real Tesseract where it is installed."""

import shutil
import subprocess
from pathlib import Path

import pypdfium2 as pdfium
import pytest
from PIL import Image
from reportlab.lib.utils import ImageReader

from app.assembly import Kildesvar
from app.settings import load_settings
from index.documents import BlockKind
from index.errors import UnreadableDocumentError
from index.readers import ocr
from index.readers.isolation import IsolatedReader
from index.readers.pdf import read_pdf
from tests.made_files import Writer


def norwegian_tesseract() -> bool:
    if not shutil.which("tesseract"):
        return False
    listed = subprocess.run(
        ["tesseract", "--list-langs"], capture_output=True, text=True, check=False
    )
    return "nor" in listed.stdout.split()


needs_tesseract = pytest.mark.skipif(
    not norwegian_tesseract(), reason="needs Debian's tesseract-ocr and tesseract-ocr-nor"
)


def picture_of(writer: Writer) -> ImageReader:
    page = pdfium.PdfDocument(writer.bytes())[0]
    return ImageReader(page.render(scale=200 / 72).to_pil())


def letter() -> Writer:
    return (
        Writer()
        .lines("Årsmelding", size=22)
        .gap()
        .lines(
            "Bransjen har hatt et stort behov for bistand til offentlige anskaffelser gjennom",
            "hele året. Rådet støtter forslaget om å øke tilskuddet til helse- og omsorgs-",
            "tjenester i alle kommuner på Øst-Ås.",
        )
        .gap()
        .lines("Planen har to mål:", "• kortere ventetid", "• flere fagfolk")
    )


def scan(*pages: str) -> bytes:
    """A PDF of pages that are a `picture` of a letter, `text`, or `blank`."""
    writer = Writer()
    for number, page in enumerate(pages):
        if page == "picture":
            writer.canvas.drawImage(picture_of(letter()), 0, 0, 595, 842)
        elif page == "text":
            writer.lines(f"Side {number + 1} har tekst om helse.")
        writer.page()
    return writer.bytes()


def test_pages_that_are_pictures_are_named_and_blank_ones_are_not() -> None:
    kinds = ["text", "blank", "picture", "picture", "picture", "text", "picture"]
    file = read_pdf(scan(*kinds))
    assert [piece.page for piece in file.pieces] == [1, 6]
    assert file.notices == (
        "pages 3-5 and 7 have no text layer and were not read; run OCR on the file "
        "(`ocrmypdf -l nor IN OUT`), or set KILDESVAR_OCR=on",
    )
    [notice] = read_pdf(scan("picture", "text")).notices
    assert notice.startswith("page 1 has no text layer and was not read; ")
    assert read_pdf(scan("text", "blank")).notices == ()


def test_letters_that_are_drawn_are_no_text_layer() -> None:
    writer = Writer().lines("Den første siden har tekst.").page()
    for number in range(300):
        writer.canvas.line(72, 100 + number, 200, 120 + number)
    assert read_pdf(writer.bytes()).notices[0].startswith("page 2 has no text layer")


@needs_tesseract
def test_a_picture_of_a_page_is_read(tmp_path: Path) -> None:
    path = tmp_path / "skannet.pdf"
    path.write_bytes(scan("picture", "text"))
    with IsolatedReader(ocr=True) as reader:
        found = reader.read(path)
    assert [(b.kind, b.page, found.text[b.start : b.end]) for b in found.blocks] == [
        (BlockKind.HEADING, 1, "Årsmelding"),
        (
            BlockKind.PARAGRAPH,
            1,
            "Bransjen har hatt et stort behov for bistand til offentlige anskaffelser gjennom hele "
            "året. Rådet støtter forslaget om å øke tilskuddet til helse- og "
            "omsorgstjenester i alle kommuner på Øst-Ås.",
        ),
        (BlockKind.PARAGRAPH, 1, "Planen har to mål:"),
        (BlockKind.LIST_ITEM, 1, "kortere ventetid"),
        (BlockKind.LIST_ITEM, 1, "flere fagfolk"),
        (BlockKind.PARAGRAPH, 2, "Side 2 har tekst om helse."),
    ]
    assert found.notices == ("page 1 was read by OCR; letters may be wrong",)


@pytest.mark.parametrize(
    ("seen", "lines"),
    [
        (["{}", "går videre her."], ["{} går videre her."]),
        (["{}", "", "går videre her."], ["{} går videre her."]),
        (["{}", "", "Et nytt avsnitt."], ["{}", "", "Et nytt avsnitt."]),
        (["{}", "• et punkt", "1. et tall"], ["{}", "• et punkt", "1. et tall"]),
        (["{}", "kort", "hale"], ["{} kort", "hale"]),
    ],
)
def test_lines_are_joined_at_the_margin_alone(seen: list[str], lines: list[str]) -> None:
    full = "en linje som er lang nok til å nå margen på den siden som den ble funnet på"
    assert ocr._unbroken("\n".join(seen).format(full)) == "\n".join(lines).format(full)


@needs_tesseract
def test_a_page_that_takes_too_long_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ocr, "PAGE_SECONDS", 0.01)
    [notice] = read_pdf(scan("picture", "text"), ocr=True).notices
    assert notice.startswith("page 1 has no text layer and was not read; recognising it took over")
    with pytest.raises(UnreadableDocumentError, match="recognising a page took over"):
        read_pdf(scan("picture"), ocr=True)


@needs_tesseract
def test_missing_norwegian_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TESSDATA_PREFIX", str(tmp_path))
    with pytest.raises(UnreadableDocumentError, match=r"no data for Norwegian.*tesseract-ocr-nor"):
        read_pdf(scan("picture"), ocr=True)


@needs_tesseract
def test_pages_beyond_the_limit_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ocr, "MAX_PAGES", 1)
    assert read_pdf(scan("picture", "picture"), ocr=True).notices == (
        "page 1 was read by OCR; letters may be wrong",
        "page 2 has no text layer and was not read; OCR ends after 1 pages: split the file",
    )


def test_a_missing_tesseract_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    [notice] = read_pdf(scan("picture", "text"), ocr=True).notices
    assert "Tesseract is not installed; install Debian's tesseract-ocr" in notice
    with pytest.raises(UnreadableDocumentError, match="Tesseract is not installed"):
        read_pdf(scan("picture"), ocr=True)


def test_a_failing_tesseract_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "tesseract"
    program.write_text("#!/bin/sh\necho ingen plass >&2\nexit 3\n", encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    with pytest.raises(UnreadableDocumentError, match=r"failed \(status 3, 'ingen plass'\)"):
        read_pdf(scan("picture"), ocr=True)


def test_tesseract_takes_one_thread(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "tesseract"
    program.write_text(
        '#!/bin/sh\ncat > /dev/null\necho "Antall tråder er $OMP_THREAD_LIMIT."\n', encoding="utf-8"
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    path = tmp_path / "skannet.pdf"
    path.write_bytes(scan("picture"))
    with IsolatedReader(ocr=True) as reader:
        assert reader.read(path).text == "Antall tråder er 1."


@needs_tesseract
def test_a_poster_is_rendered_more_coarsely() -> None:
    writer = Writer(pagesize=(14_000, 14_000))
    writer.canvas.drawImage(ImageReader(Image.new("RGB", (40, 40), "white")), 0, 0, 9_000, 9_000)
    page = pdfium.PdfDocument(writer.bytes())[0]
    assert ocr._picture(page).startswith(b"P5 7000 7000 255\n")


@pytest.mark.parametrize("setting", ["on", "off"])
def test_the_setting_reaches_the_process_that_reads(
    examples_dir: Path, monkeypatch: pytest.MonkeyPatch, setting: str
) -> None:
    monkeypatch.setenv("KILDESVAR_OCR", setting)
    kildesvar = Kildesvar(load_settings(data_dir=examples_dir))
    command = kildesvar.ingester()._reader._command()
    kildesvar.close()
    assert command[-1] == {"on": "ocr", "off": "no-ocr"}[setting]
