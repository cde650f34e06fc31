"""Pictures of pages -> text, by Tesseract, which is a program of its own."""

import re
import subprocess

import numpy as np
import pypdfium2 as pdfium

from index.errors import KildesvarError
from index.readers.plain import BULLET, NUMBER, SHORT_LINE, joined_lines

PAGE_SECONDS = 60.0
"""That one page may take."""
MAX_PAGES = 500
"""Of one file; what comes after them is not recognised."""

_FULL_LINE = 0.75
"""Of the longest line's letters, from which on a line ends where the page does."""
_LANGUAGE = "nor"
_DOTS_PER_INCH = 300
_MOST_DOTS = 7000
"""Along a page's longer edge: a poster is rendered more coarsely."""
_REMEDY = "install Debian's tesseract-ocr and tesseract-ocr-nor, or set KILDESVAR_OCR=off"
# A bullet, as Tesseract reads it where it does not know it.
_MISREAD_BULLET = re.compile(r"^[ \t]*[e¢°] (?=\S)", re.MULTILINE)


class OcrUnavailableError(KildesvarError):
    """Tesseract, or its Norwegian, is missing here."""


class OcrTimeoutError(KildesvarError):
    """A page took longer than `PAGE_SECONDS`."""


def page_text(page: pdfium.PdfPage) -> str:
    """The lines of text that a page shows.

    Raises OcrUnavailableError where Tesseract is missing or fails, OcrTimeoutError for a page that
    takes too long.
    """
    command = ["tesseract", "stdin", "stdout", "-l", _LANGUAGE, "--dpi", str(_DOTS_PER_INCH)]
    try:
        done = subprocess.run(
            command, input=_picture(page), capture_output=True, timeout=PAGE_SECONDS, check=False
        )
    except FileNotFoundError as error:
        raise OcrUnavailableError(f"Tesseract is not installed; {_REMEDY}") from error
    except subprocess.TimeoutExpired as error:
        raise OcrTimeoutError(f"a page took more than {PAGE_SECONDS:.0f} s") from error
    if done.returncode:
        said = done.stderr.decode("utf-8", "replace")
        if f"{_LANGUAGE}.traineddata" in said:
            raise OcrUnavailableError(f"Tesseract has no data for Norwegian; {_REMEDY}")
        last = said.strip().rpartition("\n")[2][:200]
        raise OcrUnavailableError(f"Tesseract failed (status {done.returncode}, {last!r})")
    return _unbroken(_MISREAD_BULLET.sub("• ", done.stdout.decode("utf-8", "replace")))


def _unbroken(text: str) -> str:
    """The text with those lines joined to the next that end at the page's right margin.

    Tesseract sees an empty line in many a paragraph.
    """
    lines = text.splitlines()
    margin = max(_FULL_LINE * max(map(len, lines), default=0), SHORT_LINE)
    paragraphs: list[list[str]] = []
    above = ""
    for at, line in enumerate(lines):
        after_gap = at > 0 and not lines[at - 1].strip()
        if not line.strip():
            continue
        begins = bool(BULLET.match(line) or NUMBER.match(line))
        begins = begins or (after_gap and not line[:1].islower())
        if len(above) >= margin and not begins:
            paragraphs[-1].append(line)
        else:
            paragraphs += [[""], [line]] if after_gap else [[line]]
        above = line
    return "\n".join(map(joined_lines, paragraphs))


def _picture(page: pdfium.PdfPage) -> bytes:
    """The page in shades of grey, as a portable greymap (PGM)."""
    scale = min(_DOTS_PER_INCH / 72, _MOST_DOTS / max(*page.get_size(), 1.0))
    bitmap = page.render(scale=scale, grayscale=True)
    shades = np.ascontiguousarray(bitmap.to_numpy()).reshape(bitmap.height, bitmap.width)
    raw = b"P5 %d %d 255\n" % (bitmap.width, bitmap.height) + shades.tobytes()
    bitmap.close()
    return raw
