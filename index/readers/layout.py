"""From lines at places on pages to blocks: what a PDF's readers saw, made a document again."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby, pairwise
from statistics import median

from index.documents import BlockKind, Piece
from index.readers.plain import BULLET, NUMBER, SENTENCE_END, SHORT_LINE, joined_lines
from index.sentences import split_sentences
from index.text import normalise_line

MAX_LEVEL = 6
_HEADING_SIZE = 1.12
"""Type this much larger than that of most letters makes a heading."""
_HEADING_LETTERS = 150
_PARAGRAPH_GAP = 1.35
"""Distance to the line before, in usual distances of lines, that begins a paragraph."""
_INDENT = 40.0
"""Points by which lines of one column may begin apart from each other."""
_LETTER_WIDTH = 0.6
"""Of a letter, in sizes of its type: rather too wide, so that a line is broken only for sure."""
_EDGE_LINES = 3
"""Lines at the top and at the bottom of a page that may be running headers and footers."""
_RUNNING_SHARE, _RUNNING_PAGES = 0.4, 3
"""On how many of the pages a running header stands."""
_SAME_HEIGHT = 4.0
"""Points within which two lines of different pages stand at the same place."""

_Running = tuple[int, str]
"""Height and words of a line that many pages have."""
_NUMERALS = re.compile(r"(?<!\d)\d{1,4}(?!\d)")


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a page. Places are points from the lower left corner of the page."""

    cells: tuple[str, ...]
    left: float
    right: float
    base: float
    size: float
    bold: bool
    page: int

    @property
    def text(self) -> str:
        return normalise_line(" ".join(self.cells))


def blocks_of(pages: Sequence[Sequence[Line]], outline: Mapping[str, int]) -> Iterator[Piece]:
    """The blocks of all pages in reading order, without running headers and footers.

    `outline` has the level of each bookmark, by its words in lower case.
    """
    lines = _without_running(pages)
    pitch = _pitch(lines)
    levels = _levels(lines, _body_size(lines), pitch, outline)
    margins = _margins(lines)
    blocks = list(_blocks(lines, levels, margins, pitch))
    yield from _over_pages(blocks, [_piece(block, levels, margins) for block in blocks])


# Running headers and footers


def _edges(page: Sequence[Line]) -> list[Line]:
    """The uppermost and lowest lines of a page, but for headings and rows of tables."""
    body = _body_size(page)
    rows = {line for pair in pairwise(page) if all(len(x.cells) > 1 for x in pair) for line in pair}
    page = [line for line in page if line not in rows and line.size < _HEADING_SIZE * body]
    by_height = sorted(page, key=lambda line: -line.base)
    return by_height[:_EDGE_LINES] + by_height[_EDGE_LINES:][-_EDGE_LINES:]


def _without_running(pages: Sequence[Sequence[Line]]) -> list[Line]:
    """The lines of all pages but those that stand at the same place at the edge of many pages."""
    edges = [{line: set(_sights(line)) for line in _edges(page)} for page in pages]
    counts = Counter(sight for page in edges for sight in set().union(*page.values()))
    least = max(_RUNNING_PAGES, _RUNNING_SHARE * sum(map(bool, pages)))
    running = {sight for sight, count in counts.items() if count >= least}
    return [
        line
        for page, edge in zip(pages, edges, strict=True)
        for line in page
        if running.isdisjoint(edge.get(line, ()))
    ]


def _sights(line: Line) -> Iterator[_Running]:
    """The line as it stands, and with each of its numbers counted from that of the page.

    So «Side 3 av 9» is the same on every page, but a row of a table is not.
    """
    height = round(line.base / _SAME_HEIGHT)
    yield height, line.text
    for number in _NUMERALS.finditer(line.text):
        ahead = f"#{int(number.group()) - line.page}"
        yield height, line.text[: number.start()] + ahead + line.text[number.end() :]


# Blocks


def _body_size(lines: Sequence[Line]) -> float:
    letters: Counter[float] = Counter()
    for line in lines:
        letters[line.size] += len(line.text)
    return letters.most_common(1)[0][0] if letters else 0.0


def _pitch(lines: Sequence[Line]) -> float:
    """The usual distance of two lines of a paragraph, as a share of the type's size."""
    distances = [
        (upper.base - lower.base) / upper.size
        for upper, lower in pairwise(lines)
        if upper.size and upper.size == lower.size and 0 < upper.base - lower.base < 3 * upper.size
    ]
    return median(distances) if distances else 1.2


def _levels(
    lines: Sequence[Line], body: float, pitch: float, outline: Mapping[str, int]
) -> dict[Line, int]:
    """Levels of the lines that are headings: as the bookmarks say, else by size, else by weight."""
    large = {line.size for line in lines if line.size >= _HEADING_SIZE * body}
    by_size = {size: level for level, size in enumerate(sorted(large, reverse=True), 1)}
    lowest = min(len(by_size) + 1, MAX_LEVEL)
    levels: dict[Line, int] = {}
    for at, line in enumerate(lines):
        if len(line.text) > _HEADING_LETTERS or not _has_word(line.text):
            continue
        if level := outline.get(line.text.casefold()):
            levels[line] = level
        elif len(line.cells) > 1:
            continue
        elif line.size in by_size:
            levels[line] = min(by_size[line.size], MAX_LEVEL)
        elif line.bold and _stands_alone(lines, at) and not _goes_on(lines, at, levels, pitch):
            levels[line] = lowest
    return levels


def _has_word(text: str) -> bool:
    return any(letter.isalpha() for letter in text)


