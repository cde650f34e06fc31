"""Examples for each who reads: drawn from what they may read, and asked of nothing else."""

import threading
from collections.abc import Callable

from app.answering.answerer import Answerer
from app.answering.examples import Examples
from index.collection_names import Readable
from index.library import Library
from index.views import View

_MOST = 16
"""Sets of collections that examples are made for: those that were asked for last."""


class ReadersExamples:
    """Makes examples for all, and for those who may read some collections once they ask."""

    def __init__(self, library: Library, answerer: Answerer) -> None:
        self._library = library
        self._answerer = answerer
        self._changing = threading.Lock()
        self._of: dict[Readable, Examples] = {}
        self.of(None)

    def of(self, collections: Readable) -> Examples:
        """Those of somebody who may read only `collections`; none at first."""
        with self._changing:
            examples = self._of.pop(collections, None)
            if examples is None:
                examples = Examples(self._library.read_by(collections), self._answerer)
            self._of[collections] = examples  # the last
            if len(self._of) > _MOST:
                del self._of[next(iter(self._of))]
            return examples

    def work(self, view: Callable[[Readable], View]) -> bool:
        """Asks the next question for someone of what `view` gives; False when there is none."""
        with self._changing:
            waiting = list(self._of.items())
        return any(examples.work(view(collections)) for collections, examples in waiting)
