"""Views: what of a generation is searched for somebody, which holds nothing that they may not read.

Everything that answers is given a view, and has no other way into the index.
"""

from collections.abc import Sequence

from index.collection_names import Readable
from index.parts import Part
from index.pooling import (
    Dense,
    Lexical,
    PooledDense,
    PooledLexical,
    PooledSuggestions,
    PooledVocabulary,
    Suggestions,
    Words,
)


class View:
    """One part of a generation as it is, or several searched as one."""

    def __init__(
        self,
        name: str,
        collections: Readable,
        documents: int,
        parts: Sequence[Part],
        generation: "View | None" = None,
    ) -> None:
        """`documents` are how many the parts have. A `generation` is held as long as this is."""
        self.name = name
        self.collections = collections
        """Those that may be read; None for all."""
        self.documents = documents
        self._generation = generation
        self.dense: Dense
        self.lexical: Lexical
        self.vocabulary: Words
        self.suggestions: Suggestions
        if len(parts) == 1:
            [part] = parts
            self.dense, self.lexical = part.dense, part.lexical
            self.vocabulary, self.suggestions = part.vocabulary, part.suggestions
        else:
            self.dense = PooledDense([part.dense for part in parts])
            self.lexical = PooledLexical([part.lexical for part in parts])
            self.vocabulary = PooledVocabulary([part.vocabulary for part in parts])
            self.suggestions = PooledSuggestions([part.suggestions for part in parts])
