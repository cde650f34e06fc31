"""What Office and OpenDocument files state of themselves, in a part of their own.

ECMA-376, part 2 (core properties); OASIS, "Open Document Format", part 3 (metadata).
"""

import io
import zipfile
from collections.abc import Mapping, Sequence

from lxml import etree

from index.documents import Piece
from index.readers.office import BROKEN_ARCHIVE
from index.readers.stated import Stated, author_of, day_of, title_within

_MOST_BYTES = 1024 * 1024
_CORE_PART, _META_PART = "docProps/core.xml", "meta.xml"
_NAMESPACES = {
    "dc": "http://purl.org/dc/elements/1.1/",
    "dcterms": "http://purl.org/dc/terms/",
    "meta": "urn:oasis:names:tc:opendocument:xmlns:meta:1.0",
}
# When the empty files were saved that python-docx and python-pptx begin with.
_NEVER_SET = frozenset({"2013-12-23T23:15:00Z", "2013-01-27T09:14:16Z", "2013-01-27T09:15:58Z"})


def core_properties(raw: bytes, pieces: Sequence[Piece]) -> Stated:
    """What an Office file states, which was opened before. Its date is when it was last saved."""
    fields = _fields(raw, _CORE_PART)
    return _stated(fields, pieces, "dc:creator", ("dcterms:modified", "dcterms:created"))


def opendocument_properties(raw: bytes, pieces: Sequence[Piece]) -> Stated:
    """What an OpenDocument file states. Its date is when it was last saved."""
    fields = _fields(raw, _META_PART)
    # LibreOffice calls him who saved it last the creator.
    author = "meta:initial-creator" if "meta:initial-creator" in fields else "dc:creator"
    return _stated(fields, pieces, author, ("dc:date", "meta:creation-date"))


def _stated(
    fields: Mapping[str, str], pieces: Sequence[Piece], author: str, dates: Sequence[str]
) -> Stated:
    stamps = (fields[name] for name in dates if name in fields)
    days = (day_of(stamp) for stamp in stamps if stamp not in _NEVER_SET)
    return Stated(
        title=title_within(fields.get("dc:title"), pieces),
        author=author_of(fields.get(author)),
        date=next(filter(None, days), None),
    )


def _fields(raw: bytes, part: str) -> dict[str, str]:
    """The texts of a part's elements by their names; none where it is missing or broken."""
    parser = etree.XMLParser(resolve_entities=False, no_network=True)
    try:
        with zipfile.ZipFile(io.BytesIO(raw)) as archive, archive.open(part) as file:
            root = etree.fromstring(file.read(_MOST_BYTES), parser)
    except (KeyError, etree.XMLSyntaxError, *BROKEN_ARCHIVE):
        return {}
    found: dict[str, str] = {}
    for prefix, uri in _NAMESPACES.items():
        for element in root.iter(f"{{{uri}}}*"):
            name = f"{prefix}:{etree.QName(element).localname}"
            found.setdefault(name, (element.text or "").strip())
    return {name: text for name, text in found.items() if text}
