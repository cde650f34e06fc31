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
# A word that was broken at a right margin, with the hyphen that only shows there.
_SOFT_BREAK = re.compile(r"(?<=\w)\u00ad[ \t]*\n[ \t]*(?=\w)")
_LINE_ENDS = re.compile(r"\r\n?|[\v\f\x85\u2028\u2029]")
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f\x7f-\x9f]")
# Half a character: it has no UTF-8 form, so it could be neither hashed nor stored.
_SURROGATE = re.compile(r"[\ud800-\udfff]")
_SPACES = re.compile(r"\s+")
# What follows z in ASCII stands for what follows it in the Norwegian alphabet.
AFTER_Z = dict(zip(map(ord, "æäøöå"), "{{||}", strict=True))


def normalise(text: str) -> str:
    """NFC (a decomposed å is one letter again), without invisible characters; lines end in \\n.

    Compatibility forms (½, ², ﬁ) stay as they are: a quote must read as its document does.
    """
    text = _SOFT_BREAK.sub("", _LINE_ENDS.sub("\n", text))
    text = _SURROGATE.sub("\ufffd", _CONTROL.sub("", text.translate(_TRANSLATION)))
    # Last, because a letter and its ring meet only once nothing invisible stands between them.
    return unicodedata.normalize("NFC", text)


def folded(text: str) -> str:
    """`text` without the difference of capital and small letters; æ, ø and å stay themselves."""
    return unicodedata.normalize("NFC", text).casefold()


def alphabetical(text: str) -> str:
    """What sorts as `text` does in a Norwegian list: æ, ø and å come last, in that order."""
    return folded(text).translate(AFTER_Z)


def normalise_line(line: str) -> str:
    """`line` normalised, on one line, every run of white space folded to one space."""
    return _SPACES.sub(" ", normalise(line)).strip()
