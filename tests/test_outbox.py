"""What an index that follows the library learns: of every change, and of nothing twice."""

import inspect
import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import sqlalchemy as sa

from index.errors import DocumentNotFoundError
from index.library import Library
from index.opensearch.mapping import digest_of
from index.outbox import LAST, Outbox, Row
from index.passages import Passage
from index.records import NewPassage, Source, Vectors
from tests.test_library import FINGERPRINT, document

PATHS = [f"/d/{folder}/{name}.txt" for folder in "ab" for name in "123"]
BODIES = ["Rådet har tolv medlemmer.", "Budsjettet er vedtatt.", "Møtet er åpent."]
COLLECTIONS = ["default", "styret"]


@pytest.fixture
def library(tmp_path: Path) -> Library:
    return Library.open(tmp_path / "library.sqlite3")


@pytest.fixture
def outbox(library: Library) -> Outbox:
    outbox = Outbox(library)
    outbox.begin("an index")
    return outbox


def source(path: str, body: str) -> Source:
    return Source(path, len(body), 1, f"sha256:{body}")


def put(
    library: Library,
    path: str,
    body: str,
    collection: str = "default",
    replaces: str | None = None,
) -> str:
    made = document(body)
    new = [NewPassage(Passage(0, len(made.text), ()), (), made.content_hash)]
    vectors = {made.content_hash: Vectors(np.ones(2, np.float32), np.empty((0, 2), np.float32))}
    of = source(path, body)
    return library.put(made, of, new, vectors, FINGERPRINT, replaces, collection)


class Changing:
    """A library in which anything happens that can, and an index that follows it."""

    def __init__(self, library: Library, outbox: Outbox, chance: random.Random) -> None:
        self.library, self.outbox, self.chance = library, outbox, chance
        self.index: dict[int, tuple[str, str, str]] = {}
        """By passage: its document, its collection, and what else is told of it."""

    def change(self) -> None:
        path, body = self.chance.choice(PATHS), self.chance.choice(BODIES)
        document_id = self.library.document_of(path) or ""
        collection = self.chance.choice(COLLECTIONS)
        replaces = document_id if document_id and self.chance.random() < 0.5 else None
        other = self.chance.choice(PATHS)
        changes: list[Callable[[], object]] = [
            lambda: put(self.library, path, body, collection),
            lambda: put(self.library, other, body, collection, replaces),
            lambda: self.library.add_copy(path, source(other, body)),
            lambda: self.library.move(path, collection),
            lambda: self.library.remove_sources([path, other]),
            lambda: self.library.leave_out(source(path, body), "uleselig"),
            lambda: self.library.touch(source(path, body)),
        ]
        if document_id:
            changes.append(lambda: self.library.remove_document(document_id, "slettet"))
        self.chance.choice(changes)()

    def follow(self) -> None:
        """Applies some of what waits, and may be killed before it says so."""
        rows = self.outbox.rows(self.chance.randint(1, 4))
        self.apply(rows)
        if self.chance.random() < 0.7:
            self.outbox.acknowledge(rows, lambda *_: None)

    def apply(self, rows: list[Row]) -> None:
        ids = {row.document_id for row in rows}
        self.index = {p: told for p, told in self.index.items() if told[0] not in ids}
        for one in self.outbox.standing(sorted(ids), edition=1):
            of = one.facts
            self.index[one.passage_id] = (of.document_id, of.collection, digest_of(of))

    def follow_all(self) -> None:
        while rows := self.outbox.rows(3):
            self.apply(rows)
            self.outbox.acknowledge(rows, lambda *_: None)

    def expected(self) -> dict[int, tuple[str, str, str]]:
        standing, last = self.outbox.standing_after(0, 1, 1000)
        assert last == LAST
        return {
            one.passage_id: (one.facts.document_id, one.facts.collection, digest_of(one.facts))
            for one in standing
        }


@pytest.mark.parametrize("seed", range(3))
def test_an_index_that_follows_holds_what_the_library_does(
    library: Library, outbox: Outbox, seed: int
) -> None:
    changing = Changing(library, outbox, random.Random(seed))
    for _ in range(12):
        for _ in range(changing.chance.randint(1, 8)):
            changing.change()
        changing.follow()
        if changing.chance.random() < 0.5:
            changing.follow_all()
            assert changing.index == changing.expected()
    changing.follow_all()
    assert changing.index == changing.expected()
    assert outbox.is_empty()


