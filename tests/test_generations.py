"""Generations on a real disk: atomic, immutable, checked."""

import random
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from index.analysis import Analyser
from index.engine import Contents, Recipe
from index.errors import GenerationMismatchError, LibraryError, NothingPublishedError
from index.files import Checksums
from index.generations import Generation, Generations, Manifest
from index.layers import LayeredDense
from index.lock import Hold
from index.parts import Entry
from index.records import Ids, PartContents, Version
from index.suggestions import Kind

RECIPE = Recipe("sha256:model", 4, 220)
VECTORS = np.eye(2, 4, dtype=np.float32)
ENTRIES = [
    Entry(11, "a", "Budsjettet for samhandling", VECTORS[0]),
    Entry(12, "b", "Møte om rehabilitering", VECTORS[1]),
]


@pytest.fixture
def generations(tmp_path: Path) -> Generations:
    return Generations(tmp_path / "generations")


def contents(entries: Sequence[Entry], revision: int = 1, edition: int = 1) -> Contents:
    by_id = {entry.passage_id: entry for entry in entries}

    def fetch(ids: Ids) -> Iterator[list[Entry]]:
        for passage_id in ids.tolist():
            yield [by_id[passage_id]]

    ids = np.array(sorted(by_id), np.int64)
    part = PartContents(ids, len({entry.document_id for entry in entries}))
    return Contents(lambda: {"default": part}, Version("library", revision, edition), fetch)


def publish(
    generations: Generations, revision: int = 1, entries: Sequence[Entry] = tuple(ENTRIES)
) -> Manifest:
    return generations.publish(contents(entries, revision), RECIPE)


def test_nothing_published_says_what_to_do(generations: Generations) -> None:
    assert generations.manifest() is None
    with pytest.raises(NothingPublishedError, match="kildesvar ingest"):
        generations.open()


def test_what_is_published_is_searched(generations: Generations) -> None:
    manifest = publish(generations)
    generation = generations.open(RECIPE)
    assert (manifest.documents, manifest.passages, manifest.version.revision) == (2, 2, 1)
    assert generation.dense.search(VECTORS[1], 1) == [(12, 1.0)]
    [(found, _)] = generation.lexical.search({"rehabilitering"[:11]: 1.0, "møt": 1.0}, 5)
    assert found == 12


def test_an_open_generation_outlives_the_next(generations: Generations) -> None:
    publish(generations)
    held = generations.open()
    publish(generations, 2, ENTRIES[:1])
    publish(generations, 3, ENTRIES[:1])
    publish(generations, 4, ENTRIES[:1])
    assert len(held.dense) == 2
    assert [i for i, _ in held.lexical.search({"møt": 1.0}, 5)] == [12]
    assert len(generations.open().dense) == 1


def test_generations_that_nobody_holds_are_collected(
    generations: Generations, tmp_path: Path
) -> None:
    publish(generations, 0)
    held = generations.open()
    names = [publish(generations, revision).name for revision in range(1, 4)]
    remaining = generations.collect()
    assert {manifest.name for manifest in remaining} == {held.name, names[-1]} == folders(tmp_path)
    assert len(Generation(tmp_path / "generations" / held.name, held.manifest, Hold()).dense) == 2
    del held
    generations.collect()
    assert folders(tmp_path) == {names[-1]}


def test_a_generation_held_by_another_process_is_not_collected(
    generations: Generations, tmp_path: Path
) -> None:
    name = publish(generations, 1).name
    code = (
        "import sys; from pathlib import Path; from index.generations import Generations; "
        "held = Generations(Path(sys.argv[1])).open(); print('held', flush=True); sys.stdin.read()"
    )
    reader = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path / "generations")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert reader.stdout is not None
    assert reader.stdout.readline() == "held\n"
    publish(generations, 2)
    generations.collect()
    assert name in folders(tmp_path)
    reader.kill()
    reader.communicate()
    generations.collect()
    assert name not in folders(tmp_path)


