"""What is written to a cluster at once: bounded, and looked at one by one.

A stand-in answers for the cluster: a real one is never busy when a test wants it to be.
"""

import json
from types import SimpleNamespace
from typing import Any, cast

import pytest

from index.errors import DocumentRefusedError, IndexUnavailableError
from index.opensearch import bulk
from index.opensearch.bulk import Action, write
from index.opensearch.client import Cluster


class Answering:
    """Takes requests, and says of each passage what it is told to; else that all is well."""

    def __init__(self, *answers: dict[int, tuple[int, str]]) -> None:
        self.answers = list(answers)
        self.requests: list[list[int]] = []
        self.sizes: list[int] = []
        self.client = SimpleNamespace(bulk=self._bulk)

    def _bulk(self, body: bytes, params: dict[str, Any]) -> dict[str, Any]:
        heads = [json.loads(line) for line in body.splitlines() if b'"_id"' in line]
        asked = [int(next(iter(head.values()))["_id"]) for head in heads]
        self.requests.append(asked)
        self.sizes.append(len(body))
        told = self.answers.pop(0) if self.answers else {}
        items = []
        for head, passage_id in zip(heads, asked, strict=True):
            status, error = told.get(passage_id, (200, ""))
            [kind] = head
            said = {"status": status}
            why = {"type": error, "reason": "Preview of field's value: 'hemmelig'"}
            items.append({kind: {**said, "error": why} if error else said})
        return {"errors": bool(told), "items": items}


def actions(count: int, letters: int = 1) -> list[Action]:
    return [Action("i", number, 1, {"words": "x" * letters}) for number in range(count)]


def written(answering: Answering, given: list[Action]) -> None:
    write(cast(Cluster, answering), given)


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulk, "_FIRST_PAUSE", 0.0)


def test_no_request_is_larger_than_a_node_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulk, "_MOST_BYTES", 1000)
    answering = Answering()
    written(answering, [*actions(10, 300), Action("i", 10, 1, {"words": "x" * 3000})])
    sent = [passage_id for request in answering.requests for passage_id in request]
    assert sent == list(range(11)), "each once, in order"
    assert all(size <= 1000 for size in answering.sizes[:-1])
    assert answering.requests[-1] == [10], "what is larger by itself goes alone"


def test_only_what_was_refused_for_now_is_sent_again() -> None:
    busy = (429, "rejected_execution_exception")
    answering = Answering({1: busy, 3: busy}, {3: busy})
    written(answering, actions(5))
    assert answering.requests == [[0, 1, 2, 3, 4], [1, 3], [3]]


def test_what_is_newer_in_the_index_or_gone_from_it_is_done() -> None:
    answering = Answering({0: (409, "version_conflict_engine_exception"), 1: (404, "")})
    written(answering, [*actions(1), Action("i", 1, 1)])
    assert len(answering.requests) == 1


def test_a_cluster_that_stays_busy_is_given_up() -> None:
    answering = Answering(*[{0: (429, "rejected_execution_exception")}] * 20)
    with pytest.raises(IndexUnavailableError, match="too much to do"):
        written(answering, actions(1))
    assert len(answering.requests) == bulk._TRIES


def test_a_passage_that_is_never_taken_is_no_matter_of_time() -> None:
    answering = Answering({1: (400, "mapper_parsing_exception")})
    with pytest.raises(DocumentRefusedError, match="mapper_parsing") as refused:
        written(answering, actions(3))
    assert "hemmelig" not in str(refused.value), "no word of a document is told"
    assert len(answering.requests) == 1


def test_an_index_that_is_gone_is_not_taken_for_a_passage_that_is() -> None:
    answering = Answering({0: (404, "index_not_found_exception")})
    with pytest.raises(IndexUnavailableError):
        written(answering, actions(1))
