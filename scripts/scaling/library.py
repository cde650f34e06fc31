"""What of the library itself grows with it: what each change and each question cost there."""

import random
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from statistics import median
from time import perf_counter, process_time

from app.assembly import Kildesvar
from index.collection_names import DEFAULT
from index.filing import Filing
from index.known_files import KnownFiles
from index.library import Library
from index.records import Filters, Listing, Source
from index.statistics import library_statistics
from scripts.made_library import PASSAGES_A_DOCUMENT, SOME, YEARS, MadeLibrary
from scripts.own_library import own_settings
from scripts.scaling.figures import Figures, load

_RUNS = 5
_HITS = 100
_NEW = Source("/nowhere/new.txt", 1, 1, "sha256:new")
_WIDE = Filters(language=(SOME,))
_NARROW = Filters(dated_from=f"{YEARS[-1]}-01-01", dated_to=f"{YEARS[-1]}-12-31")


class Growing:
    """A library in a data folder, which grows. Its passages are those of `scripts.made_library`."""

    def __init__(self, data_dir: Path) -> None:
        self._kildesvar = Kildesvar(own_settings(data_dir))
        self._library = self._kildesvar.library
        self._made = MadeLibrary(self._library, self._kildesvar.encoder, random.Random(1))
        self._file = data_dir / "library.sqlite3"
        if self._library.is_empty():
            self._kildesvar.ingester().publish()  # which says by what it is made

    def grow(self, passages: int) -> Figures:
        """Puts documents in until there are so many passages; nothing is published."""
        there, _ = self._library.count()
        began, used, before = perf_counter(), process_time(), load()
        for number in range(there, passages // PASSAGES_A_DOCUMENT):
            self._made.put(number)
        _, count = self._library.count()
        return {
            "passages": count,
            "stored_s": round(perf_counter() - began, 1),
            "stored_cpu_s": round(process_time() - used, 1),
            "stored_load": [before, load()],
            "bytes_a_passage": round(self._file.stat().st_size / count),
        }

    def measure(self) -> Figures:
        """Milliseconds of what is done at each change, and at each question or look."""
        figures: Figures = {"load": load()}
        for name, step in self._steps():
            times, used = [], process_time()
            for _ in range(_RUNS):
                began = perf_counter()
                step()
                times.append((perf_counter() - began) * 1000)
            cpu = (process_time() - used) * 1000 / _RUNS
            figures[name] = {"ms": round(median(times), 1), "cpu_ms": round(cpu, 1)}
        return figures

    def close(self) -> None:
        self._kildesvar.close()

    def _steps(self) -> Iterator[tuple[str, Callable[[], object]]]:
        library, edition = self._library, self._library.edition().number
        yield "known_file", partial(_known, library)
        yield "parts", partial(library.parts, edition)
        fingerprint = self._kildesvar.encoder.fingerprint
        yield "forget_unused", partial(library.forget_unused, {edition}, {fingerprint})
        yield "statistics", partial(library_statistics, library, Path("/nowhere"))
        yield "count", library.count
        yield "listing", partial(library.documents, 50, 0, Listing())
        yield "scope_tenth", partial(_within, library, _WIDE)
        yield "scope_year", partial(_within, library, _NARROW)
        _, passages = library.count()
        ids = sorted(random.Random(2).sample(range(1, passages), _HITS))
        yield "hits", partial(library.passages, ids)


def _known(library: Library) -> None:
    """What an upload of a file that is new asks of all others."""
    places = [_NEW.path]
    filing = Filing(library.collection_of_each(places), library.folders(), DEFAULT)
    known = KnownFiles(library, places, filing, ocr=False)
    assert known.deleted_as(_NEW, DEFAULT) is None
    assert known.twin(_NEW, DEFAULT) is None


def _within(library: Library, filters: Filters) -> None:
    scope, _ = library.scope(filters)
    if scope:
        library.passages_within(scope)
