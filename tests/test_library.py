"""The library on a real SQLite file."""

import sqlite3
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.operations import Operations
from alembic.script import ScriptDirectory

from app.assembly import Kildesvar
from app.kept.answer_records import AnswerRecords
from index import schema
from index.changes import set_source
from index.documents import Block, BlockKind, Document, assemble
from index.errors import DeletedMeanwhileError, DocumentNotFoundError, LibraryError
from index.jobs import Jobs
from index.library import Library
from index.passages import Passage
from index.readers.plain import read_plain
from index.records import (
    CitedExcerpt,
    CitedSpan,
    Filters,
    Listing,
    NewPassage,
    Scope,
    Sort,
    Source,
    Vectors,
)
from index.tables import (
    METADATA,
    conversations,
    documents,
    left_out,
    passages,
    turn_citations,
    turns,
)
from index.units import units_of
from tests.conftest import all_passages
from tests.libraries import library_in

FINGERPRINT = "sha256:model"


@pytest.fixture
def library(tmp_path: Path) -> Library:
    return library_in(tmp_path)


def document(body: str, language: str = "nb") -> Document:
    text, blocks = assemble(read_plain(body))
    return Document("Tittel", text, blocks, "text/plain", language)


def source(path: str, size: int = 1) -> Source:
    return Source(path, size, 1, f"sha256:{path}{size}")


def put(
    library: Library,
    body: str,
    path: str,
    language: str = "nb",
    replaces: str | None = None,
    **meanwhile: Any,
) -> str:
    """Stores `body` as one passage with made-up vectors."""
    made = document(body, language)
    passage = Passage(0, len(made.text), ("Overskrift",))
    units = units_of(made, passage)
    key = made.content_hash
    vectors = {key: Vectors(np.full(4, 0.5, np.float32), np.full((len(units), 4), 0.5, np.float32))}
    new = [NewPassage(passage, units, key)]
    file = source(path, len(body))
    return library.put(made, file, new, vectors, FINGERPRINT, replaces, **meanwhile)


def passage_ids(library: Library, document_id: str) -> list[int]:
    return library.passages_of({document_id})


def test_what_is_put_comes_back_letter_for_letter(library: Library) -> None:
    body = "Blåbærøl på Ås. Det står 😀 i teksten. Æ e i A."
    document_id = put(library, body, "/d/ås.txt")
    stored = library.document(document_id)
    assert stored.text == body
    assert (stored.source, stored.language, stored.passages) == ("/d/ås.txt", "nb", 1)
    [passage] = library.passages(passage_ids(library, document_id)).values()
    assert passage.text == stored.text[passage.start : passage.end]
    assert [stored.text[u.start : u.end] for u in passage.units][1] == "Det står 😀 i teksten."
    assert passage.heading_path == ("Overskrift",)


def test_a_passage_is_the_same_alone_and_among_others_of_its_document(
    kildesvar: Kildesvar,
) -> None:
    library = kildesvar.library
    together = {passage.id: passage for passage in all_passages(library)}
    assert any(passage.lead_in for passage in together.values())
    for passage_id, passage in together.items():
        assert library.passages([passage_id]) == {passage_id: passage}


def test_excerpt_counts_code_points(library: Library) -> None:
    document_id = put(library, "Et 😀 smil og øl.", "/d/a.txt")
    excerpt = library.excerpt(document_id, 3, 9)
    assert excerpt is not None
    assert excerpt.text == "😀 smil"
    assert library.excerpt("finnes ikke", 0, 1) is None


def test_what_was_cited_comes_with_its_place_as_long_as_its_text_is_there(
    library: Library,
) -> None:
    document_id = put(library, "Et 😀 smil og øl.\n\nOg te.", "/d/å.txt")
    other_id = put(library, "Noe annet.", "/d/b.txt")
    [stored] = [d for d in library.documents(9) if d.id == document_id]
    smile = CitedSpan(document_id, stored.content_hash, 3, 9)
    tea = replace(smile, start=18, end=24)
    other = CitedSpan(other_id, library.document(other_id).content_hash, 0, 3)
    unknown = [replace(smile, document_id="finnes ikke"), replace(smile, content_hash="sha256:x")]
    found = library.cited([smile, tea, other, smile, *unknown])
    assert {span: excerpt.text for span, excerpt in found.items()} == {
        smile: "😀 smil",
        tea: "Og te.",
        other: "Noe",
    }
    assert found[smile] == CitedExcerpt("😀 smil", "Tittel", "/d/å.txt", None, ("Overskrift",))
    put(library, "Et 😀 smil og vin.\n\nOg te.", "/d/å.txt")
    library.remove_sources(["/d/b.txt"])
    assert library.cited([smile, tea, other]) == {}
    assert library.cited([]) == {}


