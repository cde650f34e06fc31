"""Word files (DOCX), by mammoth.

It keeps what others lose of them (tracked changes, text boxes, footnotes, nested tables); none
knows their pages.
"""

import io
import re

import mammoth
from selectolax.lexbor import LexborHTMLParser

from index.documents import Piece
from index.readers.html import read_html
from index.readers.office import naming_damage, require_whole

_TITLE_STYLES = "\n".join(f"p[style-name='{name}'] => h1:fresh" for name in ("Title", "Tittel"))
# mammoth's own: «[1]» in the text, and an arrow back from the note.
_FOOTNOTE_LINKS = re.compile(
    r'<sup><a [^>]*id="[^"]*note-ref-[^"]*"[^>]*>[^<]*</a></sup>'
    r'|<a href="#[^"]*note-ref-[^"]*">[^<]*</a>'
)


def read_docx(raw: bytes) -> list[Piece]:
    """A Word file's headings, paragraphs, lists and tables, as mammoth gives them in HTML."""
    require_whole(raw)
    with naming_damage():
        result = mammoth.convert_to_html(
            io.BytesIO(raw),
            style_map=_TITLE_STYLES,
            convert_image=mammoth.images.img_element(lambda _: {}),
        )
    return read_html(_renumbered(_FOOTNOTE_LINKS.sub("", result.value))).pieces


def _renumbered(html: str) -> str:
    """The page with numbered lists that go on after bullets between their items.

    mammoth ends a list where another begins, and would have each of its parts begin at 1.
    """
    tree = LexborHTMLParser(html)
    count = 0
    for node in tree.body.iter() if tree.body else ():
        if node.tag == "ol":
            node.attrs["start"] = str(count + 1)
            count += sum(child.tag == "li" for child in node.iter())
        elif node.tag != "ul":
            count = 0
    return tree.html or ""
