"""The dense index on a real disk, with and without codes, against the plain arithmetic."""

import re
import subprocess
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.dense import DenseIndex, write_dense_index
from index.embedding.encoder import Matrix, Vector
from index.lexical import Scored
from index.records import IdRanges, Ids

ROOT = Path(__file__).resolve().parents[1]
EXACT, CODES = 50_000, 0
Make = Callable[..., DenseIndex]


def unit_rows(count: int, dimension: int = 8, seed: int = 3) -> Matrix:
    rows = np.random.default_rng(seed).normal(size=(count, dimension)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return rows


IDS = np.array([1, 7, 9, 11, 2**53], dtype=np.int64)
VECTORS = unit_rows(len(IDS))


@pytest.fixture(params=[EXACT, CODES], ids=["exact", "codes"])
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Make:
    """Writes and opens an index of one kind or the other, two vectors at a time."""

    def made(
        ids: Ids = IDS,
        vectors: Matrix = VECTORS,
        without: Ids | None = None,
        exact_up_to: int = request.param,
    ) -> DenseIndex:
        folder = tmp_path / "vektorer på Ås"
        batches = (vectors[start : start + 2] for start in range(0, len(vectors), 2))
        write_dense_index(folder, ids, batches, exact_up_to)
        return DenseIndex(folder, without, exact_up_to)

    return made


def brute_force(ids: Ids, vectors: Matrix, vector: Vector, limit: int) -> list[Scored]:
    scores = vectors @ vector
    order = np.argsort(-scores, kind="stable")[:limit]
    return list(zip(ids[order].tolist(), scores[order].tolist(), strict=True))


def ranges(ids: Sequence[int] | Ids, others: bool = False) -> IdRanges:
    """Those ids, each a range of its own."""
    first = np.array(ids, dtype=np.int64)
    return IdRanges(np.stack([first, first + 1], axis=1), others)


def assert_same(found: list[Scored], expected: list[Scored]) -> None:
    """The same scores; and the same passages, but where two score alike."""
    scores = [score for _, score in found]
    assert scores == pytest.approx([score for _, score in expected], abs=1e-6)
    assert len({id_ for id_, _ in found}) == len(found)


def test_a_search_gives_the_cosines_best_first(make: Make) -> None:
    index, query = make(), unit_rows(9)[-1]
    expected = brute_force(IDS, VECTORS, query, 3)
    found = index.search(query, 3)
    assert [id_ for id_, _ in found] == [id_ for id_, _ in expected]
    assert_same(found, expected)


def test_a_vector_finds_itself_first(make: Make) -> None:
    index = make()
    for id_, vector in zip(IDS.tolist(), VECTORS, strict=True):
        [(found, score)] = index.search(vector, 1)
        assert found == id_
        assert score == pytest.approx(1.0)


def test_a_search_among_some_gives_only_those(make: Make) -> None:
    index = make()
    found = index.search(VECTORS[0], 10, ranges([11, 2**53, 404, 11]))
    assert {id_ for id_, _ in found} == {11, 2**53}
    assert len(found) == 2
    assert len(index.search(VECTORS[0], 1, ranges([11, 2**53]))) == 1
    assert index.search(VECTORS[0], 10, ranges([])) == []
    assert index.search(VECTORS[0], 10, ranges([404, 2**60, -1])) == []
    several = IdRanges(np.array([[8, 12], [-5, 2], [12, 12]]))
    assert {id_ for id_, _ in index.search(VECTORS[0], 10, several)} == {1, 9, 11}


def test_a_search_among_all_but_some_gives_no_others(make: Make) -> None:
    index = make(without=np.array([9]))
    found = index.search(VECTORS[0], 10, ranges([11, 404], others=True))
    assert {id_ for id_, _ in found} == {1, 7, 2**53}
    assert len(index.search(VECTORS[0], 10, ranges([], others=True))) == 4
    assert index.search(VECTORS[0], 10, ranges(IDS, others=True)) == []


def test_what_it_is_opened_without_is_not_there(make: Make) -> None:
    index = make(without=np.array([7, 2**53, 404]))
    assert len(index) == 3
    assert {id_ for id_, _ in index.search(VECTORS[1], 10)} == {1, 9, 11}
    assert {id_ for id_, _ in index.search(VECTORS[1], 10, ranges([7, 9]))} == {9}
    assert index.search(VECTORS[1], 10, ranges([7])) == []
    assert index.holds([7, 9, 404]).tolist() == [False, True, False]
    assert index.ids.tolist() == IDS.tolist()
    with pytest.raises(KeyError, match="7"):
        index.similarities(VECTORS[1], [9, 7])
    with pytest.raises(KeyError, match="7"):
        index.rows([7])


def test_opened_without_all_it_finds_nothing(make: Make) -> None:
    index = make(without=IDS)
    assert len(index) == 0
    assert index.search(VECTORS[0], 5) == []


def test_the_limit_may_be_more_than_there_is_or_nothing(make: Make) -> None:
    index = make()
    assert len(index) == 5
    assert len(index.search(VECTORS[0], 1000)) == 5
    assert index.search(VECTORS[0], 0) == []


def test_similarities_and_rows_come_in_the_order_asked_for(make: Make) -> None:
    index, asked = make(), [9, 7, 2**53, 9]
    rows = VECTORS[[IDS.tolist().index(id_) for id_ in asked]]
    assert index.similarities(VECTORS[4], asked) == pytest.approx(rows @ VECTORS[4], abs=1e-6)
    assert index.rows(asked).tolist() == rows.tolist()
    assert index.rows([]).shape == (0, 8)
    for unknown in (404, 2**60, 0):
        with pytest.raises(KeyError, match=str(unknown)):
            index.similarities(VECTORS[4], [9, unknown])


def test_an_empty_index_finds_nothing(make: Make) -> None:
    empty = make(np.empty(0, np.int64), np.empty((0, 8), np.float32), np.array([1]))
    assert len(empty) == 0
    assert empty.search(VECTORS[0], 5) == []
    assert empty.search(VECTORS[0], 5, ranges([1])) == []
    assert len(empty.similarities(VECTORS[0], [])) == 0
    assert empty.holds([1]).tolist() == [False]


def test_a_vector_of_another_dimension_is_refused(make: Make) -> None:
    index = make()
    with pytest.raises(ValueError, match="8"):
        index.search(VECTORS[0][:4], 1)


@pytest.mark.parametrize(
    ("ids", "shapes", "named"),
    [
        ([1, 3, 2], [(3, 8)], "ascend"),
        ([1, 1, 2], [(3, 8)], "ascend"),
        ([1, 2, 3], [(2, 8)], "3 ids, but 2"),
        ([1, 2, 3], [(2, 8), (2, 8)], "3 ids, but 4"),
        ([1, 2, 3], [(2, 8), (1, 4)], "8 and of 4"),
    ],
)
def test_ids_and_rows_that_do_not_fit_are_refused(
    tmp_path: Path, ids: list[int], shapes: list[tuple[int, int]], named: str
) -> None:
    batches = (np.ones(shape, np.float32) for shape in shapes)
    with pytest.raises(ValueError, match=named):
        write_dense_index(tmp_path / "index", np.array(ids), batches)


@given(st.data())
def test_every_search_is_the_brute_force(data: st.DataObject) -> None:
    """Few enough rows that the candidates taken by their codes are all there are."""
    count = data.draw(st.integers(1, 40))
    some = st.lists(st.integers(0, 120), max_size=60)
    ids = np.array(sorted(data.draw(st.sets(st.integers(0, 100), min_size=count, max_size=count))))
    without, among = np.array(data.draw(some), np.int64), data.draw(st.none() | some)
    limit, exact_up_to = data.draw(st.integers(10, 50)), data.draw(st.integers(0, 40))
    vectors = unit_rows(count, seed=data.draw(st.integers(0, 9)))
    query = unit_rows(1, seed=99)[0]
    allowed = ~np.isin(ids, without)
    others = data.draw(st.booleans())
    if among is not None:
        allowed &= np.isin(ids, among, invert=others)
    with TemporaryDirectory() as temporary:
        folder = Path(temporary) / "index"
        write_dense_index(folder, ids, [vectors], exact_up_to)
        index = DenseIndex(folder, without, exact_up_to)
        found = index.search(query, limit, None if among is None else ranges(among, others))
        assert_same(found, brute_force(ids[allowed], vectors[allowed], query, limit))
        assert len(index) == np.count_nonzero(~np.isin(ids, without))
        known = [id_ for id_, _ in found]
        assert index.similarities(query, known).tolist() == [score for _, score in found]


def test_codes_find_nearly_all_and_score_them_exactly(tmp_path: Path) -> None:
    vectors, limit = unit_rows(3000, 384), 50
    ids = np.arange(3000, dtype=np.int64) * 3
    write_dense_index(tmp_path / "index", ids, np.array_split(vectors, 7), exact_up_to=1000)
    assert (tmp_path / "index" / "codes.faiss").exists()
    deleted = np.arange(3000) % 10 == 0
    index = DenseIndex(tmp_path / "index", ids[deleted], exact_up_to=1000)
    for among in (None, np.arange(3000) % 2 == 0):
        allowed = ~deleted if among is None else ~deleted & among
        missed = 0
        for query in vectors[:20] + 0.1 * unit_rows(20, 384, seed=4):
            found = index.search(query, limit, None if among is None else ranges(ids[among]))
            expected = dict(brute_force(ids[allowed], vectors[allowed], query, limit))
            missed += len(expected.keys() - {id_ for id_, _ in found})
            rows = np.array([id_ // 3 for id_, _ in found])
            assert allowed[rows].all()
            assert [score for _, score in found] == pytest.approx(vectors[rows] @ query, abs=1e-6)
            assert [score for _, score in found] == sorted((s for _, s in found), reverse=True)
        assert missed <= 20, "of 1000"


def test_a_narrow_filter_is_searched_exactly(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("index.dense._CANDIDATES", 1)
    monkeypatch.setattr("index.dense._FEWEST_CANDIDATES", 1)
    ids, vectors, query = np.arange(3000), unit_rows(3000, 64), unit_rows(1, 64, seed=4)[0]
    write_dense_index(tmp_path / "index", ids, [vectors], exact_up_to=1000)
    index = DenseIndex(tmp_path / "index", exact_up_to=1000)
    narrow, wide = ids[::3], ids[: 2 * len(ids) // 3]
    assert_same(
        index.search(query, 50, ranges(narrow)), brute_force(narrow, vectors[::3], query, 50)
    )
    by_codes = {id_ for id_, _ in index.search(query, 50, ranges(wide))}
    assert by_codes != {id_ for id_, _ in brute_force(wide, vectors[wide], query, 50)}


def test_a_small_index_has_no_codes(tmp_path: Path) -> None:
    write_dense_index(tmp_path / "index", IDS, [VECTORS])
    assert sorted(p.name for p in (tmp_path / "index").iterdir()) == ["ids.npy", "rows.npy"]


def test_threads_search_the_same_index(make: Make) -> None:
    vectors = unit_rows(500, 32)
    index = make(np.arange(500), vectors, without=np.array([3]))

    even = ranges(np.arange(0, 500, 2))

    def search(number: int) -> list[Scored]:
        return index.search(vectors[number], 5, None if number % 2 else even)

    expected = [search(number) for number in range(64)]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(search, list(range(64)) * 4)) == expected * 4


@pytest.mark.parametrize("exact_up_to", [EXACT, CODES], ids=["exact", "codes"])
def test_an_open_index_takes_no_memory_of_its_own(tmp_path: Path, exact_up_to: int) -> None:
    """40,000 rows are 61 MB in rows.npy, 5 MB in codes.faiss."""
    folder, count = tmp_path / "index", 40_000
    rows = unit_rows(2000, 384)
    write_dense_index(folder, np.arange(count), (rows for _ in range(20)), exact_up_to)
    code = f"""
import re
from pathlib import Path
import numpy as np
from index.dense import DenseIndex
def private():
    text = Path("/proc/self/smaps_rollup").read_text()
    return int(re.search(r"Anonymous: *([0-9]+) kB", text)[1])
index = DenseIndex(Path({str(folder)!r}), None, {exact_up_to})
index.search(np.ones(384, np.float32), 100)
before = private()
again = [DenseIndex(Path({str(folder)!r}), None, {exact_up_to}) for _ in range(20)]
assert all(index.search(np.ones(384, np.float32), 100) for index in again)
print(private() - before)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert int(re.findall(r"-?\d+", done.stdout)[0]) < 20 * 1000
