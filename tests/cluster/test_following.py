"""An index in a real cluster that follows a library: by its outbox, and by comparing all of it."""

import signal
import subprocess
import sys
import threading
import uuid
from collections.abc import Callable, Collection, Iterator
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from index.backup import back_up, restore
from index.engine import Contents, Recipe
from index.errors import IndexConfigurationError, IndexUnavailableError, LibraryError
from index.generations import Generations
from index.ingest import Ingester
from index.library import Library
from index.opensearch import engine as engine_module
from index.opensearch import following
from index.opensearch.bulk import Action, write
from index.opensearch.client import Address, Cluster, Search
from index.opensearch.engine import OpenSearchEngine, last_id
from index.opensearch.mapping import Layout, body_of, digest_of
from index.opensearch.series import Catalogue
from index.outbox import Outbox
from index.parts import Entry
from index.passages import PassageSettings
from scripts.trial_kills import HashingEncoder
from tests.cluster.opensearch import Cluster as Server
from tests.conftest import ROOT
from tests.running import wait_until
from tests.test_library import FINGERPRINT
from tests.test_outbox import BODIES, PATHS, put, source

RECIPE = Recipe(FINGERPRINT, 2, 220)
EVERYTHING = {"query": {"match_all": {}}, "size": 1000, "docvalue_fields": ["document", "digest"]}


def no_entries(_: Any) -> Iterator[Any]:
    raise AssertionError("an engine that follows reads entries itself")


class House:
    """A library, and an index of it under a name of its own."""

    def __init__(self, root: Path, server: Server) -> None:
        self.root, self.urls = root, tuple(server.urls.split(","))
        self.library = Library.open(root / "library.sqlite3")
        self.outbox = Outbox(self.library)
        self.layout = Layout(f"t{uuid.uuid4().hex[:12]}", 1, 0)
        self.cluster = Cluster(Address(self.urls))
        self.engine = self.engine_at(*self.urls)

    def engine_at(self, *urls: str) -> OpenSearchEngine:
        return OpenSearchEngine(self.library, Cluster(Address(urls)), self.layout)

    def publish(self, recipe: Recipe = RECIPE) -> None:
        version = self.library.version()
        self.engine.publish(Contents(dict, version, no_entries), recipe)
        assert self.engine.is_current(version, recipe)

    def hits(self, pattern: str) -> list[dict[str, Any]]:
        search = Search([pattern], EVERYTHING)
        found: list[dict[str, Any]] = self.cluster.search(search)["hits"]["hits"]
        return found

    def indexed(self) -> dict[int, tuple[str, str, str]]:
        """What is found under the alias: by passage its document, collection and digest."""
        hits = self.hits(self.layout.name)
        told = {
            int(hit["_id"]): (
                hit["fields"]["document"][0],
                hit["_index"].split("-", 3)[-1],
                hit["fields"]["digest"][0],
            )
            for hit in hits
        }
        assert len(told) == len(hits), "no passage stands in two indices"
        return told

    def expected(self) -> dict[int, tuple[str, str, str]]:
        standing, _ = self.outbox.standing_after(0, self.library.edition().number, 1000)
        return {
            one.passage_id: (one.facts.document_id, one.facts.collection, digest_of(one.facts))
            for one in standing
        }

    def index_of(self, collection: str = "default") -> str:
        """Name of the index of a collection that is searched."""
        names = self.cluster.client.indices.get_alias(name=self.layout.name)
        return str(next(name for name in names if name.endswith(f"-{collection}")))

    def states(self) -> dict[str, str]:
        """The state of each index, by name."""
        return {index.name: index.state for index in self.engine.status().indices}

    def close(self) -> None:
        self.cluster.client.indices.delete(index=f"{self.layout.name}-*")
        self.cluster.close()
        self.engine.close()
        self.library.close()


@pytest.fixture
def house(tmp_path: Path, one_node: Server) -> Iterator[House]:
    made = House(tmp_path, one_node)
    yield made
    made.close()


