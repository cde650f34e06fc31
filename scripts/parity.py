"""Asks the same questions of one library through both engines, and compares what is answered.

    python -m scripts.parity QUESTIONS CORPUS URLS [--json OUT]

QUESTIONS and CORPUS are those of `scripts.evaluate`; URLS are the addresses of an OpenSearch
cluster, with commas between, in which indices of the name `parity` are made and deleted again.
docs/scaling.md has what was found.
"""

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from app.answering.answerer import Answer
from app.assembly import Kildesvar
from app.engines import cluster_of
from app.settings import Settings, load_settings
from index.errors import KildesvarError
from scripts.evaluate import evaluate, kildesvar_over
from scripts.measures import DEPTH, summarise
from scripts.questions import QuestionFileError, corpus_texts, load_questions

_COMPARED = (
    "evidence_at_1",
    "evidence_at_5",
    "mrr",
    "cited_evidence",
    "first_cited_evidence",
    "false_refusals",
)
_NAME = "parity"


def main(arguments: Sequence[str] | None = None) -> int:
    """Compares; exit status 0, or 2 when it could not be done."""
    options = _parser().parse_args(arguments)
    try:
        report = _compared(options)
    except (KildesvarError, QuestionFileError, OSError) as error:
        print(f"parity: {error}", file=sys.stderr)
        return 2
    Console().print(_table(report))
    if options.json:
        text = json.dumps(report, ensure_ascii=False, indent=1)
        options.json.write_text(text + "\n", encoding="utf-8")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="parity", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("questions", type=Path, help="JSON lines of questions with gold evidence")
    parser.add_argument("corpus", type=Path, help="folder of documents, or JSON lines of them")
    parser.add_argument("urls", help="addresses of an OpenSearch cluster's nodes")
    parser.add_argument("--shards", type=int, default=3)
    parser.add_argument("--replicas", type=int, default=1)
    parser.add_argument("--json", type=Path, metavar="OUT", help="write all of it to this file")
    parser.add_argument(
        "--data-dir", type=Path, help="keep the library here, to be used again (default: a new one)"
    )
    return parser


def _compared(options: argparse.Namespace) -> dict[str, Any]:
    """The measures of both engines, and how much of what they answer is the same."""
    questions = load_questions(options.questions)
    texts = corpus_texts(options.corpus)
    answers: dict[str, list[Answer]] = {"local": [], "opensearch": []}
    with kildesvar_over(options.corpus, texts, options.data_dir) as local:
        found = {"local": evaluate(local, questions, texts, note=answers["local"].append)}
        with _in_cluster(local, options) as other:
            noted = answers["opensearch"].append
            found["opensearch"] = evaluate(other, questions, texts, note=noted)
    pairs = list(zip(answers["local"], answers["opensearch"], strict=True))
    return {
        "questions": len(questions),
        "measures": {
            engine: {name: summarise(outcomes)[name] for name in _COMPARED}
            for engine, outcomes in found.items()
        },
        "retrieve_ms": {
            engine: sorted(answer.timings["retrieve"] for answer in own)[len(own) // 2]
            for engine, own in answers.items()
        },
        "equal": {
            "first passage": _share(pairs, lambda answer: _hits(answer)[:1]),
            "first ten": _share(pairs, _hits),
            "first ten, in any order": _share(pairs, lambda answer: sorted(_hits(answer))),
            "citations": _share(pairs, _citations),
            "answer": _share(pairs, lambda answer: answer.answer),
        },
        "different": [
            {
                "question": mine.question,
                "hits": [_hits(mine), _hits(its)],
                "citations": [_citations(mine), _citations(its)],
            }
            for mine, its in pairs
            if (_hits(mine), _citations(mine)) != (_hits(its), _citations(its))
        ],
    }


@contextmanager
def _in_cluster(local: Kildesvar, options: argparse.Namespace) -> Iterator[Kildesvar]:
    """The same library, searched in the cluster."""
    settings = load_settings(
        data_dir=local.settings.data_dir,
        opensearch_url=options.urls,
        opensearch_index=_NAME,
        opensearch_shards=options.shards,
        opensearch_replicas=options.replicas,
    )
    other = Kildesvar(settings)
    try:
        other.publish_if_stale()
        yield other
    finally:
        other.close()
        _delete(settings)


def _delete(settings: Settings) -> None:
    cluster = cluster_of(settings)
    try:
        for name in cluster.client.indices.get(index=f"{_NAME}-*"):
            cluster.client.indices.delete(index=name)
    finally:
        cluster.close()


def _hits(answer: Answer) -> list[int]:
    return [hit.passage.id for hit in answer.hits[:DEPTH]]


def _citations(answer: Answer) -> list[tuple[str, int, int]]:
    return [(cited.document_id, cited.start, cited.end) for cited in answer.citations]


def _share(pairs: Sequence[tuple[Answer, Answer]], of: Any) -> float:
    equal = sum(bool(of(one) == of(other)) for one, other in pairs)
    return equal / max(1, len(pairs))


def _table(report: dict[str, Any]) -> Table:
    table = Table("measure", "local", "opensearch")
    measures = report["measures"]
    for name in _COMPARED:
        table.add_row(name, *(_shown(measures[engine][name]) for engine in measures))
    table.add_row("median retrieve ms", *(f"{ms:.1f}" for ms in report["retrieve_ms"].values()))
    for name, share in report["equal"].items():
        table.add_row(f"equal: {name}", "", f"{share:.4f}")
    return table


def _shown(value: float | None) -> str:
    return "–" if value is None else f"{value:.4f}"


if __name__ == "__main__":
    sys.exit(main())