def test_a_cited_span_has_its_own_page_and_headings(library: Library) -> None:
    text = "Første side.\n\nAndre side."
    blocks = (
        Block(BlockKind.PARAGRAPH, 0, 12, page=1),
        Block(BlockKind.PARAGRAPH, 14, 25, page=2),
    )
    made = Document("Tittel", text, blocks, "application/pdf", "nb", pages=2)
    new = [
        NewPassage(Passage(0, 12, ("Ett",), 1), (), "a"),
        NewPassage(Passage(14, 25, ("To", "Tre"), 2), (), "b"),
    ]
    document_id = library.put(made, source("/d/a.pdf"), new, {}, FINGERPRINT)
    spans = [CitedSpan(document_id, made.content_hash, start, start + 5) for start in (0, 14, 20)]
    found = library.cited(spans)
    assert [(found[span].page, found[span].heading_path) for span in spans] == [
        (1, ("Ett",)),
        (2, ("To", "Tre")),
        (2, ("To", "Tre")),
    ]
    words = {span: excerpt.text for span, excerpt in found.items()}
    without = library.cited(spans, places=False)
    assert {span: excerpt.text for span, excerpt in without.items()} == words
    assert {(excerpt.page, excerpt.heading_path) for excerpt in without.values()} == {(None, ())}


def test_unknown_document_says_what_to_do(library: Library) -> None:
    with pytest.raises(DocumentNotFoundError, match="/v1/documents"):
        library.document("finnes-ikke")


def test_a_changed_file_keeps_its_document(library: Library) -> None:
    first = put(library, "Første utgave.", "/d/a.txt")
    old_passages = passage_ids(library, first)
    assert put(library, "Andre utgave av teksten.", "/d/a.txt") == first
    assert library.document(first).text == "Andre utgave av teksten."
    assert library.passages(old_passages) == {}, "an old passage must never be found again"


def test_the_same_text_under_two_names_is_one_document(library: Library) -> None:
    first = put(library, "Samme tekst.", "/d/a.txt")
    assert put(library, "Samme tekst.", "/d/b.txt") == first
    assert library.count() == (1, 1)
    library.remove_sources(["/d/a.txt"])
    assert library.document(first).source == "/d/b.txt"
    library.remove_sources(["/d/b.txt"])
    assert library.is_empty()


def test_changing_one_of_two_files_leaves_the_other_as_it_was(library: Library) -> None:
    shared = put(library, "Samme tekst.", "/d/a.txt")
    put(library, "Samme tekst.", "/d/b.txt")
    changed = put(library, "En annen tekst.", "/d/b.txt")
    assert changed != shared
    assert library.document(shared).text == "Samme tekst."


@pytest.mark.parametrize(
    ("copy", "goes_along"), [("/d/kopi.TXT", True), ("/d/kopi.md", False), ("/d/annen.txt", False)]
)
def test_a_file_that_is_read_otherwise_takes_its_copies_along(
    library: Library, copy: str, goes_along: bool
) -> None:
    """As after an update of the readers: the bytes are the same, and the text is another."""
    document_id = put(library, "Samme tekst.", "/d/a.txt")
    put(library, "Samme tekst.", copy)
    file_hash = "sha256:annen" if "annen" in copy else "sha256:a"
    with library.transaction() as connection:
        set_source(connection, Source(copy, 1, 1, file_hash), document_id)
    read = document("Samme tekst, bedre lest.")
    new = [NewPassage(Passage(0, 4, ()), (), "key")]
    again = library.put(read, Source("/d/a.txt", 1, 1, "sha256:a"), new, {}, FINGERPRINT)
    assert (again == document_id) is goes_along
    assert library.files_of(again) == (["/d/a.txt", copy] if goes_along else ["/d/a.txt"])
    assert library.document(document_id).text == (read.text if goes_along else "Samme tekst.")