def test_each_change_reaches_the_index(house: House) -> None:
    put(house.library, PATHS[0], BODIES[0])
    put(house.library, PATHS[1], BODIES[1], "styret")
    house.publish()
    assert house.indexed() == house.expected()
    changes: list[Callable[[], object]] = [
        lambda: put(house.library, PATHS[0], BODIES[2]),
        lambda: house.library.add_copy(PATHS[0], source("/d/annet/x.txt", BODIES[2])),
        lambda: house.library.move(PATHS[1], "nye_møter"),
        lambda: house.library.remove_sources([PATHS[1]]),
    ]
    for change in changes:
        before = house.engine.current_name()
        change()
        assert not house.engine.is_current(house.library.version(), RECIPE)
        house.publish()
        assert house.indexed() == house.expected()
        assert house.engine.current_name() != before
    assert house.outbox.is_empty()


def test_nothing_is_asked_of_the_cluster_while_nothing_changes(house: House) -> None:
    put(house.library, PATHS[0], BODIES[0])
    house.publish()
    away = house.engine_at("http://127.0.0.1:9")
    assert away.current_name() == house.engine.current_name()
    assert away.is_current(house.library.version(), RECIPE)


KILLED = """
import os, signal, sys
from index.engine import Contents, Recipe
from index.library import Library
from index.opensearch.client import Address, Cluster
from index.opensearch.engine import OpenSearchEngine
from index.opensearch.mapping import Layout
from index.opensearch import following
from index.outbox import Outbox
from pathlib import Path

path, urls, name, fingerprint, when = sys.argv[1:]
library = Library.open(Path(path))
write, calls = following.write, []


def kill(*_):
    os.kill(os.getpid(), signal.SIGKILL)


def write_and_kill(*given):
    write(*given)
    calls.append(given)
    if len(calls) == 2:  # what is too much, and then what is new
        kill()


if when == "written":
    following.write = write_and_kill
else:
    Outbox.acknowledge = kill
engine = OpenSearchEngine(library, Cluster(Address(tuple(urls.split(",")))), Layout(name, 1, 0))
engine.publish(Contents(dict, library.version(), None), Recipe(fingerprint, 2, 220))
"""


@pytest.mark.parametrize("when", ["written", "found"])
def test_a_follower_that_is_killed_before_it_says_so_loses_and_doubles_nothing(
    house: House, when: str
) -> None:
    put(house.library, PATHS[0], BODIES[0])
    house.publish()
    put(house.library, PATHS[0], BODIES[1])
    put(house.library, PATHS[1], BODIES[2])
    path, urls = str(house.root / "library.sqlite3"), ",".join(house.urls)
    command = [sys.executable, "-c", KILLED, path, urls, house.layout.name, FINGERPRINT, when]
    killed = subprocess.run(command, cwd=ROOT, check=False)
    assert killed.returncode == -signal.SIGKILL
    if when == "found":
        assert house.indexed() == house.expected()
    put(house.library, PATHS[0], "Rådet er nedlagt.")
    assert house.outbox.waiting().rows >= 2, "but not taken away"
    house.publish()
    assert house.indexed() == house.expected()
    assert house.outbox.is_empty()


def test_what_a_killed_follower_did_is_told_of_when_another_finds_it_done(house: House) -> None:
    put(house.library, PATHS[0], BODIES[0])
    put(house.library, PATHS[1], BODIES[1])
    house.publish()
    mine = frozenset({"default"})
    before = house.engine.open()
    house.library.remove_sources([PATHS[1]])
    gone = [
        hit["_id"]
        for hit in house.hits(house.index_of())
        if int(hit["_id"]) not in house.expected()
    ]
    for passage_id in gone:
        house.cluster.client.delete(
            index=house.index_of(), id=passage_id, params={"refresh": "true"}
        )
    house.publish()
    after = house.engine.open()
    assert after.name != before.name
    assert after.view(mine).name != before.view(mine).name


