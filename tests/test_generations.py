"""Generations on a real disk: atomic, immutable, checked."""

from pathlib import Path

import numpy as np
import pytest

from index.errors import GenerationMismatchError, LibraryError, NothingPublishedError
from index.generations import Entry, Generations, Manifest, Recipe, empty_matrix

RECIPE = Recipe("sha256:model", 4, 220)
ENTRIES = [Entry(11, "a", "Budsjettet for samhandling"), Entry(12, "b", "Møte om rehabilitering")]
VECTORS = np.eye(2, 4, dtype=np.float32)


@pytest.fixture
def generations(tmp_path: Path) -> Generations:
    return Generations(tmp_path / "generations")


def publish(generations: Generations, revision: int = 1) -> Manifest:
    return generations.publish(ENTRIES, VECTORS, RECIPE, revision)


def test_nothing_published_says_what_to_do(generations: Generations) -> None:
    assert generations.manifest() is None
    with pytest.raises(NothingPublishedError, match="kildesvar ingest"):
        generations.open()


def test_what_is_published_is_searched(generations: Generations) -> None:
    manifest = publish(generations)
    generation = generations.open(RECIPE)
    assert (manifest.documents, manifest.passages, manifest.revision) == (2, 2, 1)
    assert generation.dense.search(VECTORS[1], 1) == [(12, 1.0)]
    [(found, _)] = generation.lexical.search({"rehabilitering"[:11]: 1.0, "møt": 1.0}, 5)
    assert found == 12


def test_an_open_generation_outlives_the_next(generations: Generations) -> None:
    publish(generations)
    held = generations.open()
    generations.publish([ENTRIES[0]], VECTORS[:1], RECIPE, 2)
    generations.publish([ENTRIES[0]], VECTORS[:1], RECIPE, 3)
    generations.publish([ENTRIES[0]], VECTORS[:1], RECIPE, 4)
    assert len(held.dense) == 2
    assert [i for i, _ in held.lexical.search({"møt": 1.0}, 5)] == [12]
    assert len(generations.open().dense) == 1


def test_old_generations_are_collected(generations: Generations, tmp_path: Path) -> None:
    names = [publish(generations, revision).name for revision in range(5)]
    left = sorted(p.name for p in (tmp_path / "generations").iterdir() if p.is_dir())
    assert left == names[-2:]


def test_an_empty_library_is_published_too(generations: Generations) -> None:
    generations.publish([], empty_matrix(4), RECIPE, 1)
    generation = generations.open()
    assert generation.dense.search(VECTORS[0], 5) == []
    assert generation.lexical.search({"møt": 1.0}, 5) == []


@pytest.mark.parametrize(
    ("other", "named"),
    [
        (Recipe("sha256:other", 4, 220), "fingerprint"),
        (Recipe("sha256:model", 4, 100), "max_tokens"),
        (Recipe("sha256:model", 4, 220, analyser_version=99), "analyser_version"),
    ],
)
def test_another_recipe_is_named(generations: Generations, other: Recipe, named: str) -> None:
    publish(generations)
    with pytest.raises(GenerationMismatchError, match=named):
        generations.open(other)


def test_a_damaged_file_is_noticed(generations: Generations, tmp_path: Path) -> None:
    name = publish(generations).name
    path = tmp_path / "generations" / name / "vectors" / "rows.npy"
    raw = bytearray(path.read_bytes())
    raw[-1] ^= 1
    path.write_bytes(raw)
    with pytest.raises(LibraryError, match="damaged"):
        generations.open()
    assert generations.manifest() is None, "so that the next ingest or start publishes anew"


def test_a_damaged_manifest_is_noticed(generations: Generations, tmp_path: Path) -> None:
    name = publish(generations).name
    (tmp_path / "generations" / name / "manifest.json").write_text("{", encoding="utf-8")
    with pytest.raises(LibraryError, match="manifest"):
        generations.open()
    assert generations.manifest() is None


def test_what_a_killed_build_left_is_swept_up(generations: Generations, tmp_path: Path) -> None:
    leftover = tmp_path / "generations" / "building-1"
    leftover.mkdir(parents=True)
    (leftover / "rows.npy").write_bytes(b"half")
    assert generations.manifest() is None
    publish(generations)
    assert not leftover.exists()


def test_a_build_that_fails_leaves_the_current_one(
    generations: Generations, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = publish(generations).name

    def no_room(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("index.generations.write_lexical_index", no_room)
    with pytest.raises(LibraryError, match=r"No space left on device.*make room"):
        publish(generations, 2)
    assert generations.current_name() == name
    assert not list((tmp_path / "generations").glob("building-*"))
