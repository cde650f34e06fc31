"""Asks the service's own pipeline a file of questions and measures its answers.

    python -m scripts.evaluate QUESTIONS CORPUS [--json OUT]

QUESTIONS is JSON lines with gold evidence; CORPUS a folder of documents, or a JSON-lines file of
{"document", "text"}. docs/evaluation.md describes formats and measures.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import track
from rich.table import Table

from app.answering.answerer import Answer, Answerer
from app.assembly import Kildesvar
from index.errors import KildesvarError
from index.library import Library
from index.records import Filters
from scripts.measures import DEPTH, Outcome, judge, summarise
from scripts.own_library import own_settings
from scripts.questions import (
    GoldQuestion,
    QuestionFileError,
    corpus_texts,
    load_questions,
    places,
)

_CONSOLE = Console(stderr=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the evaluation; exit status 0, or 2 when it could not be done."""
    options = _parser().parse_args(arguments)
    try:
        questions = load_questions(options.questions)
        texts = corpus_texts(options.corpus)
        with kildesvar_over(options.corpus, texts, options.data_dir) as kildesvar:
            outcomes = evaluate(kildesvar, questions, texts, withhold=options.withhold)
    except (KildesvarError, QuestionFileError, OSError) as error:
        print(f"evaluate: {error}", file=sys.stderr)
        return 2
    summary = summarise(outcomes)
    Console().print(_table(summary))
    if options.json:
        details = [_detail(outcome) for outcome in outcomes]
        text = json.dumps({**summary, "details": details}, ensure_ascii=False, indent=1)
        options.json.write_text(text + "\n", encoding="utf-8")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="evaluate", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("questions", type=Path, help="JSON lines of questions with gold evidence")
    parser.add_argument("corpus", type=Path, help="folder of documents, or JSON lines of them")
    parser.add_argument("--json", type=Path, metavar="OUT", help="write all measures to this file")
    parser.add_argument(
        "--data-dir", type=Path, help="keep the library here, to be used again (default: a new one)"
    )
    parser.add_argument(
        "--withhold",
        action="store_true",
        help="ask each question without its own document, so that none is answerable",
    )
    return parser


@contextmanager
def kildesvar_over(
    corpus: Path, texts: dict[str, str], data_dir: Path | None = None
) -> Iterator[Kildesvar]:
    """A Kildesvar whose library holds just the corpus, through the very ingest of the service."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = corpus
        if not corpus.is_dir():
            folder = (data_dir or Path(temporary)) / "corpus"
            _write_texts(folder, texts)
        kildesvar = Kildesvar(own_settings(data_dir or Path(temporary) / "data"))
        try:
            with kildesvar.writing(), _CONSOLE.status("Indexing the corpus"):
                report = kildesvar.ingester().ingest([folder], accept_removals=True)
            for skipped in report.skipped:
                _CONSOLE.print(f"skipped {skipped.path}: {skipped.reason}")
            yield kildesvar
        finally:
            kildesvar.close()


def evaluate(  # noqa: PLR0913, PLR0917 - what there is to say of an evaluation
    kildesvar: Kildesvar,
    questions: Sequence[GoldQuestion],
    texts: dict[str, str],
    withhold: bool = False,
    answerer: Answerer | None = None,
    note: Callable[[Answer], None] | None = None,
) -> list[Outcome]:
    """The outcome of every question, asked as `POST /v1/ask` asks it, with ten passages.

    `answerer` is another than the service's own, to be compared with it; `note` is told of each
    answer as it is.
    """
    answerer = answerer or kildesvar.answerer
    library, generation = kildesvar.library, kildesvar.generation()
    documents = documents_by_name(library, texts)
    text_of = lru_cache(maxsize=None)(lambda document_id: library.document(document_id).text)
    answerer.answer(generation, "Er alt lastet inn?")  # not part of the times
    outcomes = []
    for question in track(questions, "Asking", console=_CONSOLE):
        own = documents.get(question.document or "")
        if question.document and own is None:
            raise QuestionFileError(f"{question.id}: no document {question.document} in the corpus")
        filters = None
        if withhold:
            filters = all_but(own, documents.values())
            question = replace(question, answerable=False)  # noqa: PLW2901
        answer = answerer.answer(generation, question.question, DEPTH, filters)
        if note is not None:
            note(answer)
        gold = {own: places(question, texts[question.document or ""], text_of(own))} if own else {}
        outcomes.append(judge(question, answer, gold, text_of))
    return outcomes


def all_but(document_id: str | None, documents: Iterable[str]) -> Filters:
    """Lets every document through but one; with no other left it lets none through."""
    return Filters(document=tuple(set(documents) - {document_id}) or ("none",))


def documents_by_name(library: Library, texts: dict[str, str]) -> dict[str, str]:
    """Document ids by the names that the corpus gives the documents."""
    return {_name(d.source, texts): d.id for d in library.documents(limit=1_000_000)}


def _write_texts(folder: Path, texts: dict[str, str]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in texts.items():
        path = folder / f"{name}.txt"
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")


def _name(source: str, texts: dict[str, str]) -> str:
    """The corpus's name of a document, from the path of its file."""
    path = Path(source)
    return path.name if path.name in texts else path.stem


def _detail(outcome: Outcome) -> dict[str, Any]:
    question = outcome.question
    return {
        "id": question.id,
        "question": question.question,
        "answerable": question.answerable,
        "answered": outcome.answered,
        "confidence": round(outcome.confidence, 4),
        "rank": outcome.rank,
        "cited": outcome.cited,
        "contains": outcome.contains,
    }


def _table(summary: dict[str, Any]) -> Table:
    groups = {"all": summary}
    for values in summary["by"].values():
        groups.update(values)
    table = Table("measure", *groups)
    for name in summary:
        if name != "by":
            table.add_row(name, *(_shown(group[name]) for group in groups.values()))
    return table


def _shown(value: float | int | None) -> str:
    if value is None:
        return "–"
    return str(value) if isinstance(value, int) else f"{value:.3f}"


if __name__ == "__main__":
    sys.exit(main())
