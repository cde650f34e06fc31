"""What is searched of a cluster for somebody: see `index.views`."""

from collections.abc import Mapping

from index.collection_names import Readable
from index.library import Library
from index.opensearch.client import Cluster
from index.opensearch.dense import ClusterDense
from index.opensearch.indices import Indices
from index.opensearch.lexical import ClusterLexical
from index.opensearch.suggestions import ClusterSuggestions
from index.opensearch.vocabulary import ClusterVocabulary
from index.opensearch.within import ClusterWithin
from index.records import Filters
from index.views import View


class ClusterView(View):
    """The indices of the collections that may be read, searched as one.

    How often words stand there is remembered as long as the view is, which had better be as long as
    nothing changes.
    """

    def __init__(  # noqa: PLR0913, PLR0917 - what a view is made of
        self,
        name: str,
        collections: Readable,
        documents: int,
        cluster: Cluster,
        indices: Mapping[str, str],
        library: Library,
        fingerprint: str,
    ) -> None:
        """`indices` are the names of those of each collection, and `documents` how many are in
        them. `fingerprint` is of the model that made the vectors."""
        self.name = name
        self.collections = collections
        self.documents = documents
        self._library = library.read_by(collections)
        self._indices = Indices(cluster, indices)
        self.dense = ClusterDense(self._indices, self._library, fingerprint)
        self.lexical = ClusterLexical(self._indices)
        self.vocabulary = ClusterVocabulary(self._indices)
        self.suggestions = ClusterSuggestions(self._indices)

    def within(self, filters: Filters) -> ClusterWithin:
        return ClusterWithin(self._library, self._indices, filters)
