"""Facets: how the candidates of a search fall into languages, folders, years and documents."""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass

_MOST_VALUES = 20


@dataclass(frozen=True, slots=True)
class Facts:
    """What a search can be narrowed by, of a passage's document.

    `day` is the ISO day that the document states, or else that of its update; `paths` are those of
    the files that it was read from.
    """

    document_id: str
    collection: str
    title: str
    language: str
    media_type: str
    day: str
    paths: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FacetValue:
    """A value that a filter takes, how many candidates it would leave, and a document's title."""

    value: str
    count: int
    label: str | None = None


@dataclass(frozen=True, slots=True)
class Facets:
    """The values of each facet, most frequent first."""

    collection: list[FacetValue]
    language: list[FacetValue]
    media_type: list[FacetValue]
    folder: list[FacetValue]
    year: list[FacetValue]
    document: list[FacetValue]


def facets_of(candidates: Iterable[Facts], folder_of: Callable[[str], str]) -> Facets:
    """The facets of a search's candidates; `folder_of` says under which folder a file is shown."""
    facts = list(candidates)
    titles = {fact.document_id: fact.title for fact in facts}
    folder = {path: folder_of(path) for fact in facts for path in fact.paths}
    folders = (name for fact in facts for name in {folder[path] for path in fact.paths})
    return Facets(
        collection=_most(fact.collection for fact in facts),
        language=_most(fact.language for fact in facts),
        media_type=_most(fact.media_type for fact in facts),
        folder=_most(folders),
        year=_most(fact.day[:4] for fact in facts),
        document=[
            FacetValue(found.value, found.count, titles[found.value])
            for found in _most(fact.document_id for fact in facts)
        ],
    )


def _most(values: Iterable[str]) -> list[FacetValue]:
    # In one order whatever the ranking: pages of one search show the same.
    counts = sorted(Counter(values).items(), key=lambda counted: (-counted[1], counted[0]))
    return [FacetValue(value, count) for value, count in counts[:_MOST_VALUES]]
