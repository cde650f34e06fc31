"""The dense index: FAISS itself, compared with the plain arithmetic it stands for."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from index.dense import DenseIndex, write_dense_index
from index.embedding.encoder import Matrix

IDS = [7, 2**53, 9, 11, 1]


def unit_rows(count: int, dimension: int = 8) -> Matrix:
    rows = np.random.default_rng(3).normal(size=(count, dimension)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return rows


VECTORS = unit_rows(len(IDS))


@pytest.fixture
def index(tmp_path: Path) -> DenseIndex:
    path = tmp_path / "vektorer på Ås.faiss"
    write_dense_index(path, IDS, VECTORS)
    return DenseIndex(path)


def test_a_search_gives_the_cosines_best_first(index: DenseIndex) -> None:
    query = unit_rows(9)[-1]
    expected = sorted(zip(IDS, (VECTORS @ query).tolist(), strict=True), key=lambda pair: -pair[1])
    found = index.search(query, 3)
    assert [id_ for id_, _ in found] == [id_ for id_, _ in expected[:3]]
    assert [score for _, score in found] == pytest.approx(
        [score for _, score in expected[:3]], abs=1e-6
    )


def test_a_vector_finds_itself_first(index: DenseIndex) -> None:
    for id_, vector in zip(IDS, VECTORS, strict=True):
        [(found, score)] = index.search(vector, 1)
        assert found == id_
        assert score == pytest.approx(1.0)


def test_a_search_among_some_gives_only_those(index: DenseIndex) -> None:
    found = index.search(VECTORS[0], 10, [11, 2**53, 404])
    assert {id_ for id_, _ in found} == {11, 2**53}
    assert len(index.search(VECTORS[0], 1, [11, 2**53])) == 1
    assert index.search(VECTORS[0], 10, []) == []
    assert index.search(VECTORS[0], 10, [404]) == []


def test_the_limit_may_be_more_than_there_is_or_nothing(index: DenseIndex) -> None:
    assert len(index) == 5
    assert len(index.search(VECTORS[0], 100)) == 5
    assert index.search(VECTORS[0], 0) == []


def test_similarities_come_in_the_order_asked_for(index: DenseIndex) -> None:
    asked = [9, 7, 2**53, 9]
    rows = [IDS.index(id_) for id_ in asked]
    assert index.similarities(VECTORS[4], asked) == pytest.approx(
        VECTORS[rows] @ VECTORS[4], abs=1e-6
    )
    with pytest.raises(KeyError):
        index.similarities(VECTORS[4], [404])


def test_an_empty_index_finds_nothing(tmp_path: Path) -> None:
    write_dense_index(tmp_path / "tom.faiss", [], np.zeros((0, 8), np.float32))
    empty = DenseIndex(tmp_path / "tom.faiss")
    assert len(empty) == 0
    assert empty.search(VECTORS[0], 5) == []
    assert empty.search(VECTORS[0], 5, [1]) == []
    assert len(empty.similarities(VECTORS[0], [])) == 0


def test_threads_search_the_same_index(index: DenseIndex) -> None:
    with ThreadPoolExecutor(8) as pool:
        found = pool.map(lambda _: index.search(VECTORS[2], 1, [9, 7])[0][0], range(64))
        assert set(found) == {9}
