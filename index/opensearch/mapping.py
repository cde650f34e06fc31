"""What an index in the cluster is made of: name, settings, and a passage as it stands there.

There is an index for each collection of an edition. Whoever may read some collections searches the
indices of those alone, so that no score depends on what they may not read.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from pathlib import PurePath
from typing import Any

import numpy as np

from index.analysis import ANALYSER_VERSION, Analyser
from index.engine import Recipe
from index.facets import Facts
from index.opensearch.patterns import LONGEST
from index.parts import Entry
from index.suggestions import Kind, keys_of_name, keys_of_names, keys_of_terms
from index.vocabulary import count_forms

FORMAT = 1
"""Raised when the same passages are written in another way."""

_IDENTITY_LETTERS = 8
_DIGITS = 9


@dataclass(frozen=True, slots=True)
class Layout:
    """How new indices are laid out: what their names begin with, their shards and copies."""

    name: str = "kildesvar"
    shards: int = 1
    replicas: int = 1


@dataclass(frozen=True, slots=True)
class Origin:
    """What a series of indices was made of: an edition of a library, by a recipe.

    `build` is no other series' of the library, though it be of the same edition.
    """

    identity: str
    edition: int
    build: int
    recipe: Recipe
    format: int = FORMAT

    @property
    def is_written_here(self) -> bool:
        """Whether this program writes passages as they stand there."""
        ours = (FORMAT, ANALYSER_VERSION)
        return (self.format, self.recipe.analyser_version) == ours

    @property
    def is_newer(self) -> bool:
        """Whether a newer version of this program made it."""
        return self.format > FORMAT or self.recipe.is_newer

    def makes_same(self, other: "Origin") -> bool:
        """Whether both make the same of an edition."""
        return self == replace(other, build=self.build)


def index_name(layout: Layout, origin: Origin, collection: str) -> str:
    """The index of a collection in a series."""
    return f"{series_name(layout, origin)}-{collection}"


def series_name(layout: Layout, origin: Origin) -> str:
    """What the names of all indices of a series begin with."""
    library = origin.identity[:_IDENTITY_LETTERS]
    return f"{layout.name}-{library}-{origin.edition}.{origin.build}"


def is_series(layout: Layout, name: str) -> bool:
    """Whether a series of that name is one of the layout's, in whose names no - stands."""
    return name.startswith(f"{layout.name}-")


def index_body(layout: Layout, origin: Origin, collection: str) -> dict[str, Any]:
    """Settings and mapping of a new index; `_meta` says what it was made by."""
    return {
        "settings": {
            "index": {
                "knn": True,
                "number_of_shards": layout.shards,
                "number_of_replicas": layout.replicas,
                # Whoever has written refreshes, once and when all is there.
                "refresh_interval": "-1",
                # As long as somebody who was held up may come with what was deleted since.
                "gc_deletes": "1h",
                "max_regex_length": LONGEST,
                "similarity": {"default": {"type": "BM25", "k1": 1.2, "b": 0.75}},
            }
        },
        "mappings": {
            "dynamic": "strict",
            # What was sent is kept, though nobody reads it: copies are brought up to date by it.
            # Without, the cluster keeps it for them all the same, with the vectors, which it else
            # takes from where they are searched (docs/scaling.md).
            "_source": {"enabled": True},
            "_meta": {**asdict(origin), "collection": collection},
            "properties": {
                "passage": {"type": "long"},
                # Of all that can change while the passage stays: what else is compared by.
                "digest": {"type": "keyword", "index": False},
                "document": {"type": "keyword"},
                "language": {"type": "keyword", "doc_values": False},
                "media_type": {"type": "keyword", "doc_values": False},
                "day": {"type": "keyword", "doc_values": False},
                "folder": {"type": "keyword", "doc_values": False},
                # Words come analysed and joined by spaces; they are only taken apart again.
                "words": {"type": "text", "analyzer": "whitespace", "index_options": "freqs"},
                "vector": {
                    "type": "knn_vector",
                    "dimension": origin.recipe.dimension,
                    "method": {"name": "hnsw", "engine": "lucene", "space_type": "innerproduct"},
                },
                "form": {"type": "keyword"},
                "named": {"type": "keyword"},
                **{kind.value: {"type": "keyword"} for kind in Kind},
            },
        },
    }


def body_of(entry: Entry, facts: Facts, analyser: Analyser) -> dict[str, Any]:
    """A passage as it is indexed, under its id as `_id`; `facts` are those of its document."""
    names = [name for name in (entry.title, *entry.headings) if name]
    return {
        "passage": entry.passage_id,
        "digest": digest_of(facts),
        "document": entry.document_id,
        "language": facts.language,
        "media_type": facts.media_type,
        "day": facts.day,
        "folder": folders_above(facts.paths),
        "words": " ".join(analyser.words(entry.text)),
        # With more digits than these, it would be as long again and say no more.
        "vector": np.round(entry.vector.astype(np.float64), _DIGITS).tolist(),
        "form": sorted(count_forms(entry.text)),
        "named": sorted({form for name in names for form in count_forms(name)}),
        Kind.TERM.value: keys_of_terms(entry.body),
        Kind.TITLE.value: keys_of_name(entry.title or ""),
        Kind.HEADING.value: keys_of_names(entry.headings),
    }


def digest_of(facts: Facts) -> str:
    """Tells what of `facts` is indexed from anything else."""
    of = [facts.document_id, facts.language, facts.media_type, facts.day]
    said = "\n".join([*of, *folders_above(facts.paths)])
    return hashlib.sha256(said.encode()).hexdigest()[:16]


def folders_above(paths: tuple[str, ...]) -> list[str]:
    """Every folder above each of the files, without a slash at its end but for the root."""
    return sorted({str(folder) for path in paths for folder in PurePath(path).parents})


def origin_of(index: Mapping[str, Any]) -> tuple[Origin, str] | None:
    """What an index that the cluster describes was made of, and its collection; None for one that
    is not ours."""
    said = index.get("mappings", {}).get("_meta", {})
    try:
        # A newer program may say more of it.
        recipe = Recipe(**{field.name: said["recipe"][field.name] for field in fields(Recipe)})
        names = {field.name for field in fields(Origin)} - {"recipe"}
        return Origin(**{name: said[name] for name in names}, recipe=recipe), said["collection"]
    except (TypeError, KeyError):
        return None


def is_named_so(layout: Layout, identity: str, name: str, index: Mapping[str, Any]) -> bool:
    """Whether an index has a name of the library's, but says nothing of what it was made of: the
    cluster makes such a one when somebody writes to what was deleted."""
    ours = f"{layout.name}-{identity[:_IDENTITY_LETTERS]}-"
    return name.startswith(ours) and "_meta" not in index.get("mappings", {})
