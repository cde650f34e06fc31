"""HTML, parsed by selectolax (Lexbor, the HTML5 algorithm)."""

import re
from collections.abc import Callable, Iterable, Iterator, Set
from dataclasses import dataclass

from selectolax.lexbor import LexborHTMLParser, LexborNode

from index.documents import BlockKind, Piece
from index.readers.stated import Stated, author_of, day_of, web_address
from index.text import normalise, normalise_line

_CHROME = (
    "script, style, template, noscript, svg, iframe, nav, aside, dialog, button, select, "
    # Some publishing systems wrap the whole page in one form.
    "form:not(:has(h1, h2, main, article)), "
    "[role=navigation], [role=banner], [role=contentinfo], [role=search], [role=dialog], "
    "[aria-hidden=true], [hidden]"
)
_PAGE_FRAME = "header, footer"
# An article's own header holds its title; only the site's frame is chrome.
_CONTENT_FRAME = "main header, main footer, article header, article footer"
# A row that holds any of these lays out a page; it does not tabulate.
_LAYOUT_ROW = "tr:has(table, h1, h2, h3, h4, h5, h6)"
_BLOCKS = frozenset(
    "address article blockquote body caption center dd details div dl dt fieldset figcaption "  # noqa: SIM905
    "figure footer form header hgroup hr html legend main p pre section summary table tbody td "
    "tfoot th thead".split()
)
_LISTS = frozenset({"ul", "ol", "menu"})
_HEADINGS = {f"h{level}": level for level in range(1, 7)}
_AUTHORS = ("author", "dcterms.creator", "dc.creator", "article:author")
_DATES = (
    "article:published_time",
    "dcterms.issued",
    "dc.date.issued",
    "dcterms.date",
    "dc.date",
    "dcterms.created",
    "date",
)
_PUBLISHED = re.compile(r'"datePublished"\s*:\s*"([^"]{8,40})"')
_BREAK = "\ue000"  # a private character, so that <br> survives the folding of white space
_COUNTER = re.compile(r"[0-9]{1,9}")


@dataclass(frozen=True, slots=True)
class Page:
    """What an HTML page says of itself, and its blocks in reading order."""

    stated: Stated
    pieces: list[Piece]


def read_html(text: str) -> Page:
    """The page without scripts, navigation, site header and footer."""
    tree = LexborHTMLParser(normalise(text))
    return Page(_stated(tree), _content(tree))


def _stated(tree: LexborHTMLParser) -> Stated:
    root = tree.css_first("html")
    language = (root.attributes.get("lang") or "").lower()[:2] if root else ""
    title = tree.css_first("head > title")
    canonical = tree.css_first("link[rel=canonical]")
    meta = _meta(tree)
    return Stated(
        title=normalise_line(title.text()) if title else "",
        author=_first(author_of, (meta.get(name) for name in _AUTHORS)),
        date=_first(day_of, (meta.get(name) for name in _DATES)) or _linked_data_day(tree),
        # «no» says Norwegian, not which: the text itself tells Bokmål from Nynorsk.
        language=language if language and language != "no" else None,
        source_url=web_address(canonical.attributes.get("href") if canonical else None)
        or web_address(meta.get("og:url")),
    )


def _meta(tree: LexborHTMLParser) -> dict[str, str]:
    """The page's own fields by their names in lower case; the first of a name counts."""
    fields: dict[str, str] = {}
    for node in tree.css("meta[content]"):
        name = node.attributes.get("name") or node.attributes.get("property") or ""
        fields.setdefault(name.strip().lower(), node.attributes.get("content") or "")
    return fields


def _first(believed: Callable[[str | None], str | None], texts: Iterable[str | None]) -> str | None:
    return next(filter(None, map(believed, texts)), None)


def _linked_data_day(tree: LexborHTMLParser) -> str | None:
    """The day of publishing in the data that pages carry for search engines."""
    scripts = tree.css("script[type='application/ld+json']")
    found = (_PUBLISHED.search(script.text()) for script in scripts)
    return _first(day_of, (match[1] for match in found if match))


def _content(tree: LexborHTMLParser) -> list[Piece]:
    chrome = _ids(tree, _CHROME) | (_ids(tree, _PAGE_FRAME) - _ids(tree, _CONTENT_FRAME))
    layout = _ids(tree, _LAYOUT_ROW)
    main = tree.css_first("main, [role=main]")
    pieces = list(_Walker(chrome, layout).walk(main)) if main else []
    if not pieces and tree.body:
        pieces = list(_Walker(chrome, layout).walk(tree.body))
    return pieces


def _ids(tree: LexborHTMLParser, selector: str) -> set[int]:
    return {node.mem_id for node in tree.css(selector)}


