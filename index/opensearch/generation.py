"""What is searched of a cluster, held open: its indices by name, whatever is searched after it."""

import hashlib
from collections.abc import Mapping
from functools import cached_property

from index.collection_names import Readable
from index.engine import Recipe, Searched
from index.generations import nothing_for
from index.library import Library
from index.opensearch.client import Cluster
from index.opensearch.record import Record
from index.opensearch.view import ClusterView
from index.records import Version
from index.views import View


class ClusterManifest:
    """What is searched of a cluster. How many documents and passages there are is looked up in the
    library when it is asked first, which takes long in a large one."""

    def __init__(self, record: Record, library: Library) -> None:
        self.name = record.generation
        self.version: Version = record.version
        self.recipe: Recipe = record.origin.recipe
        self.is_newer = record.origin.is_newer
        self._library = library

    @property
    def documents(self) -> int:
        return self._count[0]

    @property
    def passages(self) -> int:
        return self._count[1]

    @cached_property
    def _count(self) -> tuple[int, int]:
        return self._library.count()


class ClusterGeneration(ClusterView, Searched):
    """The indices of one series as they were when it was opened, by name.

    Whatever is switched to after it, a question that came before is answered from these alone.
    """

    def __init__(
        self,
        record: Record,
        indices: Mapping[str, str],
        cluster: Cluster,
        library: Library,
        before: "ClusterGeneration | None" = None,
    ) -> None:
        """`indices` are those of each collection. What is the same to somebody as in the one
        `before` is taken from there, with all that it remembers: how quickly they are answered
        would tell them else that something of others' has changed."""
        self.manifest: ClusterManifest = ClusterManifest(record, library)
        self.made_at = record.at
        self._record = record
        self._cluster = cluster
        self._of_all = library
        counts = {counted.name: counted.documents for counted in library.collections()}
        # To who may read one, an index without passages is the same as none.
        named = indices.keys() & record.marks.keys()
        self._counts = {name: counts[name] for name in sorted(named) if counts.get(name)}
        self._names = {name: indices[name] for name in self._counts}
        self._views: dict[frozenset[str], View] = {}
        if before is not None:
            former = list(before._views.items())  # at once: others may ask for more
            self._views.update((of, view) for of, view in former if view.name == self._name(of))
        super().__init__(
            record.generation,
            None,
            sum(self._counts.values()),
            cluster,
            self._names,
            library,
            record.origin.recipe.fingerprint,
        )

    @property
    def index_names(self) -> list[str]:
        """Of those that it searches."""
        return sorted(self._names.values())

    def view(self, collections: Readable) -> View:
        """What is searched for somebody who may read only those collections.

        Its name changes only when what they may read does: it is not this one's own, which would
        tell them how often others' documents change.
        """
        if collections is None:
            return self
        if collections not in self._views:  # which keep what the cluster said of late
            self._views[collections] = self._view(collections)
        return self._views[collections]

    def _view(self, collections: frozenset[str]) -> View:
        names = sorted(collections & self._names.keys())
        name = self._name(collections)
        if name is None:
            return nothing_for(collections, self._of_all)
        return ClusterView(
            name,
            collections,
            sum(self._counts[name] for name in names),
            self._cluster,
            {collection: self._names[collection] for collection in names},
            self._of_all,
            self._record.origin.recipe.fingerprint,
        )

    def _name(self, collections: frozenset[str]) -> str | None:
        """Of the view of those; None when nothing of them is searched."""
        names = sorted(collections & self._names.keys())
        # The library's identity is no one's to know, so that nothing can be told from the name.
        told = [f"{name} {self._record.marks.get(name)}" for name in names]
        said = "\n".join([self._record.origin.identity, self._record.name, *told])
        return hashlib.sha256(said.encode()).hexdigest()[:12] if names else None
