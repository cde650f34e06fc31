"""Regular expressions as Lucene has them: they match whole words, and have no `^` and `$`."""

import re
from collections.abc import Iterator

_SPECIAL = re.compile(r"([^\w\s]|_)")
LONGEST = 20_000
"""Letters of a regular expression that an index takes (`index.max_regex_length`)."""


def escaped(text: str) -> str:
    return _SPECIAL.sub(r"\\\1", text)


def beginning(start: str) -> str:
    """All that begins with `start`."""
    return f"{escaped(start)}.*"


def beginning_nearly(start: str, distance: int) -> str:
    """All of which a beginning is within `distance` edits of `start`: letters added, dropped or
    replaced, or neighbours swapped.

    Of one that would be too long, fewer edits are allowed.
    """
    for edits in range(distance, 0, -1):
        pattern = f"({_Nearly().of(start, edits)}).*"
        if len(pattern) <= LONGEST:
            return pattern
    return beginning(start)


class _Nearly:
    """Patterns of all that is left of a text and its ends, within so many edits of each."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, int], str] = {}

    def of(self, text: str, edits: int) -> str:
        if not text or edits == 0:
            return escaped(text)
        if (text, edits) not in self._known:
            self._known[text, edits] = "|".join(self._ways(text, edits))
        return self._known[text, edits]

    def _ways(self, text: str, edits: int) -> Iterator[str]:
        first, rest = text[0], text[1:]
        yield f"{escaped(first)}{self._group(rest, edits)}"
        yield f".?{self._group(rest, edits - 1)}"  # replaced or dropped
        yield f".{self._group(text, edits - 1)}"  # another one before it
        if rest and rest[0] != first:
            yield f"{escaped(rest[0] + first)}{self._group(rest[1:], edits - 1)}"

    def _group(self, text: str, edits: int) -> str:
        pattern = self.of(text, edits)
        return f"({pattern})" if "|" in pattern else pattern
