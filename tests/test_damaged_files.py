"""Files that were cut, overwritten, shuffled or made to harm: each is read or refused, no more."""

import io
import random
import struct
import zipfile
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest

from index.errors import UnreadableDocumentError
from index.readers.isolation import IsolatedReader
from tests import test_mail as mail
from tests import test_opendocument as opendocument
from tests import test_rtf as rtf
from tests.made_files import Writer
from tests.test_office import deck, letter, workbook

Harm = Callable[[bytearray, random.Random], bytes]


def report() -> bytes:
    writer = Writer()
    for number in range(3):
        writer.lines(f"Kapittel {number}", size=18).lines(
            *["Her står det noe om helse."] * 20
        ).page()
    return writer.bytes()


def cut(raw: bytearray, chance: random.Random) -> bytes:
    return bytes(raw[: chance.randrange(len(raw))])


def flipped(raw: bytearray, chance: random.Random) -> bytes:
    for _ in range(chance.choice([1, 20, 400])):
        raw[chance.randrange(len(raw))] ^= 1 << chance.randrange(8)
    return bytes(raw)


def blanked(raw: bytearray, chance: random.Random) -> bytes:
    at = chance.randrange(len(raw) - 500)
    raw[at : at + 500] = bytes(500)
    return bytes(raw)


def shuffled(raw: bytearray, chance: random.Random) -> bytes:
    at = chance.randrange(len(raw))
    return bytes(raw[at:] + raw[:at])


HARMS = [cut, flipped, blanked, shuffled]
FILES = 5
"""Of each format, by each harm: 260 in all."""


@pytest.mark.parametrize("harm", HARMS)
def test_a_damaged_file_is_read_or_refused(tmp_path: Path, harm: Harm) -> None:
    chance = random.Random(harm.__name__)
    text = "# Om helse\n\n" + "Her står det; mye om helse.\n" * 40
    files = {
        ".pdf": report(),
        ".docx": letter(),
        ".pptx": deck(),
        ".xlsx": workbook(),
        ".odt": opendocument.letter(),
        ".odp": opendocument.deck(),
        ".ods": opendocument.workbook(),
        ".rtf": rtf.letter(),
        ".eml": mail.letter(text).as_bytes(),
        ".html": f"<h1>Om helse</h1><p>{text}</p><table><tr><td>{text}</table>".encode(),
        ".md": text.encode(),
        ".csv": text.encode(),
        ".txt": text.encode("cp1252"),
    }
    refused = 0
    with IsolatedReader() as reader:
        for number in range(FILES):
            for extension, raw in files.items():
                path = tmp_path / f"{number}{extension}"
                path.write_bytes(harm(bytearray(raw), chance))
                try:
                    reader.read(path)
                except UnreadableDocumentError as error:
                    refused += 1
                    require_foreseen(error)
    assert refused
    assert len(HARMS) * FILES * len(files) >= 200


def require_foreseen(error: UnreadableDocumentError) -> None:
    for word in ("unforeseen", "crashed", "took more than", "\n"):
        assert word not in str(error)


# Files made to harm


@cache
def bomb(declared: int | None = None) -> bytes:
    """An archive of one part that is very large; of `declared` bytes, if it is to lie."""
    size = 501 * 1024**2
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("word/document.xml", bytes(size))
    raw = buffer.getvalue()
    lie = struct.pack("<L", declared or size)
    return raw.replace(struct.pack("<L", size), lie)


def spoilt(raw: bytes, name: str, content: str) -> bytes:
    """An Office file one of whose parts is another."""
    buffer = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(raw)) as old,
        zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as new,
    ):
        for part in old.infolist():
            new.writestr(part, content if part.filename == name else old.read(part))
    return buffer.getvalue()


def in_word(inner: str) -> bytes:
    """A Word file whose text is `inner`."""
    return spoilt(letter(), "word/document.xml", inner)


