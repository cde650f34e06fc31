"""RTF: text by striprtf, into which the structure that the controls tell is marked beforehand.

Microsoft, "Rich Text Format (RTF) Specification", version 1.9.1. striprtf gives lines and nothing
else; headings, items and cells are marked by private characters, which come through it as text.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from striprtf.striprtf import rtf_to_text

from index.documents import BlockKind, Piece
from index.readers.delimited import table_rows
from index.readers.plain import read_plain
from index.readers.stated import Stated, author_of, day_of, title_within
from index.text import normalise_line

RTF_HEADER = b"{\\rtf"

_CELL, _ROW, _IN_TABLE, _ITEM, _BREAK = "\ue100\ue101\ue102\ue103\ue104"
_HEADING, _DEPTH = 0xE110, 0xE120
"""Of level or depth 0; the next ones follow."""
_HEADINGS, _DEPTHS = re.compile("[\ue110-\ue118]"), re.compile("[\ue120-\ue128]")
_MARKS = re.compile("[\ue100-\ue12f]")

_MARKED = {
    "listtext": f"\\listtext {_ITEM}",
    "pntext": f"\\listtext {_ITEM}",
    "intbl": f"\\intbl {_IN_TABLE}",
    "cell": _CELL,
    "nestcell": " ",  # a table in a cell is text of the cell
    "row": f"{_ROW}\\par ",
    "line": _BREAK,
    "softline": _BREAK,
    "column": "\\par ",
}
"""What stands in place of a control word."""
_OUTLINE_LEVELS = frozenset("012345")

_CONTROL = re.compile(r"\\(?:([a-zA-Z]{1,32})(-?\d{1,10})? ?|[^a-zA-Z])", re.DOTALL)
"""A control word, its number and the space that ends it; or a control symbol."""
_BRACE = re.compile(r"\\[{}\\]|([{}])")
_STYLE_NUMBER = re.compile(r"\{(?:\\\*)?\\s(\d{1,4})(?!\d)")
_STYLE_NAME = re.compile(r"(?:heading|overskrift) ?(\d)\b|(?:title|tittel)$", re.IGNORECASE)
_OUTLINE_LEVEL = re.compile(r"\\outlinelevel([0-5])(?!\d)")
_INNER_GROUP = re.compile(r"(?<!^)\{[^{}]*\}")
_NOTE = re.compile(r"\{(?:\\\*)?\\footnote(?![a-z])")
_TEXT_BOX = re.compile(r"\\(?:shptxt|dptxbxtext)(?![a-z])")
# Hexadecimal digits without a space between them are a picture; striprtf goes letter by letter.
_PICTURE = re.compile(r"[0-9a-fA-F\r\n]{400,}+")
_FIELD = "\\fldinst{"
_INFO = r"\{{(?:\\\*)?\\{}(?![a-z]) ?([^{{}}]{{0,500}})\}}"
_TITLE, _AUTHOR = re.compile(_INFO.format("title")), re.compile(_INFO.format("author"))
_TIME = r"\\{}\\yr(\d{{4}})\\mo(\d{{1,2}})\\dy(\d{{1,2}})(?!\d)"
_SAVED, _MADE = re.compile(_TIME.format("revtim")), re.compile(_TIME.format("creatim"))
_MARKER = re.compile(rf"{_ITEM}(?:([^\t]{{0,12}})\t|(\S{{0,6}})\s|)")
_NUMBERED = re.compile(r".*\d|.*[.)]$")


@dataclass(frozen=True, slots=True)
class RtfFile:
    """What an RTF file says of itself, its blocks, and what of it was not read."""

    stated: Stated
    pieces: list[Piece]
    notices: tuple[str, ...]


def read_rtf(raw: bytes) -> RtfFile:
    """The headings, paragraphs, list items and rows of an RTF file, then its footnotes."""
    # Letters beyond ASCII are controls there. Where one stands as a byte, it is of Windows.
    source = _PICTURE.sub("", raw.decode("cp1252", "replace"))
    styles = _heading_styles(source)
    lines = _text(_marked(_with_notes_last(source), styles)).split("\n")
    if any(_MARKS.search(line) for line in lines):
        pieces = list(_pieces(lines))
    else:
        pieces = read_plain("\n".join(lines))
    return RtfFile(_stated(source, pieces), pieces, tuple(_notices(source)))


def _text(source: str) -> str:
    # striprtf would write the address after each link, and takes its time to look for them.
    source = source.replace(_FIELD, "\\fldinst\n{")
    text: str = rtf_to_text(source, errors="replace")  # type: ignore[no-untyped-call]
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _stated(source: str, pieces: list[Piece]) -> Stated:
    made = _SAVED.search(source) or _MADE.search(source)
    return Stated(
        title=title_within(_field(_TITLE, source), pieces),
        author=author_of(_field(_AUTHOR, source)),
        date=day_of("{}-{:0>2}-{:0>2}".format(*made.groups())) if made else None,
    )


def _field(pattern: re.Pattern[str], source: str) -> str:
    found = pattern.search(source)
    return normalise_line(_text(f"{{\\rtf1 {found[1]}}}")) if found else ""


def _notices(source: str) -> Iterator[str]:
    if _end(source, 0) is None:
        yield "the file is not closed at its end; something may be missing: fetch it again"
    if _TEXT_BOX.search(source):
        yield "text boxes were not read; save the file as .docx"


def _end(source: str, start: int) -> int | None:
    """Where the group that opens at `start` has ended; None when it does not end."""
    depth = 0
    for found in _BRACE.finditer(source, start):
        depth += {"{": 1, "}": -1}.get(found[1] or "", 0)
        if depth == 0 and found[1]:
            return found.end()
    return None


# Marks


def _with_notes_last(source: str) -> str:
    """The file with each footnote as a paragraph at its end, which striprtf leaves out."""
    body, notes, at = [], [], 0
    for found in _NOTE.finditer(source):
        if found.start() < at:
            continue
        end = _end(source, found.start()) or len(source)
        body.append(source[at : found.start()])
        notes.append(f"{{\\par\\pard {source[found.end() : end - 1]}}}")
        at = end
    if not notes:
        return source
    before, closing, after = source[at:].rpartition("}")
    return "".join([*body, before or after, *notes, closing])


def _heading_styles(source: str) -> dict[str, int]:
    """Level of the styles that make headings, by their numbers."""
    sheet = source.find("{\\stylesheet")
    end = (_end(source, sheet) or sheet) - 1
    levels = {}
    at = sheet + 1
    while sheet >= 0 and (at := source.find("{", at, end)) >= 0:
        begun, at = at, _end(source, at) or end
        style = source[begun:at]
        if (number := _STYLE_NUMBER.match(style)) and (level := _level(style)):
            levels[number[1]] = level
    return levels


def _level(style: str) -> int:
    """The rank of the headings that a style makes; 0 when it makes none."""
    if outlined := _OUTLINE_LEVEL.search(style):
        return int(outlined[1]) + 1
    name = _STYLE_NAME.match(_CONTROL.sub("", _INNER_GROUP.sub("", style)).strip("{}; \r\n"))
    return min(int(name[1] or 1), 6) if name else 0


def _marked(source: str, styles: Mapping[str, int]) -> str:
    """The file with a private character where a heading, an item, a cell or a row is."""

    def mark(control: re.Match[str]) -> str:
        word, number = control[1], control[2] or ""
        match word:
            case "s" if number in styles:
                told = _HEADING + styles[number]
            case "outlinelevel" if number in _OUTLINE_LEVELS:
                told = _HEADING + int(number) + 1
            case "ilvl" if number.isdecimal():
                told = _DEPTH + min(int(number), 8)
            case "deleted" if number != "0":
                return "\\*"  # a group that striprtf skips
            case "u" | "uc":
                return f"\\{word}{_sound(word, number)} "
            case _:
                return _MARKED.get(word, control[0])
        return control[0] + chr(told)

    return _CONTROL.sub(mark, source)


def _sound(word: str, number: str) -> int:
    """The number of a letter, or of how many follow for older readers, made one that can be."""
    if word == "u":
        return int(number or 0xFFFD) % 0x10000
    return int(number) if number.isdecimal() else 1


# Blocks


def _pieces(lines: list[str]) -> Iterator[Piece]:
    last_row = max((at for at, line in enumerate(lines) if _ROW in line), default=-1)
    row: list[str] = []
    for at, line in enumerate(lines):
        if at <= last_row and (row or _IN_TABLE in line or _CELL in line or _ROW in line):
            row.append(line)
            if _ROW in line:
                yield from _row(row)
                row = []
        else:
            yield _piece(line)


def _row(lines: list[str]) -> list[Piece]:
    """The row whose cells' paragraphs are `lines`."""
    cells = " ".join(lines).rpartition(_ROW)[0].split(_CELL)
    return table_rows([[_bare(cell).replace(_BREAK, " ") for cell in cells]])


def _piece(line: str) -> Piece:
    text = _bare(line)
    if heading := _HEADINGS.search(line):
        return Piece(BlockKind.HEADING, normalise_line(text), ord(heading[0]) - _HEADING)
    if item := _MARKER.search(line):
        return _item(line, item)
    return Piece(BlockKind.PARAGRAPH, text)


def _item(line: str, found: re.Match[str]) -> Piece:
    marker = _bare(found[1] or found[2] or "").strip()
    text = normalise_line(_bare(line[found.end() :]))
    depth = _DEPTHS.search(line)
    item = Piece(BlockKind.LIST_ITEM, text, ord(depth[0]) - _DEPTH + 1 if depth else 1)
    if _NUMBERED.fullmatch(marker):
        return replace(item, text=f"{marker} {text}")
    return replace(item, marker="- ")


def _bare(text: str) -> str:
    return _MARKS.sub("", text.replace(_BREAK, "\n"))
