"""From bytes to text, or a clear refusal: a file is never half-read in silence."""

import codecs
import re
from collections.abc import Sequence

from index.errors import UnreadableDocumentError

_BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_HTML_CHARSET = re.compile(
    rb"""<meta[^>]{0,200}charset\s*=\s*["']?\s*([\w-]{1,40})""", re.IGNORECASE
)
# What a page may declare and mean. Python knows many more names, but they are no character sets
# («unicode_escape», «idna»), or cannot be true of a page whose declaration was read as ASCII.
_DECLARABLE = re.compile(
    r"(?:iso-?8859-?|latin-?)\d{1,2}|(?:windows-?|cp-?)125\d|us-ascii|macintosh|koi8-[ru]|"
    r"shift_jis|euc-(?:jp|kr)|big5|gb(?:k|2312|18030)",
    re.IGNORECASE,
)
# Browsers read these as Windows-1252, and so do those who write them.
_MEANING_WINDOWS = frozenset({"iso8859-1", "ascii"})


def decode(raw: bytes) -> str:
    """Byte-order mark, else strict UTF-8, else Windows-1252 (what Norwegian files once were).

    Raises UnreadableDocumentError for an empty file, for binary data, and for bytes that none of
    these can read whole.
    """
    return _decoded(raw, ("utf-8", "cp1252"))


def decode_html(raw: bytes) -> str:
    """As `decode`, but a charset that the page declares is tried before Windows-1252.

    UTF-8 comes first all the same: text in another encoding is hardly ever valid UTF-8 too, while
    many a page still declares the encoding that it had before it was converted.
    """
    return _decoded(raw, ("utf-8", *_declared(raw), "cp1252"))


def decode_declared(raw: bytes, label: str) -> str:
    """As `decode_html`, of a text whose charset is declared elsewhere as `label`."""
    return _decoded(raw, ("utf-8", *_charset(label), "cp1252"))


def _decoded(raw: bytes, encodings: Sequence[str]) -> str:
    mark = next((name for mark, name in _BYTE_ORDER_MARKS if raw.startswith(mark)), None)
    if not raw.strip():
        raise UnreadableDocumentError("the file is empty")
    if mark is None and b"\0" in raw:
        raise UnreadableDocumentError("the file is binary, not text; convert it to text or HTML")
    for encoding in (mark,) if mark else encodings:
        try:
            return raw.decode(encoding)
        except UnicodeDecodeError as error:
            broken = error
    raise UnreadableDocumentError(
        f"the text is neither UTF-8 nor whole {encoding} (byte {broken.start}); "
        "save the file again as UTF-8"
    ) from broken


def _declared(raw: bytes) -> list[str]:
    found = _HTML_CHARSET.search(raw[:4096])
    return _charset(found.group(1).decode("ascii") if found else "")


def _charset(label: str) -> list[str]:
    if not _DECLARABLE.fullmatch(label):
        return []
    try:
        name = codecs.lookup(label).name
    except LookupError:
        return []
    return [] if name in _MEANING_WINDOWS else [name]
