"""From bytes to text, or a clear refusal: a file is never half-read in silence."""

import codecs
import re

from index.errors import UnreadableDocumentError

_BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_HTML_CHARSET = re.compile(rb"""<meta[^>]{0,200}charset\s*=\s*["']?\s*([\w-]{1,40})""", re.IGNORECASE)


def decode(raw: bytes) -> str:
    """Byte-order mark, else strict UTF-8, else Windows-1252 (what Norwegian files once were).

    Raises UnreadableDocumentError for an empty file, for binary data, and for bytes that none of
    these can read whole.
    """
    if not raw.strip():
        raise UnreadableDocumentError("the file is empty")
    encoding = _from_mark(raw)
    if encoding:
        return _strictly(raw, encoding)
    if b"\0" in raw:
        raise UnreadableDocumentError("the file is binary, not text; convert it to text or HTML")
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return _strictly(raw, "cp1252")


def decode_html(raw: bytes) -> str:
    """As `decode`, but a charset that the page declares is tried after the byte-order mark."""
    declared = _HTML_CHARSET.search(raw[:4096])
    if declared and not _from_mark(raw):
        try:
            return raw.decode(declared.group(1).decode("ascii"))
        except (LookupError, UnicodeDecodeError):
            pass  # An unknown or wrong declaration: the bytes themselves decide.
    return decode(raw)


def _from_mark(raw: bytes) -> str | None:
    return next((name for mark, name in _BYTE_ORDER_MARKS if raw.startswith(mark)), None)


def _strictly(raw: bytes, encoding: str) -> str:
    try:
        return raw.decode(encoding)
    except UnicodeDecodeError as error:
        raise UnreadableDocumentError(
            f"the text is neither UTF-8 nor whole {encoding} (byte {error.start}); "
            "save the file again as UTF-8"
        ) from error
