"""Names of uploaded files: a person's own, as far as it is a name and no path."""

import unicodedata
from pathlib import Path

from pathvalidate import sanitize_filename

from index.errors import KildesvarError
from index.readers import EXTENSIONS

_MAX_BYTES = 200
"""Of a name in UTF-8. File systems take 255; some that encrypt take less."""

_UNSEEN = frozenset({"Cc", "Cs", "Zl", "Zp"})
_TURNING = frozenset("\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""They write what follows from right to left, so that «exe.txt» is shown for «txt.exe»."""


class FileNameError(KildesvarError):
    """An uploaded file has no name that can be kept."""


class UnsupportedFormatError(KildesvarError):
    """Files with that extension cannot be read."""


def safe_file_name(given: str) -> str:
    """The name to keep an uploaded file under, in Unicode's composed form.

    Of a path only the last part is taken; a long name is cut before its extension; letters and
    names that Windows has other uses for are altered. Raises FileNameError where nothing is left
    or the name holds what cannot be shown, and UnsupportedFormatError for an extension that no
    reader knows.
    """
    name = unicodedata.normalize("NFC", given.replace("\\", "/").rpartition("/")[2])
    if any(unicodedata.category(letter) in _UNSEEN or letter in _TURNING for letter in name):
        raise FileNameError(
            "the file's name holds characters that cannot be shown; rename the file"
        )
    name = _cut(name.strip().rstrip(". "))
    if not name:
        raise FileNameError("the file has no name; send it with one, such as «notat.txt»")
    suffix = Path(name).suffix
    if suffix.lower() not in EXTENSIONS:
        kind = f"«{suffix}» files" if suffix else "files without an extension"
        known = ", ".join(sorted(EXTENSIONS))
        raise UnsupportedFormatError(f"{kind} cannot be read; send one of {known}")
    return sanitize_filename(name, replacement_text="_", platform="universal")


def _cut(name: str) -> str:
    """The name with as much of its stem as fits."""
    path = Path(name)
    stem = path.stem.encode()[: max(0, _MAX_BYTES - len(path.suffix.encode()))]
    return stem.decode(errors="ignore").rstrip() + path.suffix
