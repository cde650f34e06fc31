"""What is asked of a cluster, and how it is understood: all of it that needs no cluster."""

import re
import socket
import time
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opensearchpy.exceptions import AuthorizationException, TransportError

from index.engine import Recipe
from index.errors import IndexConfigurationError, IndexUnavailableError
from index.opensearch.client import Address, Cluster, Search
from index.opensearch.failures import meaning_of, of_answer
from index.opensearch.indices import Memory
from index.opensearch.mapping import Layout, Origin
from index.opensearch.patterns import LONGEST, beginning, beginning_nearly
from index.opensearch.series import Catalogue, Series
from index.wording import edits_to_beginning

LETTERS = st.text("abcø.*(^-", max_size=8)


@given(LETTERS, LETTERS, st.integers(1, 2))
def test_a_pattern_fits_all_that_nearly_begins_so_and_nothing_else(
    start: str, word: str, distance: int
) -> None:
    pattern = re.compile(beginning_nearly(start, distance), re.DOTALL)
    assert bool(pattern.fullmatch(word)) == (edits_to_beginning(start, word) <= distance)
    assert bool(re.fullmatch(beginning(start), word)) == word.startswith(start)


def test_a_pattern_is_never_longer_than_an_index_takes() -> None:
    for letters in (1, 10, 20, 25, 60):
        start = "abcdefghij" * 6
        assert len(beginning_nearly(start[:letters], 2)) <= LONGEST
    assert re.fullmatch(beginning_nearly(start, 2), start[:20] + start[21:] + "…")


def test_only_what_is_missing_is_fetched_and_only_so_much_is_kept() -> None:
    fetched: list[list[int]] = []

    def double(keys: object) -> list[int]:
        fetched.append(list(keys))  # type: ignore[call-overload]
        return [2 * key for key in fetched[-1]]

    memory = Memory[int, int](3, double)
    assert memory.values([1, 2, 1]) == {1: 2, 2: 4}
    assert memory.values([2, 3]) == {2: 4, 3: 6}
    assert memory.values([4, 5, 6, 7]) == {4: 8, 5: 10, 6: 12, 7: 14}, "more than are kept"
    assert memory.missing([1, 5, 6, 7]) == [1]
    memory.keep({1: 0})
    assert memory.values([1, 7]) == {1: 0, 7: 14}
    assert fetched == [[1, 2], [3], [4, 5, 6, 7]]


ROOT = {"root_cause": [{"type": "x", "reason": "y"}]}


@pytest.mark.parametrize(
    ("status", "error", "kind", "remedy"),
    [
        (401, "Unauthorized", IndexConfigurationError, "KILDESVAR_OPENSEARCH_PASSWORD"),
        (403, {"type": "security_exception"}, IndexConfigurationError, "rights"),
        (
            429,
            {"type": "cluster_block_exception", "reason": "disk usage exceeded flood-stage mark"},
            IndexUnavailableError,
            "make room",
        ),
        (
            403,
            {"type": "cluster_block_exception", "reason": "index read-only / allow delete (api)"},
            IndexUnavailableError,
            "make room",
        ),
        (503, {"type": "cluster_block_exception"}, IndexUnavailableError, "nodes are there"),
        (429, {"type": "rejected_execution_exception"}, IndexUnavailableError, "more nodes"),
        (
            400,
            {**ROOT, "caused_by": {"type": "z", "reason": "unknown setting [index.knn]"}},
            IndexConfigurationError,
            "opensearch-knn",
        ),
        (
            400,
            {"reason": "Query vector has invalid dimension: 3. Dimension should be: 384"},
            IndexConfigurationError,
            "another model",
        ),
        (
            503,
            {"type": "search_phase_execution_exception", "reason": "all shards failed"},
            IndexUnavailableError,
            "_cluster/health",
        ),
        (404, {"type": "index_not_found_exception"}, IndexUnavailableError, "replaced"),
        (500, {"type": "null_pointer_exception"}, IndexUnavailableError, "null_pointer"),
        (502, "<html>", IndexUnavailableError, "logs"),
    ],
)
def test_a_failure_is_named_by_what_is_to_be_done(
    status: int, error: object, kind: type[Exception], remedy: str
) -> None:
    meant = of_answer(status, error)
    assert type(meant) is kind
    assert remedy in str(meant)


