"""Makes documents to ingest: made-up facts of municipal services, in files of every format.

    python -m scripts.make_documents FOLDER [--files 64] [--pages 3] [--seed 1]

Every document has a title and some sections of headings, paragraphs, a list and a table, a page or
slide each where the format has them. It holds one own fact, a sentence whose number stands nowhere
else. The words are ours, Bokmål and Nynorsk in turn; the same seed gives the same words. Prints
each file with the question that its own fact answers.
"""

import argparse
import csv
import html
import io
import sys
from collections.abc import Callable, Iterator, Sequence
from email.message import EmailMessage
from functools import partial
from pathlib import Path
from typing import Any

import docx
import odfdo
import openpyxl
import pptx
from pptx.util import Inches
from reportlab.lib.styles import getSampleStyleSheet
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import (
    Flowable,
    ListFlowable,
    PageBreak,
    Paragraph,
    SimpleDocTemplate,
    Spacer,
    Table,
)

from index.readers import EXTENSIONS
from scripts.made_texts import MadeDocument, Row, Section, made_documents

NAVIGATION = ("Til forsiden", "Tjenester fra A til Å", "Meld fra om feil")
FOOTER = "Sentralbordet er betjent hver virkedag"
"""What frames the text of a web page or a printed one, and is not to be found."""


def write_documents(folder: Path, documents: Sequence[MadeDocument]) -> dict[Path, MadeDocument]:
    """Writes each document in the format whose turn it is, and tells which is in which file."""
    written = {}
    kinds = [kind for kind in _WRITERS if Path(f"x.{kind}").suffix in EXTENSIONS]
    for at, document in enumerate(documents):
        kind = kinds[at % len(kinds)]
        path = folder / f"{document.name}.{kind}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(_WRITERS[kind](document))
        written[path] = document
    return written


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="make_documents", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--files", type=int, default=64)
    parser.add_argument("--pages", type=int, default=3)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args(arguments)
    documents = made_documents(given.files, given.seed, given.pages)
    for path, document in write_documents(given.folder, documents).items():
        print(f"{path.relative_to(given.folder)}\t{document.question}\t{document.fact}")
    return 0


def _pdf(document: MadeDocument) -> bytes:
    styles = getSampleStyleSheet()
    text = partial(Paragraph, style=styles["BodyText"])
    flowables: list[Flowable] = [Paragraph(document.title, styles["Title"])]
    for at, section in enumerate(document.sections):
        flowables += [PageBreak()] if at else []
        flowables.append(Paragraph(section.heading, styles["Heading1"]))
        flowables += map(text, [*section.paragraphs, section.lead_in])
        flowables.append(
            ListFlowable(list(map(text, section.items)), bulletType="bullet", bulletFontSize=10)
        )
        flowables += [Spacer(0, 12), Table(section.table, colWidths=110)]
    buffer = io.BytesIO()
    file = SimpleDocTemplate(buffer, title=document.title, invariant=1)
    file.build(flowables, onFirstPage=_page_footer, onLaterPages=_page_footer)
    return buffer.getvalue()


def _page_footer(canvas: Canvas, _: object) -> None:
    canvas.setFont("Helvetica", 8)
    canvas.drawString(72, 30, f"{FOOTER} – {canvas.getPageNumber()}")


def _docx(document: MadeDocument) -> bytes:
    file = docx.Document()
    file.add_heading(document.title, 0)
    file.sections[0].footer.paragraphs[0].text = FOOTER
    for section in document.sections:
        file.add_heading(section.heading, 1)
        for paragraph in (*section.paragraphs, section.lead_in):
            file.add_paragraph(paragraph)
        for item in section.items:
            file.add_paragraph(item, style="List Bullet")
        table = file.add_table(len(section.table), len(section.table[0]))
        for row, cells in zip(table.rows, section.table, strict=True):
            for cell, words in zip(row.cells, cells, strict=True):
                cell.text = words
    return _saved(file)