def test_a_document_that_a_person_removes_leaves_its_files_noted(library: Library) -> None:
    document_id = put(library, "Samme tekst.", "/d/a.txt")
    put(library, "Samme tekst.", "/d/b.txt")
    kept = put(library, "En annen tekst.", "/d/c.txt")
    before = library.version().revision
    assert library.files_of(document_id) == ["/d/a.txt", "/d/b.txt"]
    assert library.remove_document(document_id, "slettet") == ["/d/a.txt", "/d/b.txt"]
    assert library.version().revision > before
    assert library.document_ids() == [kept]
    assert set(library.sources()) == {"/d/c.txt"}
    with library.engine.connect() as connection:
        noted = connection.execute(sa.select(left_out).order_by(left_out.c.path)).all()
    text = "sha256:/d/a.txt12"
    assert tuple(noted[0]) == ("/d/a.txt", 12, 1, text, "*", "slettet", "default")
    assert [row.path for row in noted] == ["/d/a.txt", "/d/b.txt"]
    assert put(library, "Samme tekst.", "/d/a.txt") != document_id
    library.remove_document(library.document_of("/d/a.txt") or "", "slettet igjen")
    for unknown in (document_id, "finnes-ikke"):
        with pytest.raises(DocumentNotFoundError):
            library.remove_document(unknown, "slettet")
        with pytest.raises(DocumentNotFoundError):
            library.files_of(unknown)
    assert library.document_of("/d/a.txt") is None


def test_what_a_person_deletes_while_its_file_is_read_stays_deleted(library: Library) -> None:
    document_id = put(library, "Samme tekst.", "/d/a.txt")
    library.remove_document(document_id, "slettet")
    with pytest.raises(DeletedMeanwhileError, match="slettet"):
        put(library, "Samme tekst.", "/d/a.txt", was_deleted=False)
    assert library.is_empty()
    put(library, "En annen tekst enn før.", "/d/a.txt", was_deleted=False)
    assert library.count()[0] == 1


def test_what_was_moved_while_its_file_is_read_stays_where_it_is(library: Library) -> None:
    put(library, "Første utgave.", "/d/a.txt")
    library.move("/d/a.txt", "styret")
    document_id = put(library, "Andre utgave.", "/d/a.txt", was_in="default")
    assert library.collection_of(document_id) == "styret"
    moved = put(library, "Tredje utgave.", "/d/a.txt", was_in="styret", collection="arkiv")
    assert library.collection_of(moved) == "arkiv"


def test_another_file_takes_over_a_document(library: Library) -> None:
    document_id = put(library, "Første utgave.", "/d/a.txt")
    put(library, "Første utgave.", "/d/kopi.txt")
    old = passage_ids(library, document_id)
    assert put(library, "Andre utgave.", "/d/ny.md", replaces=document_id) == document_id
    assert library.files_of(document_id) == ["/d/ny.md"]
    assert library.document(document_id).text == "Andre utgave."
    assert library.passages(old) == {}
    assert put(library, "Andre utgave.", "/d/nyere.md", replaces=document_id) == document_id
    assert library.files_of(document_id) == ["/d/nyere.md"], "the same text, from another file"


def test_a_document_that_becomes_like_another_goes_into_that(library: Library) -> None:
    document_id = put(library, "Første utgave.", "/d/a.txt")
    other = put(library, "Andre utgave.", "/d/b.txt")
    assert put(library, "Andre utgave.", "/d/ny.txt", replaces=document_id) == other
    assert library.document_ids() == [other]
    assert library.files_of(other) == ["/d/b.txt", "/d/ny.txt"]


def test_what_is_removed_is_gone_from_every_table(library: Library) -> None:
    put(library, "Hemmelig tekst.", "/d/a.txt")
    library.remove_sources(["/d/a.txt"])
    library.forget_unused({1}, {FINGERPRINT})
    with library.engine.connect() as connection:
        for table in ("documents", "sources", "passages", "vectors"):
            assert connection.scalar(sa.text(f"SELECT count(*) FROM {table}")) == 0, table


def test_vectors_are_kept_by_model(library: Library) -> None:
    document_id = put(library, "To setninger. Her er den andre.", "/d/a.txt")
    [passage_id] = passage_ids(library, document_id)
    key = library.document(document_id).content_hash
    assert library.vectors([key], "another model") == {}
    np.testing.assert_array_equal(library.vectors([key], FINGERPRINT)[key], np.full(4, 0.5))
    assert library.unit_vectors([passage_id], FINGERPRINT)[passage_id].shape == (2, 4)