def _visits(
    root: LexborNode,
    skipped: Set[int],
    is_whole: Callable[[LexborNode], bool] = lambda node: False,
) -> Iterator[tuple[LexborNode, bool]]:
    """The nodes below `root`, each when it opens (True) and again when it closes (False).

    `skipped` are left out with all they hold; what `is_whole` is opened only, not entered. There
    is no recursion, because a page may nest deeper than Python's stack.
    """
    pending = [(child, True) for child in reversed(_children(root))]
    while pending:
        node, opens = pending.pop()
        if node.mem_id in skipped:
            continue
        yield node, opens
        if opens and not is_whole(node):
            pending.append((node, False))
            pending.extend((child, True) for child in reversed(_children(node)))


def _children(node: LexborNode) -> list[LexborNode]:
    return list(node.iter(include_text=True))


def _tag(node: LexborNode) -> str:
    return node.tag or ""


class _Walker:
    """Turns a page into pieces; inline text is gathered until a block opens or closes."""

    def __init__(self, chrome: Set[int], layout: Set[int]) -> None:
        self.chrome = chrome
        self.layout = layout
        self.inline: list[str] = []
        self.lists: list[int | None] = []  # the next number, or None for bullets
        self.items = 0
        self.marker: int | str = ""

    def walk(self, root: LexborNode) -> Iterator[Piece]:
        for node, opens in _visits(root, self.chrome, self._is_whole):
            yield from self._opened(node) if opens else self._closed(_tag(node))
        yield from self._flush()

    def _is_whole(self, node: LexborNode) -> bool:
        tag = _tag(node)
        return tag in _HEADINGS or (tag == "tr" and node.mem_id not in self.layout)

    def _opened(self, node: LexborNode) -> Iterator[Piece]:
        tag = _tag(node)
        if tag in _HEADINGS:
            yield from self._flush()
            yield Piece(BlockKind.HEADING, self._folded(node), _HEADINGS[tag])
        elif self._is_whole(node):
            yield from self._flush()
            yield from self._row(node)
        elif tag in _LISTS:
            yield from self._flush()
            self.lists.append(_counter(node, "start", 1) if tag == "ol" else None)
        elif tag == "li":
            yield from self._flush()
            self.items += 1
            self.marker = self._next_marker(node)
        elif tag in _BLOCKS:
            yield from self._flush()
        else:
            self.inline.append(_inline_text(node))

    def _closed(self, tag: str) -> Iterator[Piece]:
        if tag in _LISTS:
            yield from self._flush()
            self.lists.pop()
        elif tag == "li":
            yield from self._flush()
            self.items -= 1
            self.marker = ""
        elif tag in _BLOCKS:
            yield from self._flush()

    def _next_marker(self, item: LexborNode) -> int | str:
        number = self.lists[-1] if self.lists else None
        if number is None:
            return "- "
        number = _counter(item, "value", number)
        self.lists[-1] = number + 1
        return number

    def _row(self, row: LexborNode) -> Iterator[Piece]:
        cells = [self._folded(cell) for cell in _children(row) if _tag(cell) in {"td", "th"}]
        if any(cells):
            yield Piece(BlockKind.TABLE_ROW, " | ".join(cells))

    def _folded(self, root: LexborNode) -> str:
        """One line; a space stands for a block or break inside, never for emphasis in a word."""
        parts = []
        for node, opens in _visits(root, self.chrome):
            tag = _tag(node)
            if tag in _BLOCKS or tag in _LISTS or tag in {"br", "li", "tr"}:
                parts.append(" ")
            elif opens:
                parts.append(_inline_text(node))
        return normalise_line("".join(parts))

    def _flush(self) -> Iterator[Piece]:
        text = _with_line_breaks("".join(self.inline))
        self.inline.clear()
        if not text:
            return
        depth = len(self.lists) or min(self.items, 1)  # browsers forgive an <li> outside any list
        if not depth:
            yield Piece(BlockKind.PARAGRAPH, text)
        elif isinstance(self.marker, int):
            yield Piece(BlockKind.LIST_ITEM, f"{self.marker}. {normalise_line(text)}", depth)
        else:
            yield Piece(BlockKind.LIST_ITEM, normalise_line(text), depth, marker=self.marker)
        self.marker = ""


def _counter(node: LexborNode, attribute: str, default: int) -> int:
    value = node.attributes.get(attribute) or ""
    return int(value) if _COUNTER.fullmatch(value) else default


def _inline_text(node: LexborNode) -> str:
    match node.tag:
        case "-text":
            return node.text_content or ""
        case "br":
            return _BREAK
        case "img":
            return node.attributes.get("alt") or ""
        case _:
            return ""


def _with_line_breaks(text: str) -> str:
    """White space folded as a browser folds it; only <br> (passed as _BREAK) breaks."""
    return "\n".join(filter(None, (normalise_line(line) for line in text.split(_BREAK))))
