"""Normalisation: the one form in which text enters the library.

It runs once, when a document is read. Afterwards offsets never move: passages, citations and
highlights all count code points of the normalised text.
"""

import re
import unicodedata

# Bullets that word processors write from their symbol fonts into the private use area.
_PRIVATE_BULLETS = dict.fromkeys(map(ord, "\uf0b7\uf0a7\uf0d8\uf0fc\uf02d"), "•")
_INVISIBLE = dict.fromkeys(map(ord, "\u00ad\u200b\u200c\u200d\u2060\ufeff"), None)
_TRANSLATION: dict[int, str | None] = {**_PRIVATE_BULLETS, **_INVISIBLE}
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f]")
_SPACES = re.compile(r"\s+")


def normalise(text: str) -> str:
    """NFC (a decomposed å is one letter again), without invisible characters; lines end in \\n.

    Compatibility forms (½, ², ﬁ) stay as they are: a quote must read as its document does.
    """
    text = unicodedata.normalize("NFC", text).translate(_TRANSLATION)
    text = re.sub(r"\r\n?|[\u2028\u2029\x85]", "\n", text)
    return _CONTROL.sub("", text.replace("\f", "\n"))


def normalise_line(line: str) -> str:
    """`line` normalised, on one line, every run of white space folded to one space."""
    return _SPACES.sub(" ", normalise(line)).strip()
