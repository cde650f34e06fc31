"""Names of collections: what one may be called, and which of them a caller may read."""

import re
import unicodedata

from index.errors import CollectionNameError

DEFAULT = "default"
"""The collection of documents that were put into no other."""

Readable = frozenset[str] | None
"""The collections that somebody may read; None stands for all that there are, and that will be."""

_NAME = re.compile(r"[a-z0-9æøå][a-z0-9æøå_-]{0,63}")


def collection_name(given: str) -> str:
    """The name as it is kept. Raises CollectionNameError for one that no collection may have."""
    name = unicodedata.normalize("NFC", given)  # «å» comes as one letter or as two
    if not _NAME.fullmatch(name):
        raise CollectionNameError(
            f"{given!r} cannot be the name of a collection; use 1 to 64 small letters (æ, ø and å "
            "too), digits, - and _, beginning with a letter or a digit, such as «styret-2026»"
        )
    return name