def test_what_only_who_asks_can_judge_is_left_to_them() -> None:
    assert of_answer(409, {"type": "version_conflict_engine_exception"}) is None
    assert of_answer(404, {"type": "resource_not_found_exception"}) is None
    assert of_answer(400, {"type": "resource_already_exists_exception"}) is None


def test_no_message_has_what_the_cluster_said_of_a_user() -> None:
    said = {"error": {"type": "security_exception", "reason": "no permissions for [name=geheim]"}}
    error = meaning_of(AuthorizationException(403, "security_exception", said))
    assert "geheim" not in str(error)
    address = Address(("http://a.example:9200",), "navn", "passord", "nøkkel")
    assert "passord" not in repr(address) and "nøkkel" not in repr(address)


def test_a_refused_search_is_named_without_the_words_that_were_asked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    said = {"type": "parsing_exception", "reason": "cannot parse «hemmelig»"}
    cluster = Cluster(Address(("http://a.example:9200",)))
    monkeypatch.setattr(
        cluster.client, "msearch", lambda **_: {"responses": [{"status": 400, "error": said}]}
    )
    with pytest.raises(IndexConfigurationError, match="parsing_exception") as caught:
        cluster.search(Search(["a"], {}))
    assert "hemmelig" not in str(caught.value)
    cluster.close()


def test_an_error_without_a_status_means_that_it_cannot_answer() -> None:
    assert isinstance(meaning_of(TransportError("N/A", "weird", None)), IndexUnavailableError)


def test_a_cluster_that_is_not_there_is_said_at_once_and_no_thread_remains() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    cluster = Cluster(Address((f"http://127.0.0.1:{port}", f"http://localhost:{port}")))
    began = time.monotonic()
    with pytest.raises(IndexUnavailableError, match="Connection refused"):
        cluster.about()
    for _ in range(20):
        with pytest.raises(IndexUnavailableError, match="KILDESVAR_OPENSEARCH_URL"):
            cluster.about()
    assert time.monotonic() - began < 2
    with pytest.raises(IndexUnavailableError, match="can be reached"):
        cluster.require_reachable()
    watchers = cluster.client.transport.connection_pool._watcher
    assert watchers.is_alive()
    cluster.close()
    assert not watchers.is_alive()


def test_a_refresh_that_failed_in_some_parts_is_none() -> None:
    """A stand-in answers: parts of a real cluster do not fail when a test wants it."""
    told = {"_shards": {"total": 3, "successful": 2, "failed": 1}}
    indices = SimpleNamespace(refresh=lambda **_: told)
    cluster = cast(Cluster, SimpleNamespace(client=SimpleNamespace(indices=indices)))
    origin = Origin("a" * 32, 1, 1, Recipe("sha256:x", 2, 220))
    with pytest.raises(IndexUnavailableError, match="1 of 3 parts"):
        Catalogue(cluster, Layout()).refresh(Series("s", origin, {"default": "s-default"}))


def test_a_node_that_is_slow_is_not_taken_for_one_that_is_lost() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        cluster = Cluster(Address((f"http://127.0.0.1:{silent.getsockname()[1]}",), seconds=0.3))
        with pytest.raises(IndexUnavailableError, match="not answered within"):
            cluster.client.info()
        assert not cluster.client.transport.connection_pool._lost
        cluster.close()


def test_a_file_that_is_no_certificate_is_named(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("nothing", "utf-8")
    for name in ("ca.pem", "none.pem"):
        address = Address(("https://127.0.0.1:9200",), ca=tmp_path / name)
        with pytest.raises(IndexConfigurationError, match="KILDESVAR_OPENSEARCH_CA"):
            Cluster(address)
    with pytest.raises(IndexConfigurationError, match="no such port"):
        Cluster(Address(("http://127.0.0.1:99999",)))