def _pptx(document: MadeDocument) -> bytes:
    file = pptx.Presentation()
    file.core_properties.title = document.title
    for section in document.sections:
        slide = file.slides.add_slide(file.slide_layouts[1])
        title, points = slide.placeholders
        title.text, points.text = section.heading, "\n".join(section.items)
        points.left, points.top, points.width, points.height = 0, Inches(4), Inches(9), Inches(1)
        box = slide.shapes.add_textbox(0, Inches(1.5), Inches(9), Inches(2))
        box.text_frame.text = "\n".join((*section.paragraphs, section.lead_in))
        rows = len(section.table), len(section.table[0])
        table = slide.shapes.add_table(*rows, 0, Inches(5), Inches(9), Inches(2)).table
        for (row, column), words in _cells(section.table):
            table.cell(row, column).text = words
    return _saved(file)


def _cells(table: Sequence[Row]) -> Iterator[tuple[tuple[int, int], str]]:
    return (((at, place), cell) for at, row in enumerate(table) for place, cell in enumerate(row))


def _xlsx(document: MadeDocument) -> bytes:
    book = openpyxl.Workbook()
    book.remove(book.worksheets[0])
    for number, section in enumerate(document.sections, 1):
        sheet = book.create_sheet(f"{number} {section.heading}"[:31])
        for row in _noted_rows(section):
            sheet.append(row)
    return _saved(book)


def _noted_rows(section: Section) -> list[Row]:
    """The section as a table: what it says stands in a column of its own."""
    columns, *rows = section.table
    notes = [*section.paragraphs, *section.items]
    return [
        (*columns, "Merknad"),
        *((*rows[at % len(rows)], note) for at, note in enumerate(notes)),
    ]


def _odt(document: MadeDocument) -> bytes:
    file = odfdo.Document("text")
    file.body.clear()
    file.body.append(odfdo.Header(1, document.title))
    for section in document.sections:
        file.body.append(odfdo.Header(2, section.heading))
        for paragraph in (*section.paragraphs, section.lead_in):
            file.body.append(odfdo.Paragraph(paragraph))
        file.body.append(odfdo.List(list(section.items)))
        file.body.append(_odf_table(section.heading, section.table))
    return _saved(file)


def _odp(document: MadeDocument) -> bytes:
    file = odfdo.Document("presentation")
    file.body.clear()
    for number, section in enumerate(document.sections, 1):
        page = odfdo.DrawPage(f"s{number}")
        title = odfdo.Frame.text_frame(
            section.heading, position=("1cm", "1cm"), presentation_class="title"
        )
        body = [*map(odfdo.Paragraph, (*section.paragraphs, section.lead_in))]
        text = odfdo.Frame.text_frame(
            [*body, odfdo.List(list(section.items))], position=("1cm", "4cm")
        )
        table = odfdo.Frame(position=("1cm", "15cm"))
        table.append(_odf_table(f"t{number}", section.table))
        for frame in (title, text, table):
            page.append(frame)
        file.body.append(page)
    return _saved(file)


def _ods(document: MadeDocument) -> bytes:
    file = odfdo.Document("spreadsheet")
    file.body.clear()
    for number, section in enumerate(document.sections, 1):
        file.body.append(_odf_table(f"{number} {section.heading}", _noted_rows(section)))
    return _saved(file)


def _odf_table(name: str, rows: Sequence[Row]) -> odfdo.Table:
    table = odfdo.Table(name)
    for cells in rows:
        row = odfdo.Row()
        row.set_values(cells)
        table.append_row(row)
    return table


def _html(document: MadeDocument) -> bytes:
    links = "".join(f'<li><a href="/">{html.escape(words)}</a></li>' for words in NAVIGATION)
    body = "".join(
        f"<h2>{section.heading}</h2>"
        + "".join(f"<p>{words}</p>" for words in (*section.paragraphs, section.lead_in))
        + "<ul>"
        + "".join(f"<li>{item}</li>" for item in section.items)
        + "</ul><table>"
        + "".join(f"<tr><td>{'</td><td>'.join(row)}</td></tr>" for row in section.table)
        + "</table>"
        for section in document.sections
    )
    return (
        f'<!doctype html><html lang="{document.language}"><head><meta charset="utf-8">'
        f"<title>{document.title}</title></head><body><nav><ul>{links}</ul></nav>"
        f"<main><h1>{document.title}</h1>{body}</main><footer>{FOOTER}</footer></body></html>"
    ).encode()


