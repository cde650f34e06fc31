"""What goes wrong with a cluster, by what is to be done about it. No message has a secret in it."""

import ssl
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from opensearchpy.exceptions import ConnectionError as NodeLostError
from opensearchpy.exceptions import TransportError

from index.errors import IndexConfigurationError, IndexUnavailableError, KildesvarError

BUSY, _ERROR = 429, 500
RETRIED = frozenset({BUSY, 502, 503, 504})
"""Statuses that may be another by the next time."""
SEARCHED_AGAIN = RETRIED | {_ERROR}
"""The same of a search: a node that is lost in the middle of one is told as an error of the one
that was asked."""


class _Kind(NamedTuple):
    """What a failure is known by: its status, of any where that is None, and one of its words."""

    status: int | None
    words: tuple[str, ...]
    error: type[KildesvarError]
    message: str


NO_VECTORS = (
    "the search cluster cannot search vectors; install the plugin opensearch-knn on each of its "
    "nodes"
)
_KINDS = (
    _Kind(
        None,
        (
            "flood-stage",
            "flood stage",
            "read-only / allow delete",
            "read-only-allow-delete",
            "create-index blocked",  # so that is said of new indices, at an earlier stage
        ),
        IndexUnavailableError,
        "the search cluster's disks are nearly full, and it takes no more documents; make room or "
        "add nodes. It goes on by itself then",
    ),
    _Kind(
        401,
        ("",),
        IndexConfigurationError,
        "the search cluster knows no such name and password, or no such key; mend "
        "KILDESVAR_OPENSEARCH_USER and KILDESVAR_OPENSEARCH_PASSWORD, or "
        "KILDESVAR_OPENSEARCH_KEY",
    ),
    _Kind(
        None,
        ("cluster_block_exception",),
        IndexUnavailableError,
        "the search cluster does not let itself be used now, since somebody set a block or too few "
        "of its nodes are there; try again in a moment",
    ),
    _Kind(
        403,
        ("",),
        IndexConfigurationError,
        "the search cluster does not let this service do what it must; give its user the rights "
        "that docs/scaling.md lists",
    ),
    _Kind(
        400,
        ("invalid dimension", "dimension mismatch"),
        IndexConfigurationError,
        "the index in the search cluster has vectors of another model; run `kildesvar ingest` to "
        "have one made by this model, or set KILDESVAR_MODEL back as it was",
    ),
    _Kind(
        None,
        ("index.knn", "[knn_vector]", "unknown query [knn]"),
        IndexConfigurationError,
        NO_VECTORS,
    ),
    _Kind(
        None,
        ("no_shard_available", "all shards failed", "shards_missing", "search_phase_execution"),
        IndexUnavailableError,
        "parts of the index cannot be searched now, since nodes that hold them are gone; they come "
        "back with their nodes. If they do not, look at `GET _cluster/health`",
    ),
    _Kind(
        404,
        ("index_not_found",),
        IndexUnavailableError,
        "the index was replaced a moment ago, or is not made yet; try again in a moment",
    ),
    _Kind(
        BUSY,
        ("",),
        IndexUnavailableError,
        "the search cluster has too much to do; try again in a moment. If that lasts, give it more "
        "nodes",
    ),
)


def unreachable(addresses: str, cause: Exception | None) -> KildesvarError:
    """What to raise when no node could be reached, for what was the matter with the last."""
    error = cause.info if isinstance(cause, NodeLostError) else cause
    for reason in _reasons(error):
        if isinstance(reason, ssl.SSLCertVerificationError):
            return IndexConfigurationError(
                f"the certificate of {addresses} cannot be trusted ({reason.verify_message}); name "
                "the certificate of who signed it with KILDESVAR_OPENSEARCH_CA, and each node with "
                "a name that its certificate has with KILDESVAR_OPENSEARCH_URL"
            )
        if isinstance(reason, ssl.SSLError) and "WRONG_VERSION" in str(reason).upper():
            return IndexConfigurationError(
                f"{addresses} does not speak TLS; write http:// in KILDESVAR_OPENSEARCH_URL, or "
                "have the cluster speak TLS"
            )
    why = next((r.strerror for r in _reasons(error) if isinstance(r, OSError) and r.strerror), "")
    return IndexUnavailableError(
        f"no node of the search cluster can be reached ({addresses}"
        f"{f'; of the last: {why}' if why else ''}); see that the cluster runs, that the network "
        "lets this host through, and that KILDESVAR_OPENSEARCH_URL is right"
    )


def too_slow(seconds: float) -> KildesvarError:
    return IndexUnavailableError(
        f"the search cluster has not answered within {seconds:g} seconds; try again in a moment. "
        "If that lasts, give it more nodes, or more time with KILDESVAR_OPENSEARCH_SECONDS"
    )


def meaning_of(error: TransportError) -> KildesvarError | None:
    """The error of the cluster by its meaning; None for one that only who asked can judge."""
    body = error.info if isinstance(error.info, dict) else {}
    status = error.status_code if isinstance(error.status_code, int) else _ERROR
    return of_answer(status, body.get("error") or str(error.error))


def of_answer(status: int, error: Any) -> KildesvarError | None:
    """The same of what stands under `error` in an answer."""
    said = list(_said(error))
    text = " ".join(said).lower()
    for kind in _KINDS:
        if kind.status in {None, status} and any(word in text for word in kind.words):
            return kind.error(kind.message)
    if status >= _ERROR:
        return IndexUnavailableError(
            f"the search cluster cannot answer now ({said[0] if said else status}); try again in "
            "a moment. If that lasts, its own logs say why"
        )
    return None


def kind_of(error: Any) -> Any:
    """What an error is called. Its reason may have words of a document, or of the question."""
    return error.get("type") if isinstance(error, Mapping) else "no reason given"


def _reasons(error: Any) -> Iterator[BaseException]:
    """The error and those that it came of."""
    seen: set[int] = set()
    waiting = [error]
    while waiting:
        reason = waiting.pop()
        if isinstance(reason, BaseException) and id(reason) not in seen:
            seen.add(id(reason))
            yield reason
            waiting += [*reason.args, reason.__cause__, reason.__context__]
            waiting.append(getattr(reason, "reason", None))


def _said(error: Any) -> Iterator[str]:
    """Kinds and reasons of an error and of those that caused it, the outermost first."""
    if isinstance(error, str):
        yield error
    elif isinstance(error, list):
        for one in error:
            yield from _said(one)
    elif isinstance(error, dict):
        for name in ("type", "reason", "root_cause", "failed_shards", "caused_by"):
            yield from _said(error.get(name))