def test_a_follower_that_was_held_up_cannot_undo_what_another_did_later(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(house.library, PATHS[0], BODIES[0])
    put(house.library, PATHS[1], BODIES[1])
    house.publish()
    house.library.add_copy(PATHS[0], source("/d/flyttet/x.txt", BODIES[0]))
    house.library.add_copy(PATHS[1], source("/d/flyttet/y.txt", BODIES[1]))
    held_up: list[Action] = []

    def hold(_: Cluster, actions: Iterator[Action]) -> None:
        held_up.extend(actions)

    with monkeypatch.context() as patch:
        patch.setattr(following, "write", hold)
        patch.setattr(Outbox, "acknowledge", lambda *_: pytest.fail("it is held up"))
        with pytest.raises(pytest.fail.Exception):
            house.publish()
    assert len(held_up) == 2
    house.library.remove_sources(["/d/flyttet/x.txt"])
    house.library.remove_sources([PATHS[1], "/d/flyttet/y.txt"])
    house.publish()
    expected = house.expected()
    assert house.indexed() == expected
    write(house.cluster, held_up)
    house.cluster.client.indices.refresh(index=house.layout.name)
    assert house.indexed() == expected, "neither what changed nor what is gone is as it was"


def test_a_follower_that_lost_its_lock_has_what_it_wrote_followed_again(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(house.library, PATHS[0], BODIES[0])
    house.publish()
    document_id = put(house.library, PATHS[1], BODIES[1])
    with monkeypatch.context() as patch:
        rows = house.outbox.rows(10)
        patch.setattr(Library, "following", lambda _: nullcontext(lambda: False))
        with pytest.raises(IndexUnavailableError, match="lost"):
            house.publish()
    assert house.outbox.rows(10)[-1].id > rows[-1].id
    assert house.outbox.rows(10)[-1].document_id == document_id
    house.publish()
    assert house.indexed() == house.expected()


def test_what_is_stored_while_the_cluster_is_away_is_found_when_it_is_back(house: House) -> None:
    put(house.library, PATHS[0], BODIES[0])
    house.publish()
    away = house.engine_at("http://127.0.0.1:9")
    put(house.library, PATHS[1], BODIES[1])
    house.library.remove_sources([PATHS[0]])
    version = house.library.version()
    with pytest.raises(IndexUnavailableError, match="can be reached"):
        away.publish(Contents(dict, version, no_entries), RECIPE)
    assert not away.is_current(version, RECIPE)
    house.publish()
    assert house.indexed() == house.expected()


def test_what_is_stored_while_the_disks_are_full_is_found_when_they_are_not(
    house: House, one_node: Server
) -> None:
    put(house.library, PATHS[0], BODIES[0])
    house.publish()
    with one_node.flooded():

        def is_refused() -> bool:
            put(house.library, PATHS[0], BODIES[1])
            try:
                house.publish()
            except IndexUnavailableError as error:
                assert "nearly full" in str(error)
                return True
            return False

        wait_until(is_refused, seconds=60)
        assert not house.outbox.is_empty()

    def is_taken() -> bool:
        try:
            house.publish()
        except IndexUnavailableError:
            return False
        return True

    wait_until(is_taken, seconds=60)
    assert house.indexed() == house.expected()


def test_a_reader_is_not_told_of_changes_to_what_others_read(house: House) -> None:
    put(house.library, PATHS[0], BODIES[0])
    put(house.library, PATHS[1], BODIES[1], "styret")
    house.publish()
    mine = frozenset({"default"})
    before = house.engine.open().view(mine)
    assert before.documents == 1
    put(house.library, PATHS[2], BODIES[2], "styret")
    house.publish()
    assert house.engine.open().view(mine) is before, "with all that it remembers"
    put(house.library, PATHS[3], BODIES[2])
    house.publish()
    assert house.engine.open().view(mine).name != before.name


def test_a_reader_cannot_tell_an_emptied_collection_from_one_that_never_was(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine_module, "_LEAVES_AFTER", 0.0)
    put(house.library, PATHS[0], BODIES[0])
    put(house.library, PATHS[1], BODIES[1], "styret")
    house.publish()
    house.library.remove_sources([PATHS[1]])
    house.publish()
    opened = house.engine.open()
    never = opened.view(frozenset({"aldri"}))
    emptied = opened.view(frozenset({"styret"}))
    assert (emptied.name, emptied.documents) == (never.name, never.documents)
    for _ in range(2):
        house.engine.collect()
    assert all("styret" not in name for name in house.states()), "its index is gone"
    put(house.library, PATHS[1], BODIES[1], "styret")
    house.publish()
    assert house.indexed() == house.expected()


def test_an_index_is_deleted_only_when_nobody_opens_it_any_more(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine_module, "_LEAVES_AFTER", 0.0)
    put(house.library, PATHS[0], BODIES[0])
    put(house.library, PATHS[1], BODIES[1], "styret")
    house.publish()
    emptied = house.index_of("styret")
    house.library.remove_sources([PATHS[1]])
    house.publish()
    before = house.engine.current_name()
    house.engine.collect()
    assert house.engine.current_name() != before, "whoever has it open opens what came after"
    assert emptied in house.states()

    delete = Catalogue.delete

    def delete_and_die(catalogue: Catalogue, indices: Collection[str]) -> None:
        delete(catalogue, indices)
        raise RuntimeError("killed")

    with monkeypatch.context() as patch:
        patch.setattr(Catalogue, "delete", delete_and_die)
        with pytest.raises(RuntimeError):
            house.engine.collect()
    assert emptied not in house.states()
    assert len(house.engine.open().index_names) == 1
    house.engine.collect()
    assert not house.engine.are_several()


DAMAGES: dict[str, Callable[[House], object]] = {
    "missing": lambda house: house.cluster.client.delete(
        index=house.index_of(), id=min(house.expected()), params={"refresh": "true"}
    ),
    "beyond": lambda house: house.cluster.client.index(
        index=house.index_of(),
        id="999999",
        body={"passage": 999999, "document": "ukjent", "vector": [0.6, 0.8]},
        params={"refresh": "true"},
    ),
    "differing": lambda house: house.cluster.client.index(
        index=house.index_of(),
        id=min(house.expected()),
        body={
            "passage": min(house.expected()),
            "document": house.expected()[min(house.expected())][0],
            "digest": "annet",
            "vector": [0.6, 0.8],
        },
        params={"refresh": "true"},
    ),
    "gone": lambda house: house.cluster.client.indices.delete(index=house.index_of("styret")),
    "strange": lambda house: (
        house.cluster.client.indices.delete(index=(name := house.index_of("styret"))),
        house.cluster.client.indices.create(index=name),
    ),
}


@pytest.mark.parametrize("kind", DAMAGES)
def test_damage_is_found_and_mended(house: House, kind: str) -> None:
    for number, body in enumerate(BODIES):
        put(house.library, PATHS[number], body, "styret" if number == 2 else "default")
    house.publish()
    assert list(house.engine.check(mends=False)) == []
    DAMAGES[kind](house)
    [found] = house.engine.check(mends=False)
    counts = {"missing": found.missing, "differing": found.differing, "beyond": found.beyond}
    assert counts.pop(kind if kind in counts else "missing") == 1
    assert set(counts.values()) == {0}
    assert [found] == list(house.engine.check(mends=True))
    assert list(house.engine.check(mends=False)) == []
    assert house.indexed() == house.expected()


def test_what_waits_is_no_damage(house: House) -> None:
    put(house.library, PATHS[0], BODIES[0])
    house.publish()
    put(house.library, PATHS[0], BODIES[1])
    put(house.library, PATHS[1], BODIES[2])
    assert list(house.engine.check(mends=False)) == []


def test_a_new_series_is_filled_beside_the_old_and_taken_up_where_it_was_left(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    for path, body in zip(PATHS, BODIES, strict=False):
        put(house.library, path, body)
    house.publish()
    before, old = house.indexed(), set(house.states())

    class KilledError(Exception):
        pass

    def kill(*_: object, **__: object) -> None:
        raise KilledError

    contents = Contents(dict, house.library.version(), no_entries)
    with monkeypatch.context() as patch:
        patch.setattr(Catalogue, "search_only", kill)
        with pytest.raises(KilledError):
            house.engine.compact(contents, RECIPE)
    assert house.indexed() == before
    filling = {name for name, state in house.states().items() if state == "filling"}
    house.engine.compact(contents, RECIPE)
    assert house.indexed() == before
    assert set(house.states()) == old | filling, "no third one was begun"
    monkeypatch.setattr(engine_module, "_LEAVES_AFTER", 0.0)
    for _ in range(2):
        house.engine.collect()
    assert house.states() == dict.fromkeys(filling, "searched")


def test_a_series_that_was_begun_and_given_up_is_deleted(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine_module, "_LEAVES_AFTER", 0.0)
    put(house.library, PATHS[0], BODIES[0])
    house.publish()
    searched = house.states()

    def kill(*_: object, **__: object) -> None:
        raise RuntimeError("killed")

    contents = Contents(dict, house.library.version(), no_entries)
    with monkeypatch.context() as patch:
        patch.setattr(Catalogue, "search_only", kill)
        with pytest.raises(RuntimeError):
            house.engine.compact(contents, RECIPE)
    assert sorted(house.states().values()) == ["filling", "searched"]
    for _ in range(2):
        house.engine.collect()
    assert house.states() == searched


def test_the_switch_splits_no_question(house: House) -> None:
    """Whatever is asked while all is made anew is answered from one series, and none fails."""
    for path, body in zip(PATHS, BODIES, strict=False):
        put(house.library, path, body)
    house.publish()
    done = threading.Event()
    asked: list[set[str]] = []
    failed: list[BaseException] = []

    def ask() -> None:
        generation = house.engine.open()
        while not done.is_set():
            try:
                if generation.name != house.engine.current_name():
                    generation = house.engine.open()
                names = generation.index_names
                found = house.cluster.search(Search(names, EVERYTHING))["hits"]["hits"]
                asked.append({hit["_index"].rsplit("-", 1)[0] for hit in found})
                assert len(found) == len(BODIES)
            except Exception as error:  # whatever it is, it is a question that failed
                failed.append(error)

    threads = [threading.Thread(target=ask) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(3):
            house.engine.compact(Contents(dict, house.library.version(), no_entries), RECIPE)
            house.engine.collect()
    finally:
        done.set()
        for thread in threads:
            thread.join()
    assert failed == []
    assert all(len(series) == 1 for series in asked)
    assert len(set().union(*asked)) > 1, "it was switched meanwhile"


def test_what_another_brings_into_the_index_is_read_once(
    house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "en.txt"
    path.write_text("Rådet har tolv medlemmer.", encoding="utf-8")
    house.outbox.begin(house.layout.name)
    ingester = Ingester(house.library, house.engine, HashingEncoder(), PassageSettings(220))
    with monkeypatch.context() as patch:
        patch.setattr(engine_module, "_PATIENCE", 0.0)
        patch.setattr(Library, "following", lambda _: nullcontext(None))
        report = ingester.ingest([path])
    assert (report.added, report.published) == (1, False)
    assert "is stored" in report.waits
    assert ingester.ingest([path]).embedded == 0
    assert house.indexed() == house.expected() != {}


class OtherEncoder(HashingEncoder):
    fingerprint = "sha256:another"


def test_a_new_model_can_be_taken_back(house: House, tmp_path: Path) -> None:
    folder = tmp_path / "dokumenter"
    folder.mkdir()

    def write_file(name: str, text: str) -> None:
        (folder / name).write_text(text, encoding="utf-8")

    def ingest(encoder: HashingEncoder) -> int:
        ingester = Ingester(house.library, house.engine, encoder, PassageSettings(220))
        report = ingester.ingest([folder], accept_removals=True)
        assert house.indexed() == house.expected()
        assert report.generation == house.engine.current_name()
        return report.embedded

    write_file("en.txt", "Rådet har tolv medlemmer.")
    write_file("to.txt", "Budsjettet er på fire millioner.")
    write_file("tre.txt", "Møtet er åpent for alle.")
    assert ingest(HashingEncoder()) == 3
    first = house.index_of()
    assert ingest(OtherEncoder()) == 3
    second = house.index_of()
    assert house.states() == {first: "kept", second: "searched"}
    write_file("to.txt", "Budsjettet er på seks millioner.")
    (folder / "tre.txt").unlink()
    assert ingest(OtherEncoder()) == 1
    assert len(house.hits(first)) == 1, "what is gone is so in what is kept, too"
    assert ingest(HashingEncoder()) == 1, "of what changed meanwhile, and nothing else"
    assert house.index_of() == first
    assert house.states() == {first: "searched", second: "kept"}
    third = Ingester(house.library, house.engine, HashingEncoder(), PassageSettings(100))
    third.ingest([folder])
    assert house.library.edition().number == 4, "no number is used twice"


def test_a_library_that_was_elsewhere_meanwhile_is_compared(house: House, tmp_path: Path) -> None:
    put(house.library, PATHS[0], BODIES[0])
    put(house.library, PATHS[1], BODIES[1])
    house.publish()
    house.outbox.end()  # as an ingest does that publishes in files
    put(house.library, PATHS[1], BODIES[2])
    house.library.remove_sources([PATHS[0]])
    assert house.engine.current_name() is None
    house.publish()
    assert house.indexed() == house.expected()


def test_an_ingest_into_files_lets_the_index_be(house: House, tmp_path: Path) -> None:
    path = tmp_path / "en.txt"
    path.write_text("Rådet har tolv medlemmer.", encoding="utf-8")
    encoder, settings = HashingEncoder(), PassageSettings(220)
    Ingester(house.library, house.engine, encoder, settings).ingest([path])
    assert house.outbox.follower() is not None
    path.write_text("Rådet har elleve medlemmer.", encoding="utf-8")
    files = Generations(tmp_path / "generations")
    Ingester(house.library, files, encoder, settings).ingest([path])
    assert house.outbox.follower() is None
    assert house.outbox.is_empty()


def test_the_name_of_another_library_is_not_taken(house: House, tmp_path: Path) -> None:
    put(house.library, PATHS[0], BODIES[0])
    house.publish()
    before = house.indexed()
    other = Library.open(tmp_path / "annet" / "library.sqlite3")
    put(other, PATHS[0], BODIES[1])
    engine = OpenSearchEngine(other, house.cluster, house.layout)
    with pytest.raises(IndexConfigurationError, match="KILDESVAR_OPENSEARCH_INDEX"):
        engine.publish(Contents(dict, other.version(), no_entries), RECIPE)
    assert house.indexed() == before
    other.close()


def test_another_name_of_the_index_is_searched_and_the_old_one_is_let_be(house: House) -> None:
    put(house.library, PATHS[0], BODIES[0])
    house.publish()
    before, first, expected = house.layout, house.engine, house.indexed()
    house.layout = Layout(f"{before.name}b", 1, 0)
    house.engine = house.engine_at(*house.urls)
    assert not house.engine.is_current(house.library.version(), RECIPE)
    house.publish()
    assert house.indexed() == expected
    assert house.engine.open().index_names == [house.index_of()]
    assert len(house.hits(before.name)) == 1, "nothing was taken from the old one"
    put(house.library, PATHS[1], BODIES[1])
    house.publish()
    house.cluster.client.indices.delete(index=f"{house.layout.name}-*")
    house.engine.close()
    house.layout, house.engine = before, first
    assert not first.is_current(house.library.version(), RECIPE)
    house.publish()
    assert house.indexed() == house.expected(), "what came meanwhile is in the old one again"


def test_a_restored_library_takes_over_its_name(
    house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(house.library, PATHS[0], BODIES[0])
    house.publish()
    path, uploads = tmp_path / "library.sqlite3", tmp_path / "uploads"
    back_up(path, uploads, tmp_path / "backup.zip")
    put(house.library, PATHS[1], BODIES[1])
    house.publish()
    former = house.index_of()
    restore(tmp_path / "backup.zip", path, uploads, last_id(house.cluster, house.layout))
    assert house.engine.current_name() is None, "no question is answered from what was"
    house.publish()
    assert house.indexed() == house.expected()
    assert len(house.indexed()) == 1
    monkeypatch.setattr(engine_module, "_LEAVES_AFTER", 0.0)
    for _ in range(2):
        house.engine.collect()
    assert not house.cluster.client.indices.exists(index=former)


@pytest.mark.parametrize("is_new", [True, False])
def test_a_document_that_is_refused_keeps_no_other_waiting(
    house: House, monkeypatch: pytest.MonkeyPatch, is_new: bool
) -> None:
    if not is_new:
        put(house.library, PATHS[3], BODIES[0], "styret")
        house.publish()
    refused = put(house.library, PATHS[0], BODIES[0])
    put(house.library, PATHS[1], BODIES[1])
    put(house.library, PATHS[2], BODIES[2])

    def body(entry: Entry, *told: Any) -> dict[str, Any]:
        more = {"ukjent": "felt"} if entry.document_id == refused else {}
        return {**body_of(entry, *told), **more}

    version = house.library.version()
    with monkeypatch.context() as patch:
        patch.setattr(following, "body_of", body)
        house.engine.publish(Contents(dict, version, no_entries), RECIPE)
    found = {document_id for document_id, _, _ in house.indexed().values()}
    expected = {document_id for document_id, _, _ in house.expected().values()}
    assert found == expected - {refused}
    assert (house.engine.status().oldest, house.outbox.waiting().rows) == (refused, 1)
    assert not house.engine.is_current(version, RECIPE)
    house.publish()
    assert house.indexed() == house.expected()


def test_vectors_of_another_length_are_refused(house: House) -> None:
    put(house.library, PATHS[0], BODIES[0])
    with pytest.raises(IndexConfigurationError, match="another model"):
        house.publish(replace(RECIPE, dimension=3))


def test_a_passage_without_its_vector_is_damage(house: House) -> None:
    put(house.library, PATHS[0], BODIES[0])
    with pytest.raises(LibraryError, match="lost their vectors"):
        house.publish(replace(RECIPE, fingerprint="sha256:unknown"))
