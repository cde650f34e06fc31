"""Files that tests make, and how they are read back."""

import io
from pathlib import Path
from typing import Any

from reportlab.lib.pagesizes import A4
from reportlab.pdfgen.canvas import Canvas

from index.documents import Document
from index.readers.formats import read

LEADING = 14


class Writer:
    """Writes lines of text down a page."""

    def __init__(self, **options: object) -> None:
        self.buffer = io.BytesIO()
        self.canvas = Canvas(self.buffer, **{"pagesize": A4, **options})
        self.at(72, 770)

    def at(self, left: float, top: float) -> "Writer":
        self.left, self.top = left, top
        return self

    def lines(self, *lines: str, size: float = 11, bold: bool = False) -> "Writer":
        self.canvas.setFont("Helvetica-Bold" if bold else "Helvetica", size)
        for line in lines:
            self.canvas.drawString(self.left, self.top, line)
            self.top -= LEADING * size / 11
        return self

    def gap(self) -> "Writer":
        self.top -= LEADING
        return self

    def page(self) -> "Writer":
        self.canvas.showPage()
        return self.at(72, 770)

    def bytes(self) -> bytes:
        self.canvas.save()
        return self.buffer.getvalue()


def saved(file: Any) -> bytes:
    """What a document of a library that writes files saves."""
    buffer = io.BytesIO()
    file.save(buffer)
    return buffer.getvalue()


def read_as(path: Path, raw: bytes) -> Document:
    """The document in a file at `path` that holds `raw`."""
    path.write_bytes(raw)
    return read(path)