def _markdown(document: MadeDocument) -> bytes:
    lines = ["---", f"title: {document.title}", f"language: {document.language}", "---"]
    lines += ["", f"# {document.title}"]
    for section in document.sections:
        lines += ["", f"## {section.heading}"]
        columns, *rows = section.table
        lines += _lines(section, [columns, ("---",) * len(columns), *rows])
    return "\n".join(lines).encode()


def _text(document: MadeDocument) -> str:
    lines = [document.title]
    for section in document.sections:
        lines += ["", "", section.heading, *_lines(section, section.table)]
    return "\n".join(lines)


def _lines(section: Section, table: Sequence[Row]) -> Iterator[str]:
    for paragraph in (*section.paragraphs, section.lead_in):
        yield from ("", paragraph)
    yield from ("", *(f"- {item}" for item in section.items))
    yield from ("", *(f"| {' | '.join(row)} |" for row in table))


def _txt(document: MadeDocument, encoding: str) -> bytes:
    return _text(document).encode(encoding)


def _csv(document: MadeDocument) -> bytes:
    buffer = io.StringIO()
    table = csv.writer(buffer, delimiter=";")
    for at, section in enumerate(document.sections):
        table.writerows(_noted_rows(section)[1 if at else 0 :])
    return buffer.getvalue().encode()


def _eml(document: MadeDocument) -> bytes:
    mail = EmailMessage()
    mail["From"], mail["To"] = "post@example.org", "alle@example.org"
    mail["Subject"] = document.title
    mail["Date"] = "Mon, 05 Jan 2026 09:00:00 +0100"
    mail.set_content(_text(document))
    return mail.as_bytes()


def _rtf(document: MadeDocument) -> bytes:
    """RTF 1.9: the style and the outline level make a heading, `listtext` an item."""
    lines = [_rtf_heading(1, document.title)]
    for section in document.sections:
        lines.append(_rtf_heading(2, section.heading))
        lines += [
            rf"\pard\plain {_rtf_words(words)}\par"
            for words in (*section.paragraphs, section.lead_in)
        ]
        lines += [
            rf"\pard\plain\ls1\ilvl0{{\listtext\bullet\tab}}{_rtf_words(item)}\par"
            for item in section.items
        ]
        for row in section.table:
            edges = "".join(rf"\cellx{2000 * at}" for at in range(1, len(row) + 1))
            cells = "".join(rf"{_rtf_words(cell)}\cell " for cell in row)
            lines.append(rf"\trowd{edges}\pard\plain\intbl {cells}\row")
    styles = r"{\stylesheet{\s1 heading 1;}{\s2 heading 2;}}"
    return "\n".join([rf"{{\rtf1\ansi\ansicpg1252\uc1{styles}", *lines, "}"]).encode("ascii")


def _rtf_heading(level: int, words: str) -> str:
    return rf"\pard\plain\s{level}\outlinelevel{level - 1} {_rtf_words(words)}\par"


def _rtf_words(words: str) -> str:
    return "".join(letter if letter.isascii() else rf"\u{ord(letter)}?" for letter in words)


def _saved(file: Any) -> bytes:
    buffer = io.BytesIO()
    file.save(buffer)
    return buffer.getvalue()


_WRITERS: dict[str, Callable[[MadeDocument], bytes]] = {
    "pdf": _pdf,
    "docx": _docx,
    "pptx": _pptx,
    "xlsx": _xlsx,
    "odt": _odt,
    "odp": _odp,
    "ods": _ods,
    "html": _html,
    "md": _markdown,
    "utf-8.txt": partial(_txt, encoding="utf-8"),
    "utf-16.txt": partial(_txt, encoding="utf-16"),
    "windows.txt": partial(_txt, encoding="cp1252"),
    "csv": _csv,
    "eml": _eml,
    "rtf": _rtf,
}
"""By how the file's name ends."""


if __name__ == "__main__":
    sys.exit(main())