MARKING: dict[str, Callable[[Library, str], object]] = {
    "put": lambda library, _: put(library, "/d/ny.txt", "Noe nytt."),
    "add_copy": lambda library, _: library.add_copy(PATHS[0], source("/d/x.txt", BODIES[0])),
    "move": lambda library, _: library.move(PATHS[0], "styret"),
    "remove_sources": lambda library, _: library.remove_sources([PATHS[0]]),
    "leave_out": lambda library, _: library.leave_out(source(PATHS[0], "x"), "uleselig"),
    "remove_document": lambda library, document_id: library.remove_document(document_id, "slettet"),
}
SILENT = {
    "put_folder",  # says where what is to come will go
    "touch",  # nothing that is indexed
    "begin_edition",
    "add_to_edition",  # no index has it before it is compared with it as a whole
    "switch_edition",
    "give_up_next_edition",
    "forget_unused",
    "put_off_forgetting",
}


def test_every_method_that_changes_documents_is_known_here() -> None:
    """A new one must mark what it changes, or stand among those that change nothing indexed."""
    writing = {
        name
        for name, method in inspect.getmembers(Library, inspect.isfunction)
        if "self.transaction(" in inspect.getsource(method)
    }
    assert {name.removeprefix("_") for name in writing} == MARKING.keys() | SILENT


@pytest.mark.parametrize("method", MARKING)
def test_every_change_is_marked(library: Library, outbox: Outbox, method: str) -> None:
    document_id = put(library, PATHS[0], BODIES[0])
    outbox.acknowledge(outbox.rows(10), lambda *_: None)
    MARKING[method](library, document_id)
    assert not outbox.is_empty()
    if method != "put":
        assert {row.document_id for row in outbox.rows(10)} == {document_id}


def test_a_document_that_loses_one_of_its_files_is_marked(library: Library, outbox: Outbox) -> None:
    document_id = put(library, PATHS[0], BODIES[0])
    library.add_copy(PATHS[0], source("/d/annet/x.txt", BODIES[0]))
    outbox.acknowledge(outbox.rows(10), lambda *_: None)
    put(library, "/d/annet/x.txt", BODIES[1])
    assert document_id in {row.document_id for row in outbox.rows(10)}


def test_a_change_that_is_undone_is_not_marked(library: Library, outbox: Outbox) -> None:
    library.keep_journal(lambda *_: (_ for _ in ()).throw(RuntimeError("the journal is full")))
    with pytest.raises(RuntimeError):
        put(library, PATHS[0], BODIES[0])
    assert outbox.is_empty()


def test_nothing_is_marked_while_nothing_follows(library: Library, outbox: Outbox) -> None:
    put(library, PATHS[0], BODIES[0])
    outbox.end()
    assert outbox.is_empty()
    assert outbox.follower() is None
    with pytest.raises(DocumentNotFoundError):
        library.remove_document("ukjent", "slettet")
    put(library, PATHS[1], BODIES[1])
    assert outbox.waiting().rows == 0


def test_only_what_was_seen_is_taken_away(library: Library, outbox: Outbox) -> None:
    put(library, PATHS[0], BODIES[0])
    seen = outbox.rows(10)
    put(library, PATHS[0], BODIES[1])
    outbox.acknowledge(seen, lambda *_: None)
    [left] = outbox.rows(10)
    assert left.id > seen[-1].id


def test_versions_never_go_back(library: Library, outbox: Outbox) -> None:
    put(library, PATHS[0], BODIES[0])
    before = outbox.version()
    assert before == outbox.rows(10)[-1].id
    outbox.acknowledge(outbox.rows(10), lambda *_: None)
    assert outbox.version() == before
    put(library, PATHS[1], BODIES[1])
    last = outbox.version()
    assert last > before
    outbox.end()
    assert outbox.version() == last


def test_how_long_rows_wait_is_told(library: Library, outbox: Outbox) -> None:
    put(library, PATHS[0], BODIES[0])
    with library.transaction() as connection:
        connection.execute(sa.text("UPDATE outbox SET marked_at = marked_at - 60"))
    assert outbox.waiting().rows == 1
    assert 60 <= outbox.waiting().seconds < 120


def test_passages_are_gone_through_in_the_order_of_their_ids(
    library: Library, outbox: Outbox
) -> None:
    """By the table itself: to sort all that is left for each piece would take for ever."""
    asked: list[tuple[str, tuple[object, ...]]] = []
    sa.event.listen(
        library.engine,
        "before_cursor_execute",
        lambda _, __, statement, values, ___, ____: asked.append((statement, values)),
    )
    outbox.standing_after(7, 1, 5000)
    statement, values = asked[0]
    with library.engine.connect() as connection:
        plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values).all()
    assert "TEMP B-TREE" not in str(plan)
