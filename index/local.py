"""What is searched of a generation, in files of this machine: see `index.views`."""

from collections.abc import Sequence
from functools import cached_property

import numpy as np
import numpy.typing as npt

from index.collection_names import Readable
from index.layers import LayeredDense
from index.lexical import LexicalIndex
from index.library import Library
from index.parts import Part
from index.pooling import PooledDense, PooledLexical, PooledSuggestions, PooledVocabulary
from index.records import Filters
from index.suggestions import SuggestionIndex
from index.views import View
from index.vocabulary import Vocabulary


class LocalView(View):
    """One part of a generation as it is, or several searched as one."""

    def __init__(  # noqa: PLR0913, PLR0917 - what a view is made of
        self,
        name: str,
        collections: Readable,
        documents: int,
        parts: Sequence[Part],
        library: Library | None = None,
        generation: "LocalView | None" = None,
    ) -> None:
        """`documents` are how many the parts have. A `generation` is held as long as this is.

        Only with the `library` that it is of can it be searched within filters.
        """
        self.name = name
        self.collections = collections
        self.documents = documents
        self._library = library
        self._generation = generation
        self.dense: LayeredDense | PooledDense
        self.lexical: LexicalIndex | PooledLexical
        self.vocabulary: Vocabulary | PooledVocabulary
        self.suggestions: SuggestionIndex | PooledSuggestions
        if len(parts) == 1:
            [part] = parts
            self.dense, self.lexical = part.dense, part.lexical
            self.vocabulary, self.suggestions = part.vocabulary, part.suggestions
        else:
            self.dense = PooledDense([part.dense for part in parts])
            self.lexical = PooledLexical([part.lexical for part in parts])
            self.vocabulary = PooledVocabulary([part.vocabulary for part in parts])
            self.suggestions = PooledSuggestions([part.suggestions for part in parts])

    def within(self, filters: Filters) -> "LocalWithin":
        if self._library is None:
            raise ValueError("a view without a library cannot tell what passes a filter")
        return LocalWithin(self._library.read_by(self.collections), filters)


class LocalWithin:
    """The documents that pass filters, as a `Scope`, and their passages, as `IdRanges`."""

    def __init__(self, library: Library, filters: Filters) -> None:
        self._library = library
        self._scope, self.documents = library.scope(filters)
        self.ids, self.others = self._scope.ids, self._scope.others
        self.is_empty = self._scope.is_empty

    @cached_property
    def ranges(self) -> npt.NDArray[np.int64]:
        # Looked up by the search by meaning, while the words are looked up already.
        return self._library.passages_within(self._scope).ranges

    def holding(self, ids: Sequence[int]) -> set[int]:
        of = self._library.documents_of(ids)
        return {i for i, document_id in of.items() if document_id in self._scope}
