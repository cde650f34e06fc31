"""The indices that one view searches, and what they said of late."""

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Generic, TypeVar

from cachetools import LRUCache

from index.lexical import Scored
from index.opensearch.client import Cluster, Search

Body = Mapping[str, Any]
Clauses = Sequence[Mapping[str, Any]]
"""Conditions, all of which a passage must fulfil."""

EVERYTHING: Body = {"match_all": {}}
RANKED = {
    "_source": False,
    "stored_fields": "_none_",
    "track_total_hits": False,
    "sort": ["_score", {"passage": "asc"}],
}
"""What a search asks for whose hits are read by `scored`: ids and scores, equal ones in order."""

Key = TypeVar("Key")
Value = TypeVar("Value")


class Indices:
    """The indices of a view, by collection. Without any, nothing is found and nobody is asked."""

    def __init__(self, cluster: Cluster, names: Mapping[str, str]) -> None:
        self._cluster = cluster
        self._names = names

    def __bool__(self) -> bool:
        return bool(self._names)

    def of(self, collections: Iterable[str]) -> list[str]:
        """Names of the indices of those collections."""
        return [self._names[name] for name in collections if name in self._names]

    def search(self, body: Body, *, counts_everywhere: bool = False) -> dict[str, Any]:
        [found] = self.search_all([body], counts_everywhere=counts_everywhere)
        return found

    def search_all(
        self, bodies: Sequence[Body], *, counts_everywhere: bool = False
    ) -> list[dict[str, Any]]:
        """What each search finds in all of the indices, which must be some.

        With `counts_everywhere` the first of them weighs words by how rare they are in all shards.
        """
        names = list(self._names.values())
        searches = [
            Search(names, body, counts_everywhere=counts_everywhere and not at)
            for at, body in enumerate(bodies)
        ]
        return self._cluster.search_all(searches) if searches else []


class Memory(Generic[Key, Value]):
    """The `most` values that were needed last. Safe to share between threads."""

    def __init__(self, most: int, fetch: Callable[[Sequence[Key]], Sequence[Value]]) -> None:
        self._fetch = fetch
        self._values: LRUCache[Key, Value] = LRUCache(most)
        self._lock = threading.Lock()

    def missing(self, keys: Iterable[Key]) -> list[Key]:
        """Those of `keys` that would have to be fetched, each once."""
        with self._lock:
            return [key for key in dict.fromkeys(keys) if key not in self._values]

    def keep(self, values: Mapping[Key, Value]) -> None:
        with self._lock:
            self._values.update(values)

    def values(self, keys: Iterable[Key]) -> dict[Key, Value]:
        """The value of each; those that are missing are fetched at once."""
        keys = list(keys)
        missing = self.missing(keys)
        fetched = dict(zip(missing, self._fetch(missing), strict=True)) if missing else {}
        with self._lock:
            found = {key: self._values[key] for key in keys if key in self._values}
        # Another thread may have had others kept since.
        lost = [key for key in keys if key not in found and key not in fetched]
        if lost:
            fetched.update(zip(lost, self._fetch(lost), strict=True))
        self.keep(fetched)
        return {**found, **fetched}


def counting(query: Body) -> Body:
    """A search for nothing but how many passages a query finds; see `count_of`."""
    return {"size": 0, "track_total_hits": True, "query": query}


def count_of(found: Mapping[str, Any]) -> int:
    count: int = found["hits"]["total"]["value"]
    return count


def scored(found: Mapping[str, Any]) -> list[Scored]:
    """Ids and scores of the hits of a search for `RANKED`."""
    return [(hit["sort"][1], hit["sort"][0]) for hit in found["hits"]["hits"]]
