"""The dense half of a generation: passage vectors on disk, searched by cosine.

    ids.npy      int64[n], ascending
    rows.npy     float32[n, d], the unit vectors in the order of the ids
    codes.faiss  the rows in 2 bits a dimension, of an index too large to score every row

All are mapped into memory: they open at once, and the processes that read them share one copy.
Every score comes from the rows. The codes (FAISS's RaBitQ) only tell which rows are worth scoring.
"""

from collections.abc import Iterable, Sequence
from itertools import chain
from pathlib import Path
from typing import Any, cast

import faiss
import numpy as np
import numpy.typing as npt

from index.embedding.encoder import Matrix, Vector
from index.lexical import Scored
from index.records import IdRanges, Ids

_Rows = npt.NDArray[np.int64]
"""Numbers of rows, from 0."""
_Mask = npt.NDArray[np.bool_]

EXACT_UP_TO = 50_000
"""As many passages, of an index or within a filter, are scored one by one, in 2.5 ms at most, and
nothing can be missed. Beyond, the codes take half as long or less (docs/vectors.md)."""

_CODES = "RaBitQ2"
_CANDIDATES = 4
_FEWEST_CANDIDATES = 100
"""Rows scored after a look at the codes: four for each one wanted, of which 997 in 1000 are then
found, and never so few that the very nearest is missed (docs/vectors.md)."""

_SAMPLE = 50_000
"""Rows whose middle the codes are made around."""
_BLOCK = 10_000

_faiss = cast(Any, faiss)  # The stubs lack half of what is used here.


def write_dense_index(
    folder: Path, ids: Ids, batches: Iterable[Matrix], exact_up_to: int = EXACT_UP_TO
) -> None:
    """Writes unit vectors, float32[m, d] a batch, under strictly ascending `ids` to a new `folder`.

    Holds one batch at a time. An index of more than `exact_up_to` gets codes. Raises ValueError
    when the ids do not ascend or there is not one row for each.
    """
    if not np.all(ids[1:] > ids[:-1]):
        raise ValueError("the ids of a dense index must ascend, each once")
    folder.mkdir()
    np.save(folder / "ids.npy", np.asarray(ids, dtype=np.int64))
    _write_rows(folder / "rows.npy", len(ids), batches)
    if len(ids) > exact_up_to:
        _write_codes(folder / "codes.faiss", _mapped(folder / "rows.npy"))


def _write_rows(path: Path, count: int, batches: Iterable[Matrix]) -> None:
    """Writes a .npy file batch by batch. A mapped one would kill the process on a full disk."""
    batches = iter(batches)
    first = next(batches, np.empty((0, 0), dtype=np.float32))
    dimension, written = first.shape[1], 0
    header = {"descr": "<f4", "fortran_order": False, "shape": (count, dimension)}
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, header)
        for batch in chain([first], batches):
            if batch.shape[1] != dimension:
                raise ValueError(f"vectors of {dimension} and of {batch.shape[1]} dimensions")
            file.write(batch.astype("<f4", order="C", copy=False).data)
            written += len(batch)
    if written != count:
        raise ValueError(f"{count} ids, but {written} vectors")