def in_opendocument(inner: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.text")
        archive.writestr("content.xml", inner)
    return buffer.getvalue()


LAUGHS = "<!DOCTYPE x [<!ENTITY a 'ha'>{}]><x>&l;</x>".format(
    "".join(f"<!ENTITY {chr(98 + n)} '{f'&{chr(97 + n)};' * 10}'>" for n in range(11))
)
OUTSIDE = "<!DOCTYPE x [<!ENTITY l SYSTEM 'file:///etc/passwd'>]><x>&l;</x>"
WORD = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
OASIS = "urn:oasis:names:tc:opendocument:xmlns"


def word_nested(depth: int) -> str:
    table = "<w:tbl><w:tr><w:tc>", "</w:tc></w:tr></w:tbl>"
    body = table[0] * depth + "<w:p/>" + table[1] * depth
    return f'<w:document xmlns:w="{WORD}"><w:body>{body}</w:body></w:document>'


def lists_nested(depth: int) -> str:
    body = "<t:list><t:list-item>" * depth + "</t:list-item></t:list>" * depth
    return (
        f'<o:document-content xmlns:o="{OASIS}:office:1.0" xmlns:t="{OASIS}:text:1.0">'
        f"<o:body><o:text>{body}</o:text></o:body></o:document-content>"
    )


def pages(count: int) -> bytes:
    """A PDF of so many empty pages, all of them one object."""
    kids = b"3 0 R " * count
    objects = (
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Count %d/Kids[%s]>>" % (count, kids),
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 99 99]>>",
    )
    raw, places = b"%PDF-1.4\n", []
    for number, content in enumerate(objects, 1):
        places.append(len(raw))
        raw += b"%d 0 obj%s endobj\n" % (number, content)
    rows = b"".join(b"%010d 00000 n \n" % place for place in places)
    start = len(raw)
    raw += b"xref\n0 4\n0000000000 65535 f \n" + rows
    return raw + b"trailer<</Size 4/Root 1 0 R>>startxref\n%d\n%%%%EOF" % start


HOSTILE: list[tuple[str, Callable[[], bytes], str]] = [
    ("tom.pdf", lambda: b"", "none in it"),
    ("tom.docx", lambda: b"", "no Office file"),
    ("tom.odt", lambda: b"", "no Office file"),
    ("tom.rtf", lambda: b"", "none in it"),
    ("tom.eml", lambda: b"", "empty"),
    ("tom.txt", lambda: b"", "empty"),
    ("bombe.docx", bomb, "unpacks to 501 MB"),
    ("løgn.docx", lambda: bomb(declared=99), "damaged"),
    ("navn.txt", bomb, "unpacks to 501 MB"),
    ("kuttet.xlsx", lambda: workbook()[:-60], "cut off"),
    ("latter.docx", lambda: in_word(LAUGHS), "damaged"),
    ("latter.pptx", lambda: spoilt(deck(), "ppt/presentation.xml", LAUGHS), "damaged"),
    ("latter.xlsx", lambda: spoilt(workbook(), "xl/workbook.xml", LAUGHS), "damaged"),
    ("ark.xlsx", lambda: spoilt(workbook(), "xl/worksheets/sheet1.xml", "<ark>"), "damaged"),
    ("lysbilde.pptx", lambda: spoilt(deck(), "ppt/slides/slide1.xml", "<p>"), "damaged"),
    ("latter.odt", lambda: in_opendocument(LAUGHS), "damaged"),
    ("utenfor.odt", lambda: in_opendocument(OUTSIDE), "no text"),
    ("dyp.docx", lambda: in_word(word_nested(200)), "nested too deeply"),
    ("dypere.docx", lambda: in_word(word_nested(60_000)), "nested too deeply"),
    ("dyp.odt", lambda: in_opendocument(lists_nested(60_000)), "Excessive depth"),
    ("sider.pdf", lambda: pages(6_000), "6000 pages"),
    ("tagger.html", lambda: b"<div>" * 66_000, "no text"),
    ("sitat.md", lambda: b">" * 66_000 + b" hei", "nested more than"),
    ("klammer.rtf", lambda: b"{\\rtf1 " + b"{" * 1_000_000, "no text"),
    ("skrift.rtf", lambda: b"{\\rtf1{\\fonttbl" + b"\\f0" * 5_000, "no text"),
    ("deler.eml", mail.nested, "nested too deeply"),
    ("binær.csv", lambda: bytes(1000), "binary"),
]


@pytest.fixture(scope="module")
def reader() -> Iterator[IsolatedReader]:
    with IsolatedReader() as reader:
        yield reader


@pytest.mark.parametrize(("name", "make", "reason"), HOSTILE, ids=[name for name, _, _ in HOSTILE])
def test_a_file_made_to_harm_costs_one_clear_reason(
    reader: IsolatedReader,
    tmp_path: Path,
    name: str,
    make: Callable[[], bytes],
    reason: str,
) -> None:
    path = tmp_path / name
    path.write_bytes(make())
    with pytest.raises(UnreadableDocumentError) as caught:
        reader.read(path)
    require_foreseen(caught.value)
    assert reason in str(caught.value)
