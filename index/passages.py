"""Documents cut into passages: what is embedded, searched and shown.

A passage is a span of the document's text. It never cuts a sentence, a list item or a table row
unless that alone is longer than the model can take. Passages do not cross headings; a part of a
list remembers the line that leads into the list, a part of a table its header row.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from semantic_text_splitter import TextSplitter

from index.documents import Block, BlockKind, Document, heading_paths
from index.sentences import split_sentences

Span = tuple[int, int]
CountTokens = Callable[[str], int]

PASSAGES_VERSION = 1
"""Part of every generation's manifest: raise it when the same document would be cut otherwise."""


@dataclass(frozen=True, slots=True)
class PassageSettings:
    """`max_tokens` counts the passage's own words, with the embedding model's tokenizer."""

    max_tokens: int = 220


@dataclass(frozen=True, slots=True)
class Passage:
    """`document.text[start:end]`, with what a reader must know to understand it by itself."""

    start: int
    end: int
    heading_path: tuple[str, ...]
    page: int | None = None
    lead_in: Span | None = None
    """Span of the sentence before the list, or of the table's header row, when it is not inside."""


@dataclass(frozen=True, slots=True)
class Atom:
    """A span that is not to be cut, the block that it is part of, and its length in tokens.

    `marker_tokens` are those of the bullet before it, which counts wherever the atom is not first.
    """

    start: int
    end: int
    block: int
    tokens: int
    marker_tokens: int = 0


def split(document: Document, count: CountTokens, settings: PassageSettings) -> list[Passage]:
    """The passages of `document`, in reading order; together they hold every block."""
    paths = heading_paths(document.blocks, document.text)
    passages: list[Passage] = []
    for section in _sections(document.blocks):
        atoms = [
            atom for at in section for atom in _atoms(document, at, count, settings.max_tokens)
        ]
        for group in _packed(atoms, settings.max_tokens):
            introduction = _introduction(document, group[0].block, count, settings.max_tokens)
            passages.append(_passage(document, group, paths, introduction))
    return passages


def contextual_text(title: str, heading_path: Sequence[str], lead_in: str, body: str) -> str:
    """What is embedded and indexed: title, headings and lead-in, then the passage itself.

    A heading that the passage itself begins with is not said twice.
    """
    first_line = body.partition("\n")[0]
    context = dict.fromkeys(part for part in (title, *heading_path) if part)
    headings = " – ".join(part for part in context if part != first_line)
    return "\n".join(filter(None, (headings, lead_in, body)))


def _sections(blocks: Sequence[Block]) -> Iterator[list[int]]:
    """Runs of block indices that each start at a heading; headings in a row stay together."""
    section: list[int] = []
    has_body = False
    for at, block in enumerate(blocks):
        is_heading = block.kind is BlockKind.HEADING
        if is_heading and has_body:
            yield section
            section, has_body = [], False
        section.append(at)
        has_body = has_body or not is_heading
    if section:
        yield section


def _atoms(document: Document, at: int, count: CountTokens, limit: int) -> Iterator[Atom]:
    before = document.blocks[at - 1].end if at else 0
    marker = document.text[before : document.blocks[at].start].strip()
    marker_tokens = count(marker) if marker else 0
    for start, end, tokens in _uncut(document, document.blocks[at], count, limit):
        yield Atom(start, end, at, tokens, marker_tokens)
        marker_tokens = 0


def _uncut(
    document: Document, block: Block, count: CountTokens, limit: int
) -> Iterator[tuple[int, int, int]]:
    """Start, end and tokens of what is to stay whole: the block itself, or else its sentences."""
    text = document.text[block.start : block.end]
    whole = block.kind is not BlockKind.PARAGRAPH and count(text)
    if whole and whole <= limit:
        yield block.start, block.end, whole
        return
    for start, end in split_sentences(text):
        sentence = text[start:end]
        tokens = count(sentence)
        if tokens <= limit:
            yield block.start + start, block.start + end, tokens
            continue
        for offset, part in _oversized(sentence, count, limit):
            begin = block.start + start + offset
            yield begin, begin + len(part), count(part)


def _oversized(sentence: str, count: CountTokens, limit: int) -> Iterator[tuple[int, str]]:
    """A sentence beyond the limit (a table pasted as text, a list without breaks), cut at words."""
    splitter = TextSplitter.from_callback(count, limit)
    return iter(splitter.chunk_indices(sentence))


def _packed(atoms: Sequence[Atom], limit: int) -> Iterator[list[Atom]]:
    """Atoms gathered up to `limit` tokens.

    A block that fits whole goes into the next passage rather than being cut, unless that would
    leave the current one less than half full.
    """
    group: list[Atom] = []
    size = 0
    for _, run in groupby(atoms, key=lambda atom: atom.block):
        block = list(run)
        block_size = sum(atom.tokens + atom.marker_tokens for atom in block)
        if group and size + block_size > limit and (block_size <= limit and size >= limit / 2):
            yield group
            group, size = [], 0
        for atom in block:
            if group and size + atom.marker_tokens + atom.tokens > limit:
                yield group
                group, size = [], 0
            size += atom.tokens + (atom.marker_tokens if group else 0)
            group.append(atom)
    if group:
        yield group


def _passage(
    document: Document,
    group: Sequence[Atom],
    paths: Sequence[tuple[str, ...]],
    introduction: Span | None,
) -> Passage:
    first = group[0].block
    body = next(
        (a.block for a in group if document.blocks[a.block].kind is not BlockKind.HEADING), first
    )
    return Passage(
        start=group[0].start,
        end=group[-1].end,
        heading_path=paths[body],
        page=document.blocks[first].page,
        lead_in=introduction,
    )


def _introduction(document: Document, at: int, count: CountTokens, limit: int) -> Span | None:
    """The lead-in of block `at`, of a paragraph its last sentence; None where that is too long.

    It is embedded together with a passage that may be full, so it must not be longer than one.
    """
    span = lead_in(document.blocks, at)
    if span is None:
        return None
    start, end = span
    if document.blocks[at].kind is BlockKind.LIST_ITEM:
        start += split_sentences(document.text[start:end])[-1][0]
    return (start, end) if count(document.text[start:end]) <= limit else None


def lead_in(blocks: Sequence[Block], at: int) -> Span | None:
    """Span of what introduces the run of list items or table rows that block `at` goes on with.

    For a list that is the paragraph before it, for a table its first row; None when block `at` is
    neither, or is itself the table's first row.
    """
    kind = blocks[at].kind
    if kind not in (BlockKind.LIST_ITEM, BlockKind.TABLE_ROW):
        return None
    first = at
    while first > 0 and blocks[first - 1].kind is kind:
        first -= 1
    if kind is BlockKind.TABLE_ROW:
        return (blocks[first].start, blocks[first].end) if first < at else None
    before = blocks[first - 1] if first > 0 else None
    if before is None or before.kind is not BlockKind.PARAGRAPH:
        return None
    return before.start, before.end