def _write_codes(path: Path, rows: Matrix) -> None:
    codes = _faiss.index_factory(rows.shape[1], _CODES, faiss.METRIC_INNER_PRODUCT)
    codes.train(rows[:: -(-len(rows) // _SAMPLE)])
    for start in range(0, len(rows), _BLOCK):
        codes.add(rows[start : start + _BLOCK])
    try:
        _faiss.write_index(codes, str(path))
    except RuntimeError as error:  # FAISS's way to say that a disk is full
        raise OSError(str(error)) from error


def _mapped(path: Path) -> npt.NDArray[Any]:
    return np.asarray(np.load(path, mmap_mode="r"))


class DenseIndex:
    """Nearest neighbours by cosine. Safe to share between threads: it is never changed.

    `without` are ids to go on as though they were not there. They are told once, so that no search
    has to sort them out. A filter that leaves up to `exact_up_to` passages is searched exactly.
    """

    def __init__(
        self, folder: Path, without: Ids | None = None, exact_up_to: int = EXACT_UP_TO
    ) -> None:
        self.ids: Ids = _mapped(folder / "ids.npy")
        """All ids that were written, those of `without` too."""
        self._rows: Matrix = _mapped(folder / "rows.npy")
        self._codes = _open_codes(folder / "codes.faiss")
        self._exact_up_to = exact_up_to
        self._living = np.ones(len(self.ids), dtype=np.bool_)
        if without is not None:
            places, here = self._places(without)
            self._living[places[here]] = False
        self._all_living = None if self._living.all() else _selector(self._living)
        self._count = int(np.count_nonzero(self._living))

    def __len__(self) -> int:
        """How many can be found."""
        return self._count

    def holds(self, ids: Sequence[int] | Ids) -> _Mask:
        """Of each of `ids`, whether it can be found here."""
        return self._places(ids)[1]

    def rows(self, ids: Sequence[int] | Ids) -> Matrix:
        """The vectors float32[len(ids), d] of passages that are known to be here, else KeyError."""
        return self._rows[self._known(ids)]

    def similarities(self, vector: Vector, ids: Sequence[int] | Ids) -> npt.NDArray[np.float32]:
        """Cosines float32[len(ids)] of passages that are known to be here, else KeyError."""
        return self._cosines(vector, self._known(ids))

    def search(self, vector: Vector, limit: int, among: IdRanges | None = None) -> list[Scored]:
        """The `limit` passages nearest to `vector`, best first, of those here in `among` if given.

        The scores are exact; from codes, a few of the farthest neighbours may be missed.
        """
        allowed = self._living if among is None else self._mask(among)
        count = self._count if among is None else int(np.count_nonzero(allowed))
        limit = min(limit, count)
        if limit <= 0:
            return []
        if self._codes is None or count <= self._exact_up_to:
            rows = np.flatnonzero(allowed)
        else:
            selector = self._all_living if among is None else _selector(allowed)
            wanted = max(_CANDIDATES * limit, _FEWEST_CANDIDATES)
            rows = self._candidates(vector, min(wanted, count), selector)
        return self._best(vector, limit, rows)

    def _best(self, vector: Vector, limit: int, rows: _Rows) -> list[Scored]:
        """The `limit` nearest of `rows`, which are more than none and ascend."""
        scores = self._cosines(vector, rows)
        if len(rows) > limit:
            nearest = np.sort(np.argpartition(-scores, limit - 1)[:limit])
            rows, scores = rows[nearest], scores[nearest]
        order = np.argsort(-scores, kind="stable")
        return list(zip(self.ids[rows[order]].tolist(), scores[order].tolist(), strict=True))

    def _candidates(self, vector: Vector, count: int, selector: Any) -> _Rows:
        """Numbers of the `count` rows whose codes are nearest to `vector`, ascending."""
        _on_one_core()
        parameters = _faiss.RaBitQSearchParameters(sel=selector)
        query = vector.reshape(1, self._rows.shape[1])
        _, rows = self._codes.search(query, count, params=parameters)
        return np.sort(rows[0][rows[0] >= 0])

    def _cosines(self, vector: Vector, rows: _Rows) -> npt.NDArray[np.float32]:
        """Cosines of rows by number, read in place: a gathered copy takes five times as long."""
        scores = np.empty(len(rows), dtype=np.float32)
        if not len(rows):
            return scores
        dimension = self._rows.shape[1]
        # FAISS is given bare pointers, and would read past the end of anything else.
        vector = np.ascontiguousarray(vector, dtype=np.float32).reshape(dimension)
        _on_one_core()
        arrays = scores, vector, self._rows, rows
        _faiss.fvec_inner_products_by_idx(*map(_faiss.swig_ptr, arrays), dimension, 1, len(rows))
        return scores

    def _known(self, ids: Sequence[int] | Ids) -> _Rows:
        """Numbers of the rows of `ids`; KeyError names one that is not here."""
        places, here = self._places(ids)
        if not here.all():
            raise KeyError(int(np.asarray(ids)[~here][0]))
        return places

    def _mask(self, among: IdRanges) -> _Mask:
        """Which rows have an id of `among` and can be found."""
        edges = np.searchsorted(self.ids, among.ranges)
        steps = np.zeros(len(self.ids) + 1, dtype=np.int64)
        np.add.at(steps, edges[:, 0], 1)
        np.subtract.at(steps, edges[:, 1], 1)
        inside = np.cumsum(steps[:-1]) > 0
        return (~inside if among.others else inside) & self._living

    def _places(self, ids: Sequence[int] | Ids) -> tuple[_Rows, _Mask]:
        """Where in the order each of `ids` stands or would, and whether it can be found there."""
        wanted = np.asarray(ids, dtype=np.int64)
        places = np.searchsorted(self.ids, wanted)
        here = places < len(self.ids)
        inside = places[here]
        here[here] = (self.ids[inside] == wanted[here]) & self._living[inside]
        return places, here


def _open_codes(path: Path) -> Any:
    """The codes, read-only: to add to a mapped index ends the process. None when there are none."""
    return _faiss.read_index(str(path), faiss.IO_FLAG_MMAP_IFC) if path.exists() else None


def _selector(rows: _Mask) -> Any:
    return _faiss.IDSelectorBitmap(np.packbits(rows, bitorder="little"))


def _on_one_core() -> None:
    """One core for one question: questions come side by side. OpenMP keeps this by thread."""
    faiss.omp_set_num_threads(1)
