"""The other engine: an index in an OpenSearch cluster, written and searched as the service does."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from time import monotonic, perf_counter, process_time, sleep, time
from typing import Self, cast

from opensearchpy import OpenSearch

from index.analysis import Analyser
from index.engine import Recipe
from index.facets import Facts
from index.lexical import Scored
from index.library import Library
from index.opensearch.bulk import Action, write
from index.opensearch.client import Address, Cluster
from index.opensearch.dense import ClusterDense
from index.opensearch.indices import Indices
from index.opensearch.lexical import ClusterLexical
from index.opensearch.mapping import Layout, Origin, body_of, index_body
from index.opensearch.within import ClusterWithin
from index.records import Filters, Ids
from scripts.scaling.corpus import (
    DIMENSION,
    LIMITS,
    NEAREST,
    Corpus,
    document_number,
    language_of,
    path_of,
)
from scripts.scaling.figures import Figures, load, memory_of, times_of
from scripts.scaling.local import REFINED

_ORIGIN = Origin("0" * 16, 1, 1, Recipe("made", DIMENSION, 256))
_TOLD_EVERY = 10_000
_SETTLED_S = 3600
"""How long merges may go on after the last passage was written."""
_EVERY_S = 5
_TOLD_AFTER = 1.1
"""Seconds for which a node tells of its processors what it has told before."""

_FILES = {
    "vectors": ("vec", "vemf", "vem", "veq", "vemq", "veb", "vemb"),
    "graph": ("vex",),
    "terms": ("tim", "tip", "tmd", "doc", "pos", "psm"),
    "doc_values": ("dvd", "dvm"),
    "stored": ("fdt", "fdx", "fdm"),
}
"""What Lucene keeps in which files; those of small segments are in one, .cfs."""

_FILTERS = {
    "half": Filters(language=(language_of(0),)),
    "1 %": Filters(folder=(str(Path(path_of(0)).parent),)),
}
_NO_LIBRARY = cast(Library, None)
"""What is asked here is asked of the cluster alone."""


def _as_it_is(_: Figures) -> None:
    """The mapping that the service makes."""


def _without_source(body: Figures) -> None:
    """What was sent is kept for copies only, and then with its vectors."""
    body["mappings"]["_source"] = {"enabled": False}


def _without_any_source(body: Figures) -> None:
    """Nor for copies, which then do not come back (docs/scaling.md)."""
    body["mappings"]["_source"] = {"enabled": False, "recovery_source_enabled": False}


def _lucene(bits: int) -> Callable[[Figures], None]:
    def vary(body: Figures) -> None:
        method = body["mappings"]["properties"]["vector"]["method"]
        method["parameters"] = {"encoder": {"name": "sq", "parameters": {"bits": bits}}}

    return vary


def _on_disk(level: str) -> Callable[[Figures], None]:
    def vary(body: Figures) -> None:
        vector = body["mappings"]["properties"]["vector"]
        body["mappings"]["properties"]["vector"] = {
            "type": "knn_vector",
            "dimension": vector["dimension"],
            "space_type": "innerproduct",
            "mode": "on_disk",
            "compression_level": level,
            "method": {"name": "hnsw", "engine": "lucene"},
        }

    return vary


VARIANTS: Mapping[str, Callable[[Figures], None]] = {
    "": _as_it_is,
    "no source": _without_source,
    "no source at all": _without_any_source,
    "7 bits": _lucene(7),
    "1 bit": _lucene(1),
    "on disk 4x": _on_disk("4x"),
    "on disk 32x": _on_disk("32x"),
}
"""Ways to lay out an index, beside the one in use."""


class Measuring:
    """One index in a cluster, which grows, and its client. It is written as the service writes it,
    in order, so that whoever resumes goes on where it was."""

    def __init__(self, url: str, layout: Layout, variant: str = "") -> None:
        self._client = OpenSearch(url.split(","), timeout=120, max_retries=5, retry_on_timeout=True)
        self._cluster = Cluster(Address(tuple(url.split(","))))
        self._analyser = Analyser()
        self._layout = layout
        self._variant = variant
        self._index = "-".join(["scaling", *variant.split()])

    def __enter__(self) -> Self:
        if not self._client.indices.exists(index=self._index):
            body = index_body(self._layout, _ORIGIN, "default")
            VARIANTS[self._variant](body)
            self._client.indices.create(index=self._index, body=body)
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()
        self._cluster.close()

    def delete(self) -> None:
        self._client.indices.delete(index=self._index)

    def count(self) -> int:
        """How many passages there are already."""
        self._client.indices.refresh(index=self._index)
        counted: int = self._client.count(index=self._index)["count"]
        return counted

    def cluster(self) -> Figures:
        """What the cluster is made of."""
        nodes = self._client.nodes.info(metric="jvm,process")["nodes"].values()
        return {
            "opensearch": self._client.info()["version"]["number"],
            "nodes": len(nodes),
            "heap_mb": [round(node["jvm"]["mem"]["heap_max_in_bytes"] / 1e6) for node in nodes],
            "shards": self._layout.shards,
            "replicas": self._layout.replicas,
        }

    def grow(self, passages: int) -> Figures:
        """Writes passages until there are so many; prints how far it has come.

        Seconds, on the clock and of the processors, are those of what was missing.
        """
        there = self.count()
        before, used, began = load(), self.used(), perf_counter()
        write(self._cluster, self._told(self._actions(passages, there), there))
        self._client.indices.refresh(index=self._index)
        seconds = perf_counter() - began
        settled = self._settle()
        return {
            "from": there,
            "build_s": round(seconds, 1),
            "merging_s": round(perf_counter() - began - seconds, 1),
            "merged": settled,
            "build_cpu_s": round(self.used() - used, 1),
            "build_load": [before, load()],
        }

    def sizes(self) -> Figures:
        """Bytes a passage on the disk, and what they are for."""
        stats = self._client.indices.stats(
            index=self._index, metric="store,segments,docs", include_segment_file_sizes=True
        )["_all"]["primaries"]
        passages = stats["docs"]["count"]
        by_kind = {
            kind: file["size_in_bytes"] for kind, file in stats["segments"]["file_sizes"].items()
        }
        of = {
            name: round(sum(by_kind.get(kind, 0) for kind in kinds) / passages)
            for name, kinds in _FILES.items()
        }
        return {
            "bytes_a_passage": round(stats["store"]["size_in_bytes"] / passages),
            "vector_bytes": of["vectors"] + of["graph"],
            "file_bytes": {**of, "compound": round(by_kind.get("cfs", 0) / passages)},
            "segments": stats["segments"]["count"],
        }

    def search(self, truths: dict[str, Ids]) -> Figures:
        """Times of all kinds of queries, and the memory of the nodes after 200 of each kind."""
        questions = Corpus(1000).questions()
        words = [self._analyser.weights(text) for text in questions.texts]
        count = len(questions.texts)
        figures: Figures = {"queries": {}}
        indices = Indices(self._cluster, {"default": self._index})
        by_words = ClusterLexical(indices)
        by_meaning = ClusterDense(indices, _NO_LIBRARY, "made")
        with ThreadPoolExecutor(1) as pool:

            def dense(number: int, within: ClusterWithin | None) -> Sequence[Scored]:
                return by_meaning.search(questions.vectors[number], NEAREST, within)

            def lexical(number: int, within: ClusterWithin | None) -> Sequence[Scored]:
                return by_words.search(words[number], NEAREST, within)

            def both(number: int, within: ClusterWithin | None) -> Sequence[Scored]:
                """As the retriever does, but for cosines, which come from the library."""
                of_words = pool.submit(lexical, number, within)
                found = dense(number, within)
                ids = list(dict.fromkeys(i for i, _ in (*found, *of_words.result())))
                by_words.coverage(words[number], ids[:REFINED])
                return found

            for limit in (None, *LIMITS):
                name = limit.name if limit else "all"
                filters = _FILTERS[limit.name] if limit else None
                within = ClusterWithin(_NO_LIBRARY, indices, filters) if filters else None
                figures["queries"][name] = {
                    "lexical": times_of(partial(lexical, within=within), count, None, self.used),
                    "dense": times_of(
                        partial(dense, within=within), count, truths[name], self.used
                    ),
                    "both": times_of(partial(both, within=within), count, None, self.used),
                }
                if limit is None:
                    figures["memory"] = self._memory()
        return figures

    def _actions(self, passages: int, there: int) -> Iterator[Action]:
        """What is missing."""
        version = int(time())
        for made in Corpus(passages).batches(there):
            for entry in made.entries():
                number = document_number(entry.passage_id)
                facts = Facts(
                    entry.document_id,
                    "default",
                    f"Rapport {number}",
                    language_of(number),
                    "text/plain",
                    "2026-05-17",
                    (path_of(number),),
                )
                body = body_of(entry, facts, self._analyser)
                yield Action(self._index, entry.passage_id, version, body)

    def _told(self, actions: Iterator[Action], there: int) -> Iterator[Action]:
        """The actions; it is printed how far they have come."""
        began = perf_counter()
        for written, action in enumerate(actions, 1):
            yield action
            if written % _TOLD_EVERY == 0:
                rate = written / (perf_counter() - began)
                print(f"{there + written} passages, {rate:.0f} a second, load {load()}", flush=True)

    def _settle(self) -> bool:
        """Waits until nothing is merged any more; whether that came to be."""
        ends = monotonic() + _SETTLED_S
        while monotonic() < ends:
            stats = self._client.indices.stats(index=self._index, metric="merge")
            if not stats["_all"]["total"]["merges"]["current"]:
                return True
            sleep(_EVERY_S)
        return False

    def _memory(self) -> list[Figures]:
        """Of each node: its heap, and where it runs on this machine what the system says of it."""
        ids = self._client.nodes.info(metric="process")["nodes"]
        stats = self._client.nodes.stats(metric="jvm")["nodes"]
        nodes = []
        for name, node in stats.items():
            process_id = ids[name]["process"]["id"]
            used = node["jvm"]["mem"]["heap_used_in_bytes"]
            here = Path(f"/proc/{process_id}").exists()
            of_process = memory_of(process_id) if here else {}
            nodes.append({"heap_used_mb": round(used / 1e6), **of_process})
        return nodes

    def used(self) -> float:
        """Seconds that the processors have worked, here and in the nodes, for whatever it was."""
        sleep(_TOLD_AFTER)
        nodes = self._client.nodes.stats(metric="process")["nodes"].values()
        milliseconds = [int(node["process"]["cpu"]["total_in_millis"]) for node in nodes]
        return process_time() + sum(milliseconds) / 1000