def test_a_generation_that_is_collected_while_it_is_opened_makes_way_for_the_next(
    generations: Generations, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(generations, 1)
    real = Generations.current_name
    newer: list[int] = []

    def overtaken(self: Generations) -> str | None:
        name = real(self)
        if not newer:
            newer.append(2)  # which looks for the current one itself
            publish(generations, 2)
            generations.collect()
        return name

    monkeypatch.setattr(Generations, "current_name", overtaken)
    assert generations.open().manifest.version.revision == 2


class Growing:
    """A set of passages and its generations, each of which may grow from the one before."""

    def __init__(self, generations: Generations, chance: random.Random) -> None:
        self.generations = generations
        self.chance = chance
        self.entries: dict[int, Entry] = {}
        self.next_id = 1
        self.revision = 0

    def add(self, count: int) -> None:
        for _ in range(count):
            vector = np.array([self.chance.gauss(0, 1) for _ in range(4)], np.float32)
            vector /= np.linalg.norm(vector)
            own = f"særord{'abcdefghij'[self.next_id % 10]}{letters(self.next_id)}"
            text = f"Felles ord og {own}"
            self.entries[self.next_id] = Entry(
                self.next_id, f"d{self.next_id % 7}", text, vector, text, None, (f"Om {own}",)
            )
            self.next_id += 1

    def remove(self, count: int) -> list[Entry]:
        gone = self.chance.sample(sorted(self.entries), min(count, len(self.entries)))
        return [self.entries.pop(passage_id) for passage_id in gone]

    def publish(self) -> Manifest:
        self.revision += 1
        return publish(self.generations, self.revision, list(self.entries.values()))

    def check(self, gone: Sequence[Entry]) -> None:
        """The open generation finds what is there, as a flat one would, and nothing else."""
        generation = self.generations.open(RECIPE)
        assert len(generation.dense) == len(self.entries) == generation.manifest.passages
        question = np.array([0.5, 0.5, 0.5, 0.5], np.float32)
        expected = sorted((-float(e.vector @ question), i) for i, e in self.entries.items())
        found = generation.dense.search(question, 10)
        np.testing.assert_allclose([-s for _, s in found], [s for s, _ in expected[:10]], atol=1e-6)
        assert {i for i, _ in generation.lexical.search({"fell": 1.0}, 10_000)} == set(self.entries)
        for entry in self.entries.values():
            word = entry.text.split()[-1]
            assert generation.vocabulary.count(word) == 1
            assert [i for i, _ in generation.lexical.search(words(word), 5)] == [entry.passage_id]
            assert suggested(generation, word) == [(word, 1), (f"Om {word}", 1)]
        for entry in gone:
            word = entry.text.split()[-1]
            assert generation.vocabulary.count(word) == 0
            assert not generation.vocabulary.still_stands(word)
            assert generation.lexical.search(words(word), 5) == []
            assert suggested(generation, word) == []
            assert entry.passage_id not in {
                i for i, _ in generation.dense.search(entry.vector, len(self.entries) + 1)
            }


def suggested(generation: Generation, word: str) -> list[tuple[str, int]]:
    """The terms and headings that have just that word, with their numbers."""
    index = generation.suggestions
    return [
        counted
        for kind in (Kind.TERM, Kind.HEADING)
        for counted in index.with_word(kind, word, index.within(None), 5)
    ]


def words(text: str) -> dict[str, float]:
    return dict.fromkeys(Analyser().words(text)[:1], 1.0)


def letters(number: int) -> str:
    """The number in letters, since a word has no digits."""
    return "".join("abcdefghij"[int(digit)] for digit in str(number))


def base_ids(generations: Generations) -> Ids:
    dense = generations.open().dense
    assert isinstance(dense, LayeredDense)
    return dense.base_ids


def folders(tmp_path: Path) -> set[str]:
    return {path.name for path in (tmp_path / "generations").iterdir() if path.is_dir()}


@pytest.fixture
def grown_at_any_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("index.generations._SMALL", 0)


@pytest.mark.usefixtures("grown_at_any_size")
@pytest.mark.parametrize("seed", range(4))
def test_generations_that_grow_hold_what_they_should(generations: Generations, seed: int) -> None:
    growing = Growing(generations, random.Random(seed))
    growing.add(60)
    growing.publish()
    gone: list[Entry] = []
    for _ in range(8):
        growing.add(growing.chance.choice([0, 1, 3]))
        gone += growing.remove(growing.chance.choice([0, 1, 2]))
        growing.publish()
        growing.check(gone)


@pytest.mark.usefixtures("grown_at_any_size")
def test_a_small_change_shares_the_base_and_leaves_the_one_before_as_it_was(
    generations: Generations, tmp_path: Path
) -> None:
    growing = Growing(generations, random.Random(1))
    growing.add(100)
    first = growing.publish()
    before = generations.open(RECIPE)
    checksums = Checksums().of(before.folder)
    growing.add(2)
    gone = growing.remove(3)
    second = growing.publish()
    growing.check(gone)
    assert Checksums().of(before.folder) == checksums
    assert before.lexical.has(Analyser().words(gone[0].text)[-1])
    for name in ("default/base/ids.npy", "default/base/rows.npy"):
        old, new = (tmp_path / "generations" / m.name / name for m in (first, second))
        assert old.samefile(new)


@pytest.mark.usefixtures("grown_at_any_size")
def test_a_base_that_has_changed_too_much_is_made_anew_after_the_change_is_published(
    generations: Generations, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    growing = Growing(generations, random.Random(1))
    growing.add(100)
    growing.publish()
    growing.remove(8)
    name = growing.publish().name
    assert len(np.load(tmp_path / "generations" / name / "default" / "gone.npy")) == 8
    growing.remove(8)
    made: list[str] = []
    real = Generations._make_current

    def counted(self: Generations, name: str) -> None:
        made.append(name)
        real(self, name)

    monkeypatch.setattr(Generations, "_make_current", counted)
    name = growing.publish().name
    assert len(made) == 2, "first the change, then the new base"
    assert len(np.load(tmp_path / "generations" / name / "default" / "gone.npy")) == 0
    growing.check([])


@pytest.mark.usefixtures("grown_at_any_size")
def test_a_damaged_generation_is_not_grown_from(generations: Generations, tmp_path: Path) -> None:
    growing = Growing(generations, random.Random(1))
    growing.add(100)
    name = growing.publish().name
    path = tmp_path / "generations" / name / "default" / "base" / "rows.npy"
    path.write_bytes(path.read_bytes()[:-1])
    growing.add(1)
    growing.publish()
    growing.check([])


def test_compaction_leaves_nothing_of_what_was_removed(
    generations: Generations, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("index.generations._SMALL", 0)
    growing = Growing(generations, random.Random(1))
    growing.add(100)
    growing.publish()
    [gone] = growing.remove(1)
    growing.publish()
    assert gone.passage_id in base_ids(generations), "it is marked, not written anew"
    generations.compact(contents(list(growing.entries.values()), 9), RECIPE)
    generations.collect()
    assert gone.passage_id not in base_ids(generations)
    assert len(folders(tmp_path)) == 1
    growing.check([gone])


def test_an_empty_library_is_published_too(generations: Generations) -> None:
    publish(generations, 1, [])
    generation = generations.open()
    assert generation.dense.search(VECTORS[0], 5) == []
    assert generation.lexical.search({"møt": 1.0}, 5) == []


@pytest.mark.parametrize(
    ("other", "named"),
    [
        (Recipe("sha256:other", 4, 220), "fingerprint"),
        (Recipe("sha256:model", 4, 220, analyser_version=99), "analyser_version"),
    ],
)
def test_another_recipe_is_named(generations: Generations, other: Recipe, named: str) -> None:
    publish(generations)
    with pytest.raises(GenerationMismatchError, match=named):
        generations.open(other)


def test_a_damaged_file_is_noticed(generations: Generations, tmp_path: Path) -> None:
    name = publish(generations).name
    path = tmp_path / "generations" / name / "default" / "base" / "rows.npy"
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
    (leftover / "vectors.faiss").write_bytes(b"half")
    assert generations.manifest() is None
    publish(generations)
    generations.collect()
    assert not leftover.exists()


def test_a_build_that_fails_leaves_the_current_one(
    generations: Generations, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = publish(generations).name

    def no_room(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("index.parts.write_layers", no_room)
    with pytest.raises(LibraryError, match=r"No space left on device.*make room"):
        publish(generations, 2, ENTRIES[:1])
    assert generations.current_name() == name
    assert not list((tmp_path / "generations").glob("building-*"))
