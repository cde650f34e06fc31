"""The library in a real PostgreSQL: what is its own there. What holds in SQLite, too, is asked of
both by the tests of the library (`pytest --database postgresql`)."""

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from fastapi.testclient import TestClient
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy.dialects.postgresql.base import PGDialect

from app.assembly import Kildesvar
from app.commands.indexing import leave
from app.hosting.service import create_service
from app.kept.answer_log import AnswerLog
from app.kept.answer_records import AnswerRecords
from app.settings import load_settings
from index import postgresql as postgresql_module
from index.backup import back_up, restore
from index.errors import (
    IndexConfigurationError,
    LibraryBusyError,
    LibraryError,
    LibraryUnavailableError,
)
from index.generations import Generations
from index.ingest import Ingester
from index.library import Library
from index.outbox import Outbox
from index.passages import PassageSettings
from index.records import Source
from index.tables import METADATA, folders, outbox, passages
from index.text import alphabetical, folded
from scripts.trial_kills import HashingEncoder
from tests.cluster.postgresql import PostgreSQL
from tests.conftest import EXAMPLES, LOCAL, ROOT
from tests.test_answer_log import made_answer
from tests.test_library import put, titled, titles

COMPUTED = {"folded_title", "folded_source_url", "folded_path"}


@pytest.fixture(scope="module")
def template(postgresql: PostgreSQL) -> str:
    """URL of a database that has the tables, to be copied."""
    url = postgresql.new_database()
    Library.open(url).close()
    return url


@pytest.fixture
def url(postgresql: PostgreSQL, template: str) -> Iterator[str]:
    url = postgresql.new_database(template)
    yield url
    postgresql.drop(url)


@pytest.fixture
def library(url: str) -> Iterator[Library]:
    library = Library.open(url)
    yield library
    library.close()