def test_every_change_raises_the_revision_and_a_touch_does_not(library: Library) -> None:
    assert library.version().revision == 0
    put(library, "Tekst.", "/d/a.txt")
    assert library.version().revision == 1
    library.touch(Source("/d/a.txt", 7, 2, "sha256:x"))
    assert library.version().revision == 1
    assert library.sources()["/d/a.txt"].modified_ns == 2
    library.remove_sources(["/d/a.txt"])
    assert library.version().revision == 2


def titles(library: Library, **listing: Any) -> list[str]:
    return [document.title for document in library.documents(50, 0, Listing(**listing))]


def titled(library: Library, title: str, path: str, passages: int = 1, **fields: Any) -> str:
    """A document of that title, with so many passages of a letter."""
    made = replace(document(f"Om {title} i {path}."), title=title, **fields)
    new = [NewPassage(Passage(at, at + 1, ()), (), "key") for at in range(passages)]
    return library.put(made, source(path), new, {}, FINGERPRINT)


def test_documents_are_listed_in_the_order_of_the_norwegian_alphabet(library: Library) -> None:
    in_order = ["arv", "Avis", "båt", "Zoo", "Ære", "ødegård", "Østfold", "å gå", "Ås"]
    for number, title in enumerate(reversed(in_order)):
        titled(library, title, f"/d/{number}.txt")
    assert titles(library) == in_order
    assert titles(library, descending=True) == in_order[::-1]
    pages = [library.documents(4, offset, Listing()) for offset in (0, 4, 8)]
    assert [document.title for page in pages for document in page] == in_order


def test_documents_are_listed_by_what_is_asked(library: Library) -> None:
    titled(library, "a", "/d/a.txt", 3, date="2020-05-17")
    titled(library, "b", "/d/b.txt", 1)
    titled(library, "c", "/d/c.txt", 2, date="2024-01-01")
    with library.transaction() as connection:
        for name, day in (("a", "2026-01-03"), ("b", "2022-06-01"), ("c", "2026-01-02")):
            change = sa.update(documents).where(documents.c.title == name)
            connection.execute(change.values(updated_at=f"{day}T10:00:00+00:00"))
    assert titles(library, sort=Sort.DATE) == ["a", "b", "c"], "b has the day of its update"
    assert titles(library, sort=Sort.UPDATED) == ["b", "c", "a"]
    assert titles(library, sort=Sort.PASSAGES, descending=True) == ["a", "c", "b"]


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ((), ["Budsjett 100 %", "Årsmelding for Ås"]),
        (("årsmelding",), ["Årsmelding for Ås"]),
        (("ÅS", "meld"), ["Årsmelding for Ås"]),
        (("ås",), ["Årsmelding for Ås"]),  # as some keyboards and disks write å
        (("as",), []),
        (("bøker",), ["Årsmelding for Ås"]),  # of the source
        (("BØKER", "budsjett"), []),
        (("100", "%"), ["Budsjett 100 %"]),
        (("_",), []),
        (("t%1",), []),
    ],
)
def test_documents_are_listed_by_words_of_title_and_source(
    library: Library, words: tuple[str, ...], found: list[str]
) -> None:
    titled(library, "Årsmelding for Ås", "/d/Böker/Bøker/a.txt")
    titled(library, "Budsjett 100 %", "/d/b.txt")
    assert titles(library, words=words) == found
    assert library.count_documents(Listing(words)) == len(found)


def test_files_of_each_document(library: Library) -> None:
    first = put(library, "Samme tekst.", "/d/b.txt")
    put(library, "Samme tekst.", "/d/a.txt")
    second = put(library, "En annen tekst.", "/d/c.txt")
    assert library.files_of_each([first, second, "ukjent"]) == {
        first: ["/d/a.txt", "/d/b.txt"],
        second: ["/d/c.txt"],
        "ukjent": [],
    }


def test_filters(library: Library) -> None:
    first = put(library, "Dette er ikke nynorsk.", "/d/mappe/a.txt", "nb")
    second = put(library, "Dette er ikkje bokmål.", "/d/mappe_annen/b.txt", "nn")
    assert library.matching(Filters()) == {first, second}
    assert library.matching(Filters(language=("nn",))) == {second}
    assert library.matching(Filters(folder=("/d/mappe",))) == {first}
    assert library.matching(Filters(folder=("/d/mappe/",))) == {first}
    assert library.matching(Filters(folder=("/D/mappe",))) == set()
    assert library.matching(Filters(document=(first,), language=("nn",))) == set()
    assert library.matching(Filters(dated_from="2999-01-01")) == set()
    assert library.matching(Filters(dated_to="2999-01-01")) == {first, second}
    assert library.matching(Filters(media_type=("text/plain",), language=("nb",))) == {first}


