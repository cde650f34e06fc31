"""Plain text: structure recovered where no markup says it.

Works line by line, then looks at each line's neighbours. Nothing is thrown away but bullets'
indentation, stray emphasis marks and a few navigation phrases: where the guess is wrong (a heading
taken for a paragraph), the words are still there to be found and quoted.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from index.documents import BlockKind, Piece
from index.sentences import MONTH
from index.text import normalise, normalise_line

BULLET = re.compile(r"^(?P<indent>\s*)(?P<marker>[-*•‣◦▪●○·])\s+(?=\S)")
# A line that happens to begin with a date or with «f. eks.» is no list item.
NUMBER = re.compile(
    r"^(?P<indent>\s*)(?P<marker>(?:\d{1,2}|[a-zæøå])[.)])\s+(?=\S)"
    rf"(?!(?i:{MONTH})|eks\.|fl\.|m\.)"
)
# Each stops at the next mark of its kind, so that the time stays linear on a line full of them.
_EMPHASIS = re.compile(
    r"(?<!\w)__(?=\S)((?:(?!__).)+)(?<=\S)__(?!\w)|(?<![\w*])\*(?=[^\s*])([^*]+)(?<=\S)\*(?!\w)"
)
_LINK = re.compile(r"\[([^\]\[]+)\]\((?:#|https?:|/|mailto:)[^)\[\s]*\)")
_TABLE_ROW = re.compile(r"^\s*\|(.+)\|\s*$")
_RULE = re.compile(r"^\s*(?:[-=_*~]\s*){3,}$")
SENTENCE_END = re.compile(r"[.!?…][»\"”')\]]*$")
_HYPHEN_AT_END = re.compile(r"\w-$")
_CONJUNCTION = re.compile(r"(?:og|eller|samt|til|men)\b")

NAVIGATION = frozenset(
    "les mer|les mer her|les mer om dette|se alle|se alle arrangementer|til toppen|skriv ut|"  # noqa: SIM905
    "del denne siden|del på facebook|hopp til hovedinnhold|hopp til innhold|gå til hovedinnhold|"
    "tilbake|meny|lukk|søk|last ned".split("|")
)
"""Lines that lead about a site and say nothing of their own; dropped only when they stand alone."""

HEADING_WORDS = 12
HEADING_LETTERS = 100
SHORT_LINE = 60
"""A line of fewer letters that ends no sentence is a line of an address or a signature."""
LABEL = 25
"""A line of at most so many letters is no sentence even if it ends in a full stop («Vår ref.»)."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line, its marker taken off; `gap` counts the blank lines before it."""

    text: str
    gap: int
    indent: int = 0
    bullet: str = ""
    number: str = ""
    cells: bool = False

    @property
    def in_list(self) -> bool:
        return bool(self.bullet or self.number)


def read_plain(text: str) -> list[Piece]:
    """The blocks of a text without markup, in reading order."""
    lines = list(_lines(normalise(text)))
    if _is_hard_wrapped(lines):
        lines = list(_unwrapped(lines))
    headings = _headings(lines)
    return list(_pieces(lines, headings))


def _lines(text: str) -> Iterator[Line]:
    gap = 0
    for raw in text.split("\n"):
        line = _line(raw, gap)
        if line is None:
            gap += 1
        elif line.text.casefold().rstrip(" .>»") not in NAVIGATION:
            yield line
            gap = 0


def _line(raw: str, gap: int) -> Line | None:
    raw = _LINK.sub(r"\1", raw.expandtabs(4))
    if _RULE.match(raw):
        return None
    if row := _TABLE_ROW.match(raw):
        cells = [normalise_line(_plain(cell)) for cell in row.group(1).split("|")]
        is_ruler = all(set(cell) <= set("-: ") for cell in cells)
        return None if is_ruler else Line(" | ".join(cells), gap, cells=True)
    bullet = BULLET.match(raw)
    number = None if bullet else NUMBER.match(raw)
    marked = bullet or number
    body = normalise_line(_plain(raw[marked.end() :] if marked else raw))
    if not body:
        return None
    return Line(
        body,
        gap,
        indent=len(marked.group("indent")) if marked else len(raw) - len(raw.lstrip()),
        bullet=bullet.group("marker") if bullet else "",
        number=number.group("marker") if number else "",
    )


def _plain(text: str) -> str:
    """Without emphasis marks: paired ones, and double ones that lost their partner."""
    return _EMPHASIS.sub(lambda found: found.group(1) or found.group(2), text.replace("**", ""))


def _is_hard_wrapped(lines: Sequence[Line]) -> bool:
    """Whether lines were broken at a right margin: most long lines run on into the next."""
    if max((len(line.text) for line in lines), default=0) > 110:
        return False
    joins = [
        (left, right)
        for left, right in pairwise(lines)
        if right.gap == 0 and len(left.text) >= SHORT_LINE and not right.in_list
    ]
    run_on = sum(1 for left, _ in joins if not SENTENCE_END.search(left.text))
    return len(joins) >= 3 and run_on >= 0.6 * len(joins)


def _unwrapped(lines: Sequence[Line]) -> Iterator[Line]:
    """Lines joined to the paragraph they were broken from; «arbeids-\\nliv» is one word again."""
    group: list[Line] = []
    for line in lines:
        starts_anew = line.gap > 0 or line.in_list or line.cells
        if group and (starts_anew or group[0].cells):
            yield _joined(group)
            group = []
        group.append(line)
    if group:
        yield _joined(group)


