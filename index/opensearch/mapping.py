"""What an index in the cluster is made of: name, settings, and a passage as it stands there.

There is an index for each collection of an edition. Whoever may read some collections searches the
indices of those alone, so that no score depends on what they may not read.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import PurePath
from typing import Any

from index.analysis import Analyser
from index.facets import Facts
from index.generations import Recipe
from index.parts import Entry
from index.records import Version
from index.suggestions import Kind, keys_of_name, keys_of_names, keys_of_terms
from index.vocabulary import count_forms

FORMAT = 1
"""Raised when the same passages are written in another way."""

_IDENTITY_LETTERS = 8
_LONGEST_PATTERN = 20_000
"""Letters of a regular expression: those for words that are nearly as typed are long."""


@dataclass(frozen=True, slots=True)
class Layout:
    """How new indices are laid out: what their names begin with, their shards and copies."""

    name: str = "kildesvar"
    shards: int = 1
    replicas: int = 1


def index_name(layout: Layout, version: Version, collection: str) -> str:
    """The index of a collection, of one edition of one library."""
    return f"{edition_name(layout, version)}-{collection}"


def edition_name(layout: Layout, version: Version) -> str:
    """What the names of all indices of an edition begin with."""
    return f"{layout.name}-{version.identity[:_IDENTITY_LETTERS]}-{version.edition}"


def index_body(layout: Layout, recipe: Recipe, version: Version, collection: str) -> dict[str, Any]:
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
                "max_regex_length": _LONGEST_PATTERN,
                "similarity": {"default": {"type": "BM25", "k1": 1.2, "b": 0.75}},
            }
        },
        "mappings": {
            "dynamic": "strict",
            "_source": {"enabled": False},  # the library has it
            "_meta": {
                "format": FORMAT,
                "identity": version.identity,
                "edition": version.edition,
                "collection": collection,
                "recipe": asdict(recipe),
            },
            "properties": {
                "passage": {"type": "long", "index": False},
                "document": {"type": "keyword"},
                "language": {"type": "keyword", "doc_values": False},
                "media_type": {"type": "keyword", "doc_values": False},
                "day": {"type": "keyword", "doc_values": False},
                "folder": {"type": "keyword", "doc_values": False},
                # Words come analysed and joined by spaces; they are only taken apart again.
                "words": {"type": "text", "analyzer": "whitespace", "index_options": "freqs"},
                "vector": {
                    "type": "knn_vector",
                    "dimension": recipe.dimension,
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
        "document": entry.document_id,
        "language": facts.language,
        "media_type": facts.media_type,
        "day": facts.day,
        "folder": folders_above(facts.paths),
        "words": " ".join(analyser.words(entry.text)),
        "vector": entry.vector.tolist(),
        "form": sorted(count_forms(entry.text)),
        "named": sorted({form for name in names for form in count_forms(name)}),
        Kind.TERM.value: keys_of_terms(entry.body),
        Kind.TITLE.value: keys_of_name(entry.title or ""),
        Kind.HEADING.value: keys_of_names(entry.headings),
    }


def folders_above(paths: tuple[str, ...]) -> list[str]:
    """Every folder above each of the files, without a slash at its end but for the root."""
    return sorted({str(folder) for path in paths for folder in PurePath(path).parents})


def made_by(mapping: Mapping[str, Any]) -> dict[str, Any]:
    """The `_meta` of an index that the cluster describes; empty for one that is not ours."""
    found: dict[str, Any] = mapping.get("mappings", {}).get("_meta", {})
    return found