def test_a_scope_is_told_by_the_fewer_documents_and_has_those_that_pass(library: Library) -> None:
    ids = [put(library, f"Tekst {n}.", f"/d/{n}.txt", "nn" if n else "nb") for n in range(3)]
    for language, passing in (("nb", ids[:1]), ("nn", ids[1:]), ("en", [])):
        filters = Filters(language=(language,))
        scope, count = library.scope(filters)
        assert count == len(passing)
        assert len(scope.ids) <= 1
        assert {i for i in ids if i in scope} == set(passing) == library.matching(filters)
        assert scope.is_empty == (not passing)
    scope, count = library.scope(Filters(folder=("/d",), dated_from="2000-01-01"))
    assert (scope, count) == (Scope(frozenset(), others=True), 3)


def test_passages_within_a_scope_are_told_by_their_ids(library: Library) -> None:
    first, second, third = (put(library, f"Tekst {n}.", f"/d/{n}.txt") for n in range(3))

    def within(*documents: str) -> set[int]:
        found = library.passages_within(Scope(frozenset(documents)))
        return {i for start, end in found.ranges.tolist() for i in range(start, end)}

    assert within(first, third, "ukjent") == {1, 3}
    assert library.passages_within(Scope(frozenset({first}), others=True)).others
    with library.transaction() as connection:  # as no writer does: another's comes between
        moved = sa.update(passages).where(passages.c.document_id == third)
        connection.execute(moved.values(document_id=first))
    assert within(first) == {1, 3}
    assert within(second) == {2}
    assert within() == set()


def test_a_failed_write_changes_nothing(library: Library) -> None:
    put(library, "Første.", "/d/a.txt")
    broken = Source("/d/b.txt", 1, 1, None)  # type: ignore[arg-type]
    with pytest.raises(sa.exc.IntegrityError):
        library.put(document("Andre."), broken, [], {}, FINGERPRINT)
    assert library.count() == (1, 1)
    assert library.version().revision == 1


@pytest.mark.sqlite
def test_a_full_disk_says_so_and_loses_nothing(library: Library) -> None:
    put(library, "Første.", "/d/a.txt")

    @sa.event.listens_for(library._engine, "begin")
    def no_more_room(connection: sa.Connection) -> None:
        connection.exec_driver_sql("PRAGMA max_page_count = 1")  # as small as it is now

    with pytest.raises(LibraryError, match=r"disk is full.*make room"):
        put(library, "Et langt dokument. " * 5000, "/d/b.txt")
    assert library.count() == (1, 1)
    assert library.version().revision == 1


@pytest.mark.sqlite
def test_a_transaction_waits_for_another_no_longer_than_it_may(
    library: Library, tmp_path: Path
) -> None:
    def busy_timeout() -> int:
        with library.engine.connect() as connection:
            return int(connection.scalar(sa.text("PRAGMA busy_timeout")) or 0)

    before = busy_timeout()
    with sqlite3.connect(tmp_path / "library.sqlite3", isolation_level=None) as other:
        other.execute("BEGIN IMMEDIATE")
        began = time.monotonic()
        with pytest.raises(LibraryError, match="locked"), library.transaction(waits=0.05):
            pass
        assert time.monotonic() - began < 5, "half of what it waits otherwise"
        other.execute("ROLLBACK")
    other.close()
    with library.transaction(waits=0.05) as connection:
        assert connection.scalar(sa.text("PRAGMA busy_timeout")) == 50
    assert busy_timeout() == before == 10_000


@pytest.mark.sqlite
def test_a_migration_that_was_killed_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "library.sqlite3"
    real = Operations.create_index

    def killed(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Operations, "create_index", killed)
    with pytest.raises(KeyboardInterrupt):
        Library.open(path)
    monkeypatch.setattr(Operations, "create_index", real)
    assert Library.open(path).count() == (0, 0)


