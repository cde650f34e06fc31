"""What a file says of itself, as far as it can be believed."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from index.documents import Piece
from index.text import normalise_line

_WEB = ("http://", "https://")
_AUTHOR_LETTERS = 200
_OPENING = 20
"""Blocks at a document's beginning among which its title stands."""
# What programs write where nobody gave a name.
_NOBODY = frozenset(
    "python-docx|python-pptx|openpyxl|un-named|unnamed|unknown|ukjent|ukjend|anonymous|anonym|"  # noqa: SIM905
    "author|forfatter|user|bruker|brukar|owner|eier|admin|administrator|root|default|"
    "microsoft office user|microsoft office-bruker|office user|windows user|windows-bruker|"
    "microsoft|microsoft corporation|libreoffice|openoffice|apache poi|none|null".split("|")
)
_ISO_DAY = re.compile(r"(\d{4})-(\d{2})-(\d{2})(?:[T ]|$)")
_BARE_DAY = re.compile(r"(?:D:)?(\d{4})(\d{2})(\d{2})(?:\d{2}|\D|$)")
_NORWEGIAN_DAY = re.compile(r"(\d{1,2})\.(\d{1,2})\.(\d{4})")
_FIRST_YEAR = 1900
"""A day before it is a clock that was never set, such as the year 1601 of some programs."""


@dataclass(frozen=True, slots=True)
class Stated:
    """What a file says of itself; empty or None where it says nothing that counts.

    `date` is an ISO day.
    """

    title: str = ""
    author: str | None = None
    date: str | None = None
    language: str | None = None
    source_url: str | None = None


def title_within(title: str | None, pieces: Sequence[Piece]) -> str:
    """The title that a file states, if it opens with it; else empty.

    Word processors state a file name, or the title of an earlier document.
    """
    title = normalise_line(title or "")
    opening = normalise_line(" ".join(piece.text for piece in pieces[:_OPENING]))
    return title if title.casefold() in opening.casefold() else ""


def author_of(text: str | None) -> str | None:
    """The author that a field of a file names, on one line; None for a program's own default."""
    name = normalise_line(text or "")[:_AUTHOR_LETTERS]
    is_name = any(map(str.isalpha, name)) and name.casefold() not in _NOBODY
    return name if is_name and not name.startswith(_WEB) else None


def day_of(text: str | None) -> str | None:
    """The ISO day in «2024-03-05T10:00:00Z», «D:20240305100000» or «5.3.2024»; None in others."""
    text = normalise_line(text or "")
    if found := _ISO_DAY.match(text) or _BARE_DAY.match(text):
        year, month, day = map(int, found.groups())
    elif found := _NORWEGIAN_DAY.fullmatch(text):
        day, month, year = map(int, found.groups())
    else:
        return None
    try:
        return date(year, month, day).isoformat() if year >= _FIRST_YEAR else None
    except ValueError:
        return None


def web_address(text: str | None) -> str | None:
    """The address, where it is one of the web."""
    address = (text or "").strip()
    return address if address.startswith(_WEB) and " " not in address else None