def break_off(url: str) -> None:
    """Ends all connections to the database, as a failing server or network does."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )


# Opening


def test_migrations_make_the_tables_that_the_code_describes(library: Library) -> None:
    with library.engine.connect() as connection:
        differences = compare_metadata(MigrationContext.configure(connection), METADATA)
        inspector = sa.inspect(connection)
        for table in METADATA.tables:
            for column in inspector.get_columns(table):
                if isinstance(column["type"], sa.String):
                    assert column["type"].collation == "C", (table, column["name"])
    beyond = {(kind, column.name) for kind, _, _, column in differences}
    assert beyond == {("remove_column", name) for name in COMPUTED}, "which it fills by itself"


def test_of_several_who_open_an_empty_database_one_makes_the_tables(database_url: str) -> None:
    def open_it(_: int) -> str:
        with closing(Library.open(database_url)) as library:
            return library.version().identity

    with ThreadPoolExecutor(4) as several:
        assert len(set(several.map(open_it, range(4)))) == 1


def test_what_cannot_be_a_library_says_so_and_never_the_password(
    postgresql: PostgreSQL, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(address: str) -> str:
        with pytest.raises(LibraryError) as error:
            Library.open(address)
        causes = [error.value, error.value.__cause__, error.value.__context__]
        assert postgresql.password not in "".join(map(repr, causes))
        assert "hemmelig" not in "".join(map(repr, causes))
        return str(error.value)

    wrong = url.replace(postgresql.password, "hemmelig")
    assert "set the right user and password" in refused(wrong)
    assert "CREATE DATABASE" in refused(postgresql.url("finnes_ikke"))
    assert "cannot be reached" in refused(f"postgresql://a:{postgresql.password}@127.0.0.1:1/b")
    assert "cannot be understood" in refused("postgresql://a:hemmelig%zz@127.0.0.1/b")
    assert "sslmode" in refused(f"{url}?sslmode=require")
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
        assert "schema 9999" in refused(url)
        connection.execute("DROP SCHEMA public CASCADE")
        assert "no schema" in refused(url)
    monkeypatch.setattr(PGDialect, "_get_server_version_info", lambda *_: (12, 9))
    assert "needs PostgreSQL 13" in refused(url)


# What is asked


@settings(max_examples=30, deadline=None)
@given(texts=st.lists(st.text(st.characters(exclude_categories=["Cs"])), max_size=30))
def test_text_is_folded_as_it_is_elsewhere(template: str, texts: list[str]) -> None:
    texts = [text.replace("\0", "") for text in ["ÆØÅ Ås Straße ﬁ İ", *texts]]
    query = sa.text("SELECT kildesvar_folded(text) FROM unnest(CAST(:all AS text[])) AS text")
    with closing(Library.open(template)) as library, library.engine.connect() as connection:
        assert list(connection.scalars(query, {"all": texts})) == [folded(text) for text in texts]


def test_titles_come_in_the_same_order_whatever_the_databases_own(library: Library) -> None:
    given = ["ZZ", "å", "Ä", "ø b", "a-b", "Ab", "aC", "é", "«Æ»", "2", "10", "ß"]
    for number, title in enumerate(given):
        titled(library, title, f"/d/{number:02}.txt")
    assert titles(library) == sorted(given, key=alphabetical)


def test_a_nul_is_found_nowhere_and_kept_as_what_it_can_be(library: Library) -> None:
    with library.transaction() as connection:
        connection.execute(sa.insert(folders), {"path": "/a\0b", "collection": "c"})
    assert library.folders() == {"/a\ufffdb": "c"}
    assert library.document_of("\0") is None


def test_an_error_tells_nothing_of_the_row(library: Library) -> None:
    broken = Source("/d/hemmelig.txt", 1, 1, None)  # type: ignore[arg-type]
    put(library, "Tekst.", "/d/a.txt")
    with pytest.raises(sa.exc.IntegrityError) as error:
        library.put(replace_text("Hemmelig."), broken, [], {}, "f")
    assert "file_hash" in str(error.value)
    assert "emmelig" not in f"{error.value} {error.value.orig} {error.value.__cause__}"
    assert library.count() == (1, 1)


def replace_text(text: str) -> Any:
    from tests.test_library import document

    return replace(document(text), title="Hemmelig")


def test_reading_in_several_queries_finds_them_of_one_state(library: Library) -> None:
    put(library, "Første.", "/d/a.txt")
    with library.engine.connect() as connection:
        count = sa.select(sa.func.count()).select_from(passages)
        assert connection.scalar(count) == 1
        put(library, "Andre.", "/d/b.txt")
        assert connection.scalar(count) == 1
    assert library.count() == (2, 2)


# Locks


def test_the_writers_lock_is_shared_or_exclusive(library: Library, url: str) -> None:
    with closing(Library.open(url)) as other:
        with library.writing(exclusive=False):
            with other.writing(exclusive=False):
                pass
            with pytest.raises(LibraryBusyError), other.writing():
                pass
        with library.writing():
            for exclusive in (False, True):
                with pytest.raises(LibraryBusyError), other.writing(exclusive=exclusive):
                    pass
        with other.writing():
            pass


def test_what_is_unused_is_kept_while_others_write(library: Library, url: str) -> None:
    """Another ingest may have found a vector in the cache, and not stored what it is of."""

    def vectors() -> int:
        with library.engine.connect() as connection:
            return connection.scalar(sa.text("SELECT count(*) FROM vectors")) or 0

    put(library, "Tekst.", "/d/a.txt")
    library.remove_sources(["/d/a.txt"])
    with closing(Library.open(url)) as other, library.writing(exclusive=False):
        with ThreadPoolExecutor(1) as thread, other.writing(exclusive=False):
            thread.submit(other.forget_unused, {1}, {"sha256:model"}).result()
            library.forget_unused({1}, {"sha256:model"})
            assert vectors() == 1
        library.forget_unused({1}, {"sha256:model"})
        assert vectors() == 0
        with other.writing(exclusive=False):
            pass  # it is shared again


def test_what_was_put_off_is_forgotten_in_a_quiet_moment(
    url: str, tmp_path: Path, model_folder: Path
) -> None:
    def vectors() -> int:
        with kildesvar.library.engine.connect() as connection:
            return connection.scalar(sa.text("SELECT count(*) FROM vectors")) or 0

    kildesvar = Kildesvar(load_settings(data_dir=tmp_path / "data", database_url=url))
    with closing(kildesvar):
        put(kildesvar.library, "Tekst.", "/d/a.txt")
        kildesvar.library.remove_sources(["/d/a.txt"])
        with closing(Library.open(url)) as other, other.writing(exclusive=False):
            with ThreadPoolExecutor(1) as thread:
                thread.submit(kildesvar.ingester().let_go).result()
                thread.submit(kildesvar.tidy).result()
            assert vectors() == 1
        kildesvar.tidy()
        assert vectors() == 0
        assert not kildesvar.library.has_put_off_forgetting()


def test_whoever_has_lost_the_lock_writes_nothing_more(library: Library, url: str) -> None:
    with library.writing(exclusive=False):
        put(library, "Første.", "/d/a.txt")
        break_off(url)
        with pytest.raises(LibraryUnavailableError, match="lock is lost"):
            put(library, "Andre.", "/d/b.txt")
    assert library.count() == (1, 1)
    with library.writing():
        put(library, "Andre.", "/d/b.txt")
    assert library.count() == (2, 2)


def test_a_transaction_waits_for_another_no_longer_than_it_may(library: Library, url: str) -> None:
    with closing(Library.open(url)) as other, other.transaction():
        with (
            pytest.raises(LibraryError, match="others have been writing"),
            library.transaction(waits=0.05),
        ):
            pass
        with library.transaction(alone=False) as connection:  # which waits for nobody
            connection.execute(sa.insert(folders), {"path": "/a", "collection": "c"})
    assert library.folders() == {"/a": "c"}


# Being gone


def test_a_connection_that_was_broken_off_costs_nobody_anything(library: Library, url: str) -> None:
    put(library, "Tekst.", "/d/a.txt")
    break_off(url)
    assert library.count() == (1, 1)


def test_no_more_connections_than_there_are_is_said(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    most = postgresql_module._POOLED + postgresql_module._OVERFLOW
    held = [library.engine.connect() for _ in range(most)]
    try:
        with pytest.raises(LibraryUnavailableError, match="are in use"):
            library.count()
    finally:
        for connection in held:
            connection.close()
    assert library.count() == (0, 0)


def test_a_service_says_that_the_database_is_gone_and_goes_on_when_it_is_back(
    postgresql: PostgreSQL, url: str, tmp_path: Path, model_folder: Path
) -> None:
    kildesvar = Kildesvar(load_settings(data_dir=tmp_path, database_url=url))
    with closing(kildesvar), kildesvar.writing():
        kildesvar.ingester().ingest(sorted(EXAMPLES.iterdir())[:2])
        client = TestClient(create_service(kildesvar), base_url=LOCAL)
        question = {"question": "Hvor mange medlemmer har bransjen?"}
        requests: list[tuple[str, str, Any]] = [
            ("POST", "/v1/ask", question),
            ("GET", "/v1/documents", None),
            ("GET", "/v1/search?q=medlemmer", None),
            ("GET", "/readyz", None),
        ]
        answers = AnswerLog(AnswerRecords(kildesvar.library), 90)  # without its thread
        for end in (postgresql.kill, postgresql.stop):
            end()
            try:
                for method, path, body in requests:
                    answer = client.request(method, path, json=body)
                    assert (answer.status_code, "Retry-After" in answer.headers) == (503, True)
                    assert "127.0.0.1" not in answer.text, "which is for the log alone"
                assert answers.record("Hva?", made_answer())
                with pytest.raises(LibraryUnavailableError):
                    answers.flush()
            finally:
                postgresql.start()
            for method, path, body in requests:
                assert client.request(method, path, json=body).status_code == 200
        answers.flush()
        assert kildesvar.library.count()[0] == 2
        with kildesvar.library.engine.connect() as connection:
            kept = connection.scalar(
                sa.text("SELECT count(*) FROM answers WHERE question = 'Hva?'")
            )
        assert kept == 2, "what could not be recorded then is now"


# Moving


def test_a_library_moves_there_and_back_and_nothing_is_embedded_again(
    url: str, tmp_path: Path, model_folder: Path
) -> None:
    def answer(kildesvar: Kildesvar) -> dict[str, Any]:
        client = TestClient(create_service(kildesvar), base_url=LOCAL)
        body = {"question": "Hvor mange medlemmer har bransjen?"}
        said: dict[str, Any] = client.post("/v1/ask", json=body).json()
        return {name: said[name] for name in said if name not in {"timings", "answer_id"}}

    def moved(file: Path, **place: Any) -> Kildesvar:
        there = load_settings(data_dir=tmp_path / file.stem, **place)
        last = restore(file, there.library_address, there.uploads_dir, 1000)
        kildesvar = Kildesvar(there)
        with kildesvar.writing():
            report = kildesvar.ingester().ingest(files, accept_removals=True)
        assert (report.unchanged, report.embedded, last.documents) == (2, 0, 2)
        return kildesvar

    files = sorted(EXAMPLES.iterdir())[:2]
    first = Kildesvar(load_settings(data_dir=tmp_path / "data"))
    first.ingester().ingest(files)
    said = answer(first)
    back_up(first.settings.library_path, first.settings.uploads_dir, tmp_path / "til.zip")
    first.close()
    second = moved(tmp_path / "til.zip", database_url=url)
    assert without_generation(answer(second)) == without_generation(said)
    ids = second.library.passage_ids(second.library.edition().number)
    assert ids.min() > 1000
    back_up(url, second.settings.uploads_dir, tmp_path / "fra.zip")
    second.close()
    third = moved(tmp_path / "fra.zip")
    assert without_generation(answer(third)) == without_generation(said)
    assert third.library.damage() == third.library.strays() == []
    third.close()


def without_generation(said: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in said.items() if name != "generation"}


def test_what_was_restored_goes_on_beyond_all_ids(url: str, tmp_path: Path) -> None:
    with closing(Library.open(url)) as library:
        for number in range(3):
            put(library, f"Tekst {number}.", f"/d/{number}.txt")
        back_up(url, tmp_path / "uploads", tmp_path / "a.zip")
        last = max(library.passage_ids(1))
        late = put(library, "Etter.", "/d/ny.txt")
        restore(tmp_path / "a.zip", url, tmp_path / "uploads")
        assert library.count() == (3, 3)
        assert late not in library.document_ids()
        assert min(library.passage_ids(1)) > last + 1, "that of the late one is not used again"
        put(library, "Nå.", "/d/na.txt")
        assert len(set(library.passage_ids(1).tolist())) == 4


# Several who write at once

WRITER = """
import random, sys
import numpy as np
from index.documents import Document
from index.library import Library
from index.passages import Passage
from index.records import NewPassage, Source, Vectors