@pytest.mark.sqlite
@pytest.mark.parametrize("name", ["Hva?x=1", "100 %", "blåbær og øl", "a#b"])
def test_any_folder_name_will_do(tmp_path: Path, name: str) -> None:
    path = tmp_path / name / "library.sqlite3"
    Library.open(path).close()
    assert path.is_file()
    assert [p.name for p in tmp_path.iterdir()] == [name]


@pytest.mark.sqlite
def test_a_file_that_is_no_library_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "library.sqlite3"
    path.write_bytes(b"this is no database at all" * 100)
    with pytest.raises(LibraryError, match="cannot open the library"):
        Library.open(path)


@pytest.mark.sqlite
def test_a_library_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "library.sqlite3"
    Library.open(path).close()
    engine = sa.create_engine(f"sqlite:///{path}")
    with engine.begin() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    engine.dispose()
    with pytest.raises(LibraryError, match="schema 9999"):
        Library.open(path)


@pytest.mark.sqlite
def test_migrations_make_the_tables_that_the_code_describes(library: Library) -> None:
    with library._engine.connect() as connection:
        differences = compare_metadata(MigrationContext.configure(connection), METADATA)
    assert differences == []


@pytest.mark.sqlite
def test_a_library_of_the_fifth_schema_is_migrated_with_all_that_it_holds(tmp_path: Path) -> None:
    path = tmp_path / "library.sqlite3"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(schema, "HEAD", "0005")
        Library.open(path).close()
    with sqlite3.connect(path) as connection:
        for statement in (
            "INSERT INTO documents VALUES ('d', 'Tittel', 'Tekst.', '[]', 'text/plain', 'nb', "
            "NULL, 3, 'sha256:d', '2026-01-01T00:00:00+00:00', 'Forfatter', '2025-05-17', '[]')",
            "INSERT INTO sources VALUES ('/d/a.txt', 'd', 6, 1, 'sha256:f', '2')",
            "INSERT INTO passages VALUES (7, 'd', 0, 6, '[]', NULL, NULL, NULL, '[]', 'key', 1)",
            "INSERT INTO left_out VALUES ('/d/b.txt', 6, 1, 'sha256:g', '2', 'den er tom')",
            "INSERT INTO jobs VALUES "
            "('j', 'add', 'queued', '/o/0/c.txt', 0, 1, NULL, NULL, 't', 't', 'key:1')",
        ):
            connection.execute(statement)
    connection.close()
    library = Library.open(path)
    assert library.count() == (1, 1)
    [found] = library.documents(10)
    assert (found.collection, found.author, found.pages) == ("default", "Forfatter", 3)
    assert library.passages([7])[7].text == "Tekst."
    assert library.files_of("d") == ["/d/a.txt"]
    assert library.left_out()["/d/b.txt"].collection == "default"
    [job] = Jobs(library).newest(10)
    assert (job.id, job.owner, job.collection) == ("j", "key:1", "default")
    with library.engine.connect() as opened:
        assert compare_metadata(MigrationContext.configure(opened), METADATA) == []
        assert opened.scalar(sa.text("PRAGMA foreign_keys")) == 1
    assert library.damage() == library.strays() == []
    library.remove_sources(["/d/a.txt"])
    assert library.count() == (0, 0), "what refers to a document goes with it, as before"


@pytest.mark.sqlite
def test_a_library_of_the_third_schema_is_migrated_with_all_that_it_holds(tmp_path: Path) -> None:
    path = tmp_path / "library.sqlite3"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(schema, "HEAD", "0003")
        Library.open(path).close()
    with sqlite3.connect(path) as connection:
        for statement in (
            "INSERT INTO documents VALUES ('d', 'Tittel', 'Tekst.', '[]', 'text/plain', 'nb', "
            "NULL, NULL, 'sha256:d', '2026-01-01T00:00:00+00:00', NULL, NULL, '[]')",
            "INSERT INTO sources VALUES ('/d/a.txt', 'd', 6, 1, 'sha256:f', '2')",
            "INSERT INTO passages VALUES (7, 'd', 0, 6, '[]', NULL, NULL, NULL, '[]', 'key', 1)",
            "INSERT INTO answers VALUES ('a', '2026-11-28', 'Hva?', 1, 0.5, 20.0, '000001', '[]')",
            "INSERT INTO feedback VALUES ('a', 'up', 'Bra.', '2026-11-28')",
        ):
            connection.execute(statement)
    connection.close()
    library = Library.open(path)
    assert library.count() == (1, 1)
    assert library.passages([7])[7].text == "Tekst."
    [item] = AnswerRecords(library).feedback()
    assert (item.question, item.reason) == ("Hva?", "Bra.")
    with library.engine.connect() as opened:
        assert compare_metadata(MigrationContext.configure(opened), METADATA) == []
        for table in (conversations, turns, turn_citations):
            assert opened.execute(sa.select(table)).all() == []
    assert library.damage() == library.strays() == []
    assert (tmp_path / "library-0003.sqlite3").exists()


