"""The PostgreSQL that tests start."""

import psycopg
import pytest

from tests.cluster.postgresql import PostgreSQL, running_postgresql


def words(url: str) -> list[str]:
    with psycopg.connect(url) as connection:
        return [word for (word,) in connection.execute("SELECT word FROM words ORDER BY word")]


def fill(url: str) -> None:
    with psycopg.connect(url) as connection:
        connection.execute("CREATE TABLE words (word text)")
        connection.execute("INSERT INTO words VALUES ('zoo'), ('Aa'), ('bok')")


def test_what_was_committed_outlives_every_end(postgresql: PostgreSQL, database_url: str) -> None:
    fill(database_url)
    for end in (postgresql.kill, postgresql.stop):
        end()
        assert not postgresql.is_running
        with pytest.raises(psycopg.OperationalError):
            psycopg.connect(database_url)
        postgresql.start()
        assert len(words(database_url)) == 3


def test_a_paused_server_takes_connections_and_does_not_answer(postgresql: PostgreSQL) -> None:
    url = postgresql.new_database()
    postgresql.pause()
    try:
        with pytest.raises(psycopg.errors.ConnectionTimeout):
            psycopg.connect(url, connect_timeout=2)
    finally:
        postgresql.resume()
    psycopg.connect(url).close()


def test_databases_are_apart_copied_and_sorted_as_asked(postgresql: PostgreSQL) -> None:
    first = postgresql.new_database()
    fill(first)
    copy = postgresql.new_database(first)
    assert sorted(words(copy)) == ["Aa", "bok", "zoo"]
    by_bytes = postgresql.new_database(locale="C.utf8")
    fill(by_bytes)
    assert words(by_bytes) == ["Aa", "bok", "zoo"]
    postgresql.drop(first)
    with pytest.raises(psycopg.OperationalError, match="does not exist"):
        psycopg.connect(first)
    assert words(copy)


def test_the_password_counts(postgresql: PostgreSQL) -> None:
    url = postgresql.url("postgres")
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(url.replace(postgresql.password, "wrong"))


def test_two_servers_do_not_meet(postgresql: PostgreSQL) -> None:
    with running_postgresql(settings={"max_connections": "20"}) as other:
        assert other.port != postgresql.port
        with psycopg.connect(other.url("postgres")) as connection:
            assert connection.execute("SHOW max_connections").fetchone() == ("20",)
    assert not other.folder.exists()
    assert postgresql.is_running