def put(library, text, path):
    made = Document("Tittel", text, (), "text/plain", "nb")
    new = [NewPassage(Passage(0, len(text), ()), (), made.content_hash)]
    vectors = Vectors(np.full(4, 0.5, np.float32), np.empty((0, 4), np.float32))
    # As an ingest does: what is in the cache already is not given again.
    known = library.vectors([made.content_hash], "sha256:model")
    given = {} if known else {made.content_hash: vectors}
    library.put(made, Source(path, 1, 1, f"sha256:{path}{text}"), new, given, "sha256:model")

url, name = sys.argv[1:]
chance = random.Random(name)
library = Library.open(url)
for number in range(30):
    folder = chance.choice([name, "felles"])
    path = f"/{folder}/{chance.randrange(4)}.txt"
    with library.writing(exclusive=False):
        what = chance.randrange(5)
        if what < 3:
            put(library, f"Tekst {chance.randrange(6)} " + ("felles" if what else name), path)
        elif what == 3:
            library.move(path, chance.choice(["default", "styret"]))
        else:
            library.remove_sources([path])
        library.forget_unused({1}, {"sha256:model"})
for number in range(4):
    with library.writing(exclusive=False):
        put(library, f"Til slutt {name} {number}", f"/{name}/{number}.txt")
library.close()
"""


def test_what_several_processes_write_at_once_is_all_there_and_once(
    library: Library, url: str
) -> None:
    Outbox(library).begin("test")
    seen: list[int] = []
    is_done = threading.Event()

    def watch() -> None:
        """Rows of the outbox are to come in order: who has seen one has seen all before it."""
        while not is_done.is_set():
            with library.engine.connect() as connection:
                ids = list(connection.scalars(sa.select(outbox.c.id).order_by(outbox.c.id)))
            assert ids[: len(seen)] == seen
            seen[:] = ids
            time.sleep(0.02)

    names = ["en", "to", "tre"]
    with ThreadPoolExecutor(1) as watching:
        watched = watching.submit(watch)
        writers = [
            subprocess.Popen([sys.executable, "-c", WRITER, url, name], cwd=ROOT) for name in names
        ]
        try:
            assert [writer.wait(timeout=120) for writer in writers] == [0, 0, 0]
        finally:
            is_done.set()
        watched.result()
    assert len(seen) > 30
    for name in names:
        for number in range(4):
            document_id = library.document_of(f"/{name}/{number}.txt")
            assert library.document(document_id or "").text == f"Til slutt {name} {number}"
    ids = library.document_ids()
    of_each = library.documents_of(library.passage_ids(1).tolist())
    assert sorted(of_each.values()) == ids, "each document has its one passage"
    assert all(library.files_of_each(ids).values()), "and a file"
    keys = {library.document(document_id).content_hash for document_id in ids}
    assert library.vectors(keys, "sha256:model").keys() == keys, "and its vector"
    assert library.strays() == []


def test_one_process_without_the_cluster_does_not_end_it_for_all(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "en.txt"
    path.write_text("Rådet har tolv medlemmer.", encoding="utf-8")
    monkeypatch.setenv("KILDESVAR_DATABASE_URL", url)
    with closing(Library.open(url)) as library:
        outbox = Outbox(library)
        outbox.begin("kildesvar")
        files = Generations(tmp_path / "generations", library)
        ingester = Ingester(library, files, HashingEncoder(), PassageSettings(220))
        with pytest.raises(IndexConfigurationError, match="KILDESVAR_OPENSEARCH_URL"):
            ingester.ingest([path])
        assert outbox.follower() == "kildesvar"
        leave(data_dir=tmp_path)
        assert outbox.follower() is None
        assert ingester.ingest([path]).added == 1


def test_who_follows_is_told_when_the_lock_is_lost(url: str) -> None:
    with closing(Library.open(url)) as library, library.following() as is_held:
        assert is_held is not None and is_held()
        with library.following() as other:
            assert other is None
        with psycopg.connect(url, autocommit=True) as admin:
            admin.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE pid <> pg_backend_pid() AND datname = current_database()"
            )
        assert not is_held()
        assert not is_held(), "nor is it by a new connection"


def test_the_server_lets_go_of_a_host_that_is_gone_without_a_word(library: Library) -> None:
    with library.engine.connect() as connection:
        told = {
            name: connection.scalar(sa.text("SELECT current_setting(:name)"), {"name": name})
            for name in ("tcp_keepalives_idle", "idle_in_transaction_session_timeout")
        }
    assert told == {"tcp_keepalives_idle": "5", "idle_in_transaction_session_timeout": "5min"}


def test_who_wants_to_be_alone_waits_for_those_who_share(library: Library, url: str) -> None:
    other = Library.open(url)
    held = threading.Event()

    def share() -> None:
        with other.writing(exclusive=False):
            held.set()
            time.sleep(0.5)

    with closing(other), ThreadPoolExecutor() as pool:
        sharing = pool.submit(share)
        held.wait(10)
        with pytest.raises(LibraryBusyError), library.writing(exclusive=True):
            pass
        with library.writing(exclusive=True, waits=30.0):
            sharing.result(10)