@pytest.mark.sqlite
def test_a_library_of_the_second_schema_is_migrated_with_all_that_it_holds(tmp_path: Path) -> None:
    path = tmp_path / "library.sqlite3"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(schema, "HEAD", "0002")
        Library.open(path).close()
    with sqlite3.connect(path) as connection:
        for statement in (
            "INSERT INTO documents VALUES ('d', 'Tittel', 'Tekst.', '[]', 'text/plain', 'nb', "
            "NULL, 3, 'sha256:d', '2026-01-01T00:00:00+00:00', 'Forfatter', '2025-05-17', "
            "'[\"En side mangler.\"]')",
            "INSERT INTO sources VALUES ('/d/a.txt', 'd', 6, 1, 'sha256:f', '2')",
            "INSERT INTO passages VALUES (7, 'd', 0, 6, '[]', NULL, NULL, NULL, '[]', 'key', 1)",
            "INSERT INTO passages VALUES (8, 'd', 0, 6, '[]', NULL, NULL, NULL, '[]', 'key', 2)",
            "INSERT INTO left_out VALUES ('/d/b.txt', 6, 1, 'sha256:g', '2', 'den er tom')",
            "INSERT INTO jobs VALUES "
            "('j', 'add', 'queued', '/o/0/c.txt', 0, 1, NULL, NULL, 't', 't')",
        ):
            connection.execute(statement)
    connection.close()
    library = Library.open(path)
    assert library.count() == (1, 1)
    [document] = library.documents(10)
    assert (document.passages, document.date, document.pages) == (1, "2025-05-17", 3)
    assert document.notices == ("En side mangler.",)
    assert library.passages([7])[7].text == "Tekst."
    assert library.left_out()["/d/b.txt"].reason == "den er tom"
    assert (lease := Jobs(library).claim("arbeider")) is not None
    assert lease.job.id == "j"
    assert AnswerRecords(library).feedback() == []
    assert library.damage() == library.strays() == []
    with library.engine.connect() as opened:
        assert compare_metadata(MigrationContext.configure(opened), METADATA) == []
    assert (tmp_path / "library-0002.sqlite3").exists()


@pytest.mark.sqlite
def test_a_library_of_the_first_schema_is_migrated_without_loss(tmp_path: Path) -> None:
    path = tmp_path / "library.sqlite3"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(schema, "HEAD", "0001")
        Library.open(path).close()
    engine = sa.create_engine(f"sqlite:///{path}")
    with engine.begin() as connection:
        for statement in (
            "INSERT INTO documents VALUES ('d', 'Tittel', 'Tekst.', '[]', 'text/plain', 'nb', "
            "NULL, NULL, 'sha256:d', '2026-01-01T00:00:00+00:00')",
            "INSERT INTO sources VALUES ('/d/a.txt', 'd', 6, 1, 'sha256:f')",
            "INSERT INTO passages VALUES (7, 'd', 0, 6, '[]', NULL, NULL, NULL, '[]', 'key')",
        ):
            connection.exec_driver_sql(statement)
    engine.dispose()
    library = Library.open(path)
    assert library.count() == (1, 1)
    assert library.passages([7])[7].text == "Tekst."
    assert library.document("d").notices == ()


def test_the_known_head_is_the_newest_migration() -> None:
    folder = Path(schema.__file__).parent / "migrations"
    assert ScriptDirectory(str(folder)).get_current_head() == schema.HEAD


@pytest.mark.sqlite
def test_the_database_is_set_up_for_safety(library: Library) -> None:
    with library._engine.connect() as connection:
        pragma = {
            name: connection.scalar(sa.text(f"PRAGMA {name}"))
            for name in ("journal_mode", "foreign_keys", "synchronous")
        }
    assert pragma == {"journal_mode": "wal", "foreign_keys": 1, "synchronous": 2}