def _goes_on(lines: Sequence[Line], at: int, levels: Mapping[Line, int], pitch: float) -> bool:
    """Whether a line is the next of a paragraph whose sentence is not at its end."""
    above = lines[at - 1] if at else None
    return (
        above is not None
        and above not in levels
        and not SENTENCE_END.search(above.text)
        and _is_near(above, lines[at], pitch)
    )


def _stands_alone(lines: Sequence[Line], at: int) -> bool:
    """Whether a bold line ends no sentence and what is not bold follows."""
    line = lines[at]
    below = lines[at + 1] if at + 1 < len(lines) else None
    return (
        below is not None
        and not below.bold
        and len(line.text) < 80
        and not SENTENCE_END.search(line.text)
        and not BULLET.match(line.text)
    )


def _margins(lines: Sequence[Line]) -> dict[Line, float]:
    """Where the column of each line ends at the right."""
    margins: dict[Line, float] = {}
    for _, group in groupby(lines, key=lambda line: line.page):
        page = list(group)
        for line in page:
            column = [
                other.right
                for other in page
                if abs(other.left - line.left) < _INDENT and len(other.cells) == 1
            ]
            margins[line] = max(column, default=line.right)
    return margins


def _blocks(
    lines: Sequence[Line],
    levels: Mapping[Line, int],
    margins: Mapping[Line, float],
    pitch: float,
) -> Iterator[list[Line]]:
    """Lines that belong together."""
    block: list[Line] = []
    for line in lines:
        if block and not _continues(block, line, levels, margins, pitch):
            yield block
            block = []
        block.append(line)
    if block:
        yield block


def _continues(
    block: Sequence[Line],
    line: Line,
    levels: Mapping[Line, int],
    margins: Mapping[Line, float],
    pitch: float,
) -> bool:
    above = block[-1]
    if len(above.cells) > 1 or len(line.cells) > 1 or _begins_item(line):
        return False
    if levels.get(above) != levels.get(line):
        return False
    if not _is_near(above, line, pitch) or abs(above.size - line.size) >= 0.6:
        return False
    return (
        not _was_broken(above, line, margins[above])
        or _begins_item(block[0])
        or (
            max(len(above.text), len(line.text)) < SHORT_LINE
            and not SENTENCE_END.search(above.text)
        )
    )


def _is_near(above: Line, line: Line, pitch: float) -> bool:
    """Whether a line stands below another as the lines of a paragraph do."""
    return (
        above.page == line.page
        and 0 < above.base - line.base <= _PARAGRAPH_GAP * pitch * above.size
    )


def _was_broken(above: Line, line: Line, margin: float) -> bool:
    """Whether its author ended the line above: the next one's first word had fitted on it.

    `margin` is where the lines of the column end.
    """
    first_word = line.text.partition(" ")[0]
    room = (len(first_word) + 1) * _LETTER_WIDTH * line.size
    return not first_word[:1].islower() and above.right + room < margin


def _text(block: Sequence[Line], margins: Mapping[Line, float]) -> str:
    """The block on one line, but for where its author broke a line."""
    parts: list[list[str]] = [[block[0].text]]
    for above, line in pairwise(block):
        if _was_broken(above, line, margins[above]):
            parts.append([])
        parts[-1].append(line.text)
    return "\n".join(map(joined_lines, parts))


def _begins_item(line: Line) -> bool:
    return bool(BULLET.match(line.text) or NUMBER.match(line.text))


def _piece(
    block: Sequence[Line], levels: Mapping[Line, int], margins: Mapping[Line, float]
) -> Piece:
    first = block[0]
    text = _text(block, margins)
    if first in levels:
        return Piece(BlockKind.HEADING, normalise_line(text), levels[first], first.page)
    if len(first.cells) > 1:
        return Piece(BlockKind.TABLE_ROW, " | ".join(first.cells), page=first.page)
    if bullet := BULLET.match(text):
        marker = f"{bullet.group('marker')} "
        return Piece(BlockKind.LIST_ITEM, text[bullet.end() :], 1, first.page, marker)
    if NUMBER.match(text):
        return Piece(BlockKind.LIST_ITEM, text, 1, first.page)
    return Piece(BlockKind.PARAGRAPH, text, page=first.page)


def _over_pages(blocks: Sequence[Sequence[Line]], pieces: Sequence[Piece]) -> Iterator[Piece]:
    """Makes whole the sentences that the end of a page or column broke.

    What follows such a sentence stays a piece of its own, on its own page.
    """
    whole = pieces[0] if pieces else None
    for (above, below), piece in zip(pairwise(blocks), pieces[1:], strict=True):
        assert whole is not None
        if _is_broken(above[-1], below[0]) and _is_rest(whole, piece):
            end = split_sentences(piece.text)[0][1]
            whole = replace(whole, text=joined_lines([whole.text, piece.text[:end]]))
            after = piece.text[end:].strip()
            if not after:
                continue
            piece = replace(piece, text=after)  # noqa: PLW2901
        yield whole
        whole = piece
    if whole is not None:
        yield whole


def _is_broken(above: Line, below: Line) -> bool:
    """Whether a page or a column ends between two lines."""
    return below.page != above.page or below.base > above.base


def _is_rest(half: Piece, rest: Piece) -> bool:
    return (
        half.kind in {BlockKind.PARAGRAPH, BlockKind.LIST_ITEM}
        and rest.kind is BlockKind.PARAGRAPH
        and not SENTENCE_END.search(half.text)
        and not half.text.endswith(":")
        and rest.text[:1].islower()
    )
