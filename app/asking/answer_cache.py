"""The answer cache: answers that are still those that the library would give, asked again.

An answer is kept under all that decides it: the question and what was said before it as they came,
the filters, what the caller may read, the generation that was searched, and what the library tells:
its version, which every change to a document raises in the same transaction, and a count of changes
to their files. These are read anew for each question. So an answer from before a change is never
found after it: nothing has to be told to forget.
"""

import pickle
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from cachetools import LRUCache

from app.answering.answerer import Answer, Event
from app.answering.conversation import Turn
from index.records import Filters, Told
from index.views import View

_MOST_ENTRIES = 50_000
_UNPICKLED = 2.5
"""What events take in memory for each byte that they have when pickled, and their key with them."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A question, and what of the request decides its answer.

    `collections` are those that the caller may read; None stands for all.
    """

    question: str
    limit: int = 5
    filters: Filters = field(default_factory=Filters)
    history: tuple[Turn, ...] = ()
    collections: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class Key:
    """What an answer is kept under."""

    asked: Asked
    generation: str
    told: Told


@dataclass(frozen=True, slots=True)
class _Kept:
    events: list[Event]
    size: int


class AnswerCache:
    """Keeps the answers of one answerer that were asked for last, in at most `max_bytes`.

    `told` reads what the library tells, in a thread. Safe to use from several threads.
    """

    def __init__(self, max_bytes: int, told: Callable[[], Told]) -> None:
        self._told = told
        self._kept: LRUCache[Key, _Kept] = LRUCache(max_bytes, getsizeof=lambda kept: kept.size)
        self._changing = threading.Lock()
        self._hits = self._misses = 0

    def hits(self) -> int:
        """How often an answer was found."""
        return self._hits

    def misses(self) -> int:
        return self._misses

    def size(self) -> int:
        """How many answers are kept."""
        return len(self._kept)

    def key(self, view: View, asked: Asked) -> Key:
        """What the answer to be given now is kept under. Reads the library."""
        return Key(asked, view.name, self._told())

    def get(self, key: Key) -> list[Event] | None:
        """All that happened while the question was answered, the answer last; None if unknown."""
        with self._changing:
            kept = self._kept.get(key)
            self._hits += kept is not None
            return kept.events if kept else None

    def note_miss(self) -> None:
        """Counts an answer that has to be worked out; to look for it twice is one miss."""
        with self._changing:
            self._misses += 1

    def keep(self, key: Key, events: list[Event]) -> None:
        """Keeps an answer, if it is one that may be given again.

        It may not when the library has changed since the question came, for some of it may be from
        before and some from after; nor when it says that a language model failed, or rests on what
        one was asked to rewrite, which may have failed as well.
        """
        answer = events[-1]
        assert isinstance(answer, Answer)
        if answer.notice is not None or "rewrite" in answer.timings:
            return
        if self._told() != key.told:
            return
        size = int(_UNPICKLED * len(pickle.dumps((key, events))))
        with self._changing:
            if size <= self._kept.maxsize:
                self._kept[key] = _Kept(events, size)
            while len(self._kept) > _MOST_ENTRIES:
                self._kept.popitem()
