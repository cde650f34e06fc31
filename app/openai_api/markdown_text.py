"""Text as Markdown that shows it word for word.

Whoever renders an answer must not take the words of a document for an image, which the reader's
browser would fetch, nor for a link or HTML. Lists and paragraphs stay what they look like.
"""

import html
import re

_WHOLE_WORD = re.compile(r"(\s*)(\S+)(?=(\s+)\S)")
"""A word that will not go on, between the white space on its two sides."""
_LAST_WORD = re.compile(r"(\s*)(\S+)(?=(\s*))")
_NEW_LINE = re.compile(r"\r\n|\n|\r")

_TOP_LEVEL = r"com|org|net|edu|gov|info|biz|name|museum|aero|coop|pro|web|app|dev|xxx|рф|xn--[\w-]+"
_LETTER = r"[^\s`<>()\[\]\\]"
_ADDRESS = re.compile(
    rf"(?:\w[\w+.-]{{0,20}}://{_LETTER}*|//{_LETTER}+"
    rf"|(?:mailto|xmpp):{_LETTER}*"
    rf"|www\.{_LETTER}+"
    rf"|{_LETTER}{{1,64}}@[\w.-]+"
    rf"|(?:[\w-]{{1,63}}\.){{1,8}}(?:{_TOP_LEVEL})\b(?:[/:?#]{_LETTER}*)?"
    rf"|(?:[\w-]{{2,63}}\.){{1,8}}[a-z]{{2}}\b(?:[/:?#]{_LETTER}*)?)+",  # not «m.fl.»
    re.IGNORECASE,
)
"""What renderers make a link of by themselves, some even where it is escaped; never in code."""
_AFTER_ADDRESS = re.compile(r"[.,;:!?)\]}>»”\"'*_]*$")

_SPECIAL = re.compile(
    r"[\\`*~$]"
    r"|(?<![^\W_])_|_(?![^\W_])"  # between letters it marks nothing
    r"|!(?=\[)|(?<=\])[(:]"  # «![» begins an image, «](» a link, «]:» tells where one leads
    r"|<|&(?=#?\w+;)"
)
_ENTITIES = {"<": "&lt;", "&": "&amp;"}  # which not every renderer knows with a backslash

_SYMBOLS = re.compile(r"[-=:|]+")
"""A line of nothing else makes a table, a heading or a rule of what is around it."""
_OPENING = re.compile(r"[>#]")
"""What makes a quotation or a heading of the line that begins with it."""
_ITEM = re.compile(r"[-+]|\d{1,9}[.)]")
"""What makes a list item of the line; such a line begins anew after it."""

_MARKED = re.compile(r"\\([!-/:-@\[-`{-~])|`([^`]*)`|&(lt|amp);")


class MarkdownText:
    """Makes Markdown of a text that comes in pieces. White space may come out as other.

    `within_line` is for a text that is put into a line of Markdown.
    """

    def __init__(self, *, within_line: bool = False) -> None:
        self._held = ""
        self._has_begun = False
        self._begins = not within_line
        """Whether a line, or an item on it, begins with what comes next."""
        self._is_symbols = not within_line
        """Whether that line holds nothing but symbols as yet."""

    def add(self, piece: str) -> str:
        """What is ready with this `piece`: all but the last word, which may go on."""
        self._held += piece
        return self._taken(_WHOLE_WORD)

    def end(self) -> str:
        """The rest."""
        self._held = self._held.rstrip()
        return self._taken(_LAST_WORD)

    def _taken(self, kind: re.Pattern[str]) -> str:
        taken: list[str] = []
        end = 0
        while match := kind.match(self._held, end):
            taken += self._space(match[1]), self._word(match[2], match[3])
            end = match.end(2)
        self._held = self._held[end:]
        return "".join(taken)

    def _space(self, space: str) -> str:
        lines = len(_NEW_LINE.findall(space))
        if not self._has_begun:
            return ""
        if lines:
            self._begins = True
            return "\n\n" if lines > 1 else "  \n"  # a line of a table stays one
        return " " if self._begins else space  # more would make code of what follows

    def _word(self, word: str, after: str) -> str:
        begins, ends_line = self._begins, not after or _NEW_LINE.search(after) is not None
        is_marker = begins and _ITEM.fullmatch(word) is not None
        is_symbols = _SYMBOLS.fullmatch(word) is not None
        self._has_begun = True
        self._begins = is_marker and not ends_line
        self._is_symbols = is_symbols and (begins or self._is_symbols)
        if is_marker:
            return f"{word[:-1]}\\{word[-1]}" if ends_line else word
        if self._is_symbols or (begins and _OPENING.match(word)):
            return f"\\{word[0]}{_shown(word[1:])}"
        return _shown(word)


def markdown(text: str, *, within_line: bool = False) -> str:
    """All of `text` at once, as MarkdownText makes it."""
    whole = MarkdownText(within_line=within_line)
    return whole.add(text) + whole.end()


def text_of(marked: str) -> str:
    """The text that was made Markdown, but for its white space."""
    return _MARKED.sub(lambda found: found[1] or found[2] or html.unescape(found[0]), marked)


def _shown(word: str) -> str:
    """A word, or the end of one, that is no more than its letters."""
    shown: list[str] = []
    end = 0
    for address in _ADDRESS.finditer(word):
        trailing = _AFTER_ADDRESS.search(address[0])
        until = address.start() + trailing.start() if trailing else address.end()
        shown += _escaped(word[end : address.start()]), f"`{word[address.start() : until]}`"
        end = until
    return "".join([*shown, _escaped(word[end:])])


def _escaped(text: str) -> str:
    return _SPECIAL.sub(lambda found: _ENTITIES.get(found[0], f"\\{found[0]}"), text)
