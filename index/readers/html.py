"""HTML, parsed by selectolax (Lexbor, the HTML5 algorithm)."""

from collections.abc import Iterator
from dataclasses import dataclass

from selectolax.lexbor import LexborHTMLParser, LexborNode

from index.documents import BlockKind, Piece
from index.text import normalise, normalise_line

_CHROME = (
    "script, style, template, noscript, svg, iframe, nav, aside, dialog, form, button, select, "
    "[role=navigation], [role=banner], [role=contentinfo], [role=search], [role=dialog], "
    "[aria-hidden=true], [hidden]"
)
_PAGE_FRAME = "header, footer"
_BLOCKS = frozenset(
    "address article blockquote body caption center dd details div dl dt fieldset figcaption figure "
    "footer header hgroup hr html legend main p pre section summary table tbody tfoot thead".split()
)
_BREAK = "\ue000"  # a private character, so that <br> survives the folding of white space
_HEADINGS = {f"h{level}": level for level in range(1, 7)}


@dataclass(frozen=True, slots=True)
class Page:
    """What an HTML page says of itself, and its blocks in reading order."""

    title: str
    language: str | None
    source_url: str | None
    pieces: list[Piece]


def read_html(text: str) -> Page:
    """The page without scripts, navigation, site header and footer."""
    tree = LexborHTMLParser(normalise(text))
    root = tree.css_first("html")
    language = (root.attributes.get("lang") or "").lower()[:2] if root else ""
    title = normalise_line(tree.css_first("title").text()) if tree.css_first("title") else ""
    source_url = _attribute(tree, "link[rel=canonical]", "href") or _attribute(
        tree, "meta[property='og:url']", "content"
    )
    body = tree.body
    pieces = list(_content(tree, body)) if body else []
    return Page(title, {"no": "nb"}.get(language, language) or None, source_url, pieces)


def _attribute(tree: LexborHTMLParser, selector: str, name: str) -> str | None:
    node = tree.css_first(selector)
    value = (node.attributes.get(name) or "").strip() if node else ""
    return value if value.startswith(("http://", "https://")) else None


def _content(tree: LexborHTMLParser, body: LexborNode) -> Iterator[Piece]:
    for node in tree.css(_CHROME):
        node.decompose()
    for node in tree.css(_PAGE_FRAME):
        # An article's own header holds its title; only the site's frame is chrome.
        if not _inside_content(node):
            node.decompose()
    main = tree.css_first("main, [role=main]")
    yield from _Walker().walk(main if main is not None and main.text(strip=True) else body)


def _inside_content(node: LexborNode) -> bool:
    parent = node.parent
    while parent is not None:
        if parent.tag in {"main", "article"}:
            return True
        parent = parent.parent
    return False


class _Walker:
    """Depth first; inline text is gathered until a block begins or ends."""

    def __init__(self) -> None:
        self.inline: list[str] = []
        self.lists: list[int | None] = []
        self.marker: int | str | None = None

    def walk(self, root: LexborNode) -> Iterator[Piece]:
        yield from self._children(root)
        yield from self._flush()

    def _children(self, node: LexborNode) -> Iterator[Piece]:
        child = node.child
        while child is not None:
            yield from self._node(child)
            child = child.next

    def _node(self, node: LexborNode) -> Iterator[Piece]:
        tag = node.tag or ""
        if tag == "-text":
            self.inline.append(node.text_content or "")
        elif tag == "br":
            self.inline.append(_BREAK)
        elif tag == "img":
            self.inline.append(node.attributes.get("alt") or "")
        elif tag in _HEADINGS:
            yield from self._flush()
            yield Piece(BlockKind.HEADING, _folded(node), _HEADINGS[tag])
        elif tag == "tr":
            yield from self._flush()
            yield Piece(BlockKind.TABLE_ROW, " | ".join(_cells(node)))
        elif tag in {"ul", "ol", "menu"}:
            yield from self._list(node, tag)
        elif tag == "li":
            yield from self._item(node)
        elif tag in _BLOCKS:
            yield from self._flush()
            yield from self._children(node)
            yield from self._flush()
        elif not tag.startswith(("-", "!")):
            yield from self._children(node)

    def _list(self, node: LexborNode, tag: str) -> Iterator[Piece]:
        yield from self._flush()
        start = node.attributes.get("start") or "1"
        first = int(start) if start.isdigit() else 1
        self.lists.append(first if tag == "ol" else None)
        yield from self._children(node)
        yield from self._flush()
        self.lists.pop()

    def _item(self, node: LexborNode) -> Iterator[Piece]:
        yield from self._flush()
        if not self.lists:
            self.lists.append(None)  # an <li> outside any list, as browsers forgive it
        number = self.lists[-1]
        self.marker = "- " if number is None else number
        if number is not None:
            self.lists[-1] = number + 1
        yield from self._children(node)
        yield from self._flush()
        self.marker = None

    def _flush(self) -> Iterator[Piece]:
        text = _with_line_breaks("".join(self.inline))
        self.inline.clear()
        if not text:
            return
        if not self.lists:
            yield Piece(BlockKind.PARAGRAPH, text)
            return
        text = " ".join(text.split())
        if isinstance(self.marker, int):
            yield Piece(BlockKind.LIST_ITEM, f"{self.marker}. {text}", len(self.lists))
        else:
            yield Piece(BlockKind.LIST_ITEM, text, len(self.lists), marker=self.marker or "")
        self.marker = None


def _with_line_breaks(text: str) -> str:
    """White space folded as a browser folds it; only <br> (passed as _BREAK) breaks."""
    return "\n".join(filter(None, (normalise_line(line) for line in text.split(_BREAK))))


def _folded(node: LexborNode) -> str:
    """One line; a space stands for a block or break inside, never for mere emphasis in a word."""
    separator = " " if node.css_first("br, p, div, li") else ""
    return " ".join(node.text(separator=separator).split())


def _cells(row: LexborNode) -> list[str]:
    return [_folded(cell) for cell in row.css("td, th")]
