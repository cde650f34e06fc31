"""Writing to indices: many passages at once, no more bytes than a node takes, each looked at.

Every passage is written or deleted under a version, so that the cluster itself refuses what is
older than what it has.
"""

import json
import random
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from index.errors import DocumentRefusedError, IndexUnavailableError
from index.opensearch.client import Cluster
from index.opensearch.failures import RETRIED, kind_of, of_answer

_MOST_BYTES = 4 * 1024**2
_MOST_ACTIONS = 2000
_WITHIN = 120.0
"""Seconds that one request may take: a node that merges is slow, and has to be waited for."""
_TRIES = 8
_FIRST_PAUSE, _LONGEST_PAUSE = 0.2, 10.0
_NEWER, _GONE = 409, 404


@dataclass(frozen=True, slots=True)
class Action:
    """What is to become of a passage in an index: to be as `body` says, or, without, to be gone."""

    index: str
    passage_id: int
    version: int
    body: Mapping[str, Any] | None = None


def write(cluster: Cluster, actions: Iterable[Action]) -> None:
    """Has the cluster do all of it, as far as it knows nothing newer.

    Raises IndexUnavailableError when some could not be done now, and DocumentRefusedError when one
    never will be, or IndexConfigurationError when none; those before may be done then.
    """
    for some in _bounded(actions):
        _send(cluster, some)


def _bounded(actions: Iterable[Action]) -> Iterator[list[bytes]]:
    """The actions as lines, in groups that fit into one request."""
    group: list[bytes] = []
    size = 0
    for action in actions:
        lines = _lines(action)
        if group and (size + len(lines) > _MOST_BYTES or len(group) == _MOST_ACTIONS):
            yield group
            group, size = [], 0
        group.append(lines)
        size += len(lines)
    if group:
        yield group


def _lines(action: Action) -> bytes:
    about = {
        "_index": action.index,
        "_id": str(action.passage_id),
        "version": action.version,
        "version_type": "external_gte",
    }
    if action.body is None:
        return f"{json.dumps({'delete': about})}\n".encode()
    body = json.dumps(action.body, ensure_ascii=False, separators=(",", ":"))
    return f"{json.dumps({'index': about})}\n{body}\n".encode()


def _send(cluster: Cluster, actions: Sequence[bytes]) -> None:
    pause = _FIRST_PAUSE
    for tried in range(_TRIES):
        answer = cluster.client.bulk(
            body=b"".join(actions),
            params={
                "request_timeout": _WITHIN,
                "filter_path": "errors,items.*.status,items.*.error",
            },
        )
        if not answer["errors"]:
            return
        actions, error = _left(actions, answer["items"])
        if not actions:
            return
        if tried < _TRIES - 1:
            time.sleep(pause * random.uniform(0.5, 1.0))
            pause = min(2 * pause, _LONGEST_PAUSE)
    status, said = error
    raise of_answer(status, said) or IndexUnavailableError(
        f"the search cluster takes no passages now ({kind_of(said)}); it is tried again"
    )


def _left(
    actions: Sequence[bytes], items: Sequence[Mapping[str, Any]]
) -> tuple[list[bytes], tuple[int, Any]]:
    """Those that have to be tried again, and the last of their errors."""
    left: list[bytes] = []
    last: tuple[int, Any] = (0, None)
    for action, item in zip(actions, items, strict=True):
        [(_, done)] = item.items()
        status, error = done["status"], done.get("error")
        # What is gone need not be deleted, and what is newer there was written by another.
        if error is None or (status in {_NEWER, _GONE} and not _is_of_index(error)):
            continue
        if status not in RETRIED:
            raise of_answer(status, error) or DocumentRefusedError(
                f"the search cluster refuses a passage ({kind_of(error)}, status {status}); see "
                "that nobody else writes to the index, and run `kildesvar index check --mend`"
            )
        left.append(action)
        last = (status, error)
    return left, last


def _is_of_index(error: Any) -> bool:
    return isinstance(error, Mapping) and error.get("type") == "index_not_found_exception"