def _joined(lines: Sequence[Line]) -> Line:
    return replace(lines[0], text=joined_lines([line.text for line in lines]))


def joined_lines(lines: Sequence[str]) -> str:
    """The lines of one paragraph as one line; «arbeids-» and «liv» are one word again."""
    return "".join(_before(left, right) for left, right in pairwise(lines)) + lines[-1]


def _before(left: str, right: str) -> str:
    """`left` as it goes on in `right`: «helse-» keeps its hyphen before «og omsorg» and «Norge»."""
    if not _HYPHEN_AT_END.search(left) or _CONJUNCTION.match(right):
        return f"{left} "
    return left[:-1] if left[-2].islower() and right[0].islower() else left


def _headings(lines: Sequence[Line]) -> dict[int, int]:
    """Index of each heading line -> its level.

    A short line that ends no sentence and stands before a body is a heading. Of several such lines
    in a row only the first and the last can be: the others are its contents (a slide's points).
    """
    candidates = [_may_be_heading(lines, at) for at in range(len(lines))]
    headings: dict[int, int] = {}
    at = 0
    while at < len(lines):
        if not candidates[at]:
            at += 1
            continue
        end = at
        while end < len(lines) and candidates[end] and (end == at or lines[end].gap < 3):
            end += 1
        headings[at] = 1 if at == 0 else 2
        has_body = end < len(lines) and lines[end].gap < 3
        if end - at > 1 and has_body:
            headings[end - 1] = 2 if headings[at] == 1 else 3
        at = end
    return headings


def _may_be_heading(lines: Sequence[Line], at: int) -> bool:
    line = lines[at]
    after = lines[at + 1] if at + 1 < len(lines) else None
    words = line.text.split()
    if line.in_list or line.cells or len(line.text) > HEADING_LETTERS or len(words) > HEADING_WORDS:
        return False
    if not re.match(r"[«\"“]?[A-ZÆØÅ0-9§–]", line.text) or SENTENCE_END.search(line.text):
        return False
    if line.text.endswith((",", ";")) and after is not None and after.gap == 0:
        return False
    if re.fullmatch(r"[\d\s./:()–-]+|(?:https?://|www\.)\S+", line.text):
        return False
    if after is None or (line.text.endswith(":") and (after.in_list or after.cells)):
        return False  # «Vårt hovedbudskap:» before a list is its lead-in.
    in_address = after.gap == 0 and len(after.text) < SHORT_LINE and not after.in_list
    after_address = line.gap == 0 and at > 0 and len(lines[at - 1].text) < SHORT_LINE
    return not (in_address or after_address) or at == 0


def _pieces(lines: Sequence[Line], headings: dict[int, int]) -> Iterator[Piece]:
    depths = _Depths()
    address: list[str] = []
    for at, line in enumerate(lines):
        goes_on = bool(address) and line.gap == 0 and _is_address_line(line) and at not in headings
        if address and not goes_on:
            yield Piece(BlockKind.PARAGRAPH, "\n".join(address))
            address = []
        if at in headings:
            depths.reset()
            yield Piece(BlockKind.HEADING, line.text.rstrip(":; "), headings[at])
        elif line.cells:
            yield Piece(BlockKind.TABLE_ROW, line.text)
        elif line.in_list:
            text = f"{line.number} {line.text}" if line.number else line.text
            marker = f"{line.bullet} " if line.bullet else ""
            yield Piece(BlockKind.LIST_ITEM, text, depths.of(line), marker=marker)
        elif line.indent and depths.open and line.gap:
            yield Piece(BlockKind.LIST_ITEM, line.text, depths.current)
        else:
            depths.reset()
            if _is_address_line(line):
                address.append(line.text)
            else:
                yield Piece(BlockKind.PARAGRAPH, line.text)
    if address:
        yield Piece(BlockKind.PARAGRAPH, "\n".join(address))


def _is_address_line(line: Line) -> bool:
    return (
        len(line.text) < SHORT_LINE
        and not line.in_list
        and not line.cells
        and (len(line.text) <= LABEL or not SENTENCE_END.search(line.text))
    )


class _Depths:
    """Depth of list items from indentation, and of bullets that follow a numbered item."""

    def __init__(self) -> None:
        self.stack: list[tuple[int, bool]] = []

    @property
    def open(self) -> bool:
        return bool(self.stack)

    @property
    def current(self) -> int:
        return len(self.stack)

    def reset(self) -> None:
        self.stack.clear()

    def of(self, line: Line) -> int:
        numbered = bool(line.number)
        while self.stack and self._closes(line.indent, numbered):
            self.stack.pop()
        if not self.stack or self._opens(line.indent, numbered):
            self.stack.append((line.indent, numbered))
        return len(self.stack)

    def _closes(self, indent: int, numbered: bool) -> bool:
        top_indent, top_numbered = self.stack[-1]
        return indent < top_indent or (indent == top_indent and numbered and not top_numbered)

    def _opens(self, indent: int, numbered: bool) -> bool:
        top_indent, top_numbered = self.stack[-1]
        return indent > top_indent or (indent == top_indent and top_numbered and not numbered)
