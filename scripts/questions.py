"""Question files and corpora for evaluation, and where in a document the gold evidence stands."""

import json
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from index.language import detect_language

Span = tuple[int, int]


class QuestionFileError(ValueError):
    """A line of a question or corpus file is not as docs/evaluation.md describes."""


@dataclass(frozen=True, slots=True)
class GoldQuestion:
    """A question with what is known of its answer.

    `evidence` is exact words of the document; `starts` are where each answer stands in the
    document's raw text, when the file says so (NorQuAD).
    """

    id: str
    question: str
    language: str
    kind: str
    answerable: bool
    document: str | None
    answers: tuple[str, ...]
    evidence: str | None = None
    starts: tuple[int, ...] = ()


def load_questions(path: Path) -> list[GoldQuestion]:
    """The questions of a JSON-lines file, in either of the two formats.

    Raises QuestionFileError with the line's number.
    """
    questions = []
    for number, line in _lines(path):
        try:
            questions.append(_question(json.loads(line), f"{path.stem}-{number}"))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise QuestionFileError(f"{path}, line {number}: {error!r}") from error
    return questions


def corpus_texts(path: Path) -> dict[str, str]:
    """Raw texts by document name: of a JSON-lines file of {"document", "text"}, or of a folder."""
    if path.is_dir():
        files = sorted(file for file in path.rglob("*") if file.is_file())
        return {file.name: file.read_text(encoding="utf-8", errors="replace") for file in files}
    texts = {}
    for number, line in _lines(path):
        try:
            entry = json.loads(line)
            texts[entry["document"]] = entry["text"]
        except (ValueError, KeyError, TypeError) as error:
            raise QuestionFileError(f"{path}, line {number}: {error!r}") from error
    return texts


def places(question: GoldQuestion, raw: str, text: str) -> list[Span]:
    """Where the gold evidence stands in `text`, the document as read from `raw`.

    Reading folds white space and drops markup, so letters and digits are counted instead.
    """
    if question.starts:
        return [
            place
            for answer, start in zip(question.answers, question.starts, strict=True)
            if (place := _same_place(answer, start, raw, text))
        ]
    return _occurrences(question.evidence, text) if question.evidence else []


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    with path.open(encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            if line.strip():
                yield number, line


def _question(entry: dict[str, Any], default_id: str) -> GoldQuestion:
    answers = entry.get("answers", [])
    with_starts = bool(answers) and isinstance(answers[0], dict)
    text = entry["question"]
    return GoldQuestion(
        id=str(entry.get("id", default_id)),
        question=text,
        language=entry.get("language") or entry.get("lang") or detect_language(text),
        kind=entry.get("kind", "fact"),
        answerable=bool(entry.get("answerable", True)),
        document=entry.get("document"),
        answers=tuple(a["text"] for a in answers) if with_starts else tuple(answers),
        evidence=entry.get("evidence"),
        starts=tuple(a["start"] for a in answers) if with_starts else (),
    )


def _squeezed(text: str) -> tuple[str, list[int]]:
    """The letters and digits of `text`, and the place of each."""
    kept = [at for at, letter in enumerate(text) if letter.isalnum()]
    return "".join(text[at] for at in kept), kept


def _occurrences(evidence: str, text: str) -> list[Span]:
    wanted, _ = _squeezed(unicodedata.normalize("NFC", evidence))
    squeezed, kept = _squeezed(text)
    found = []
    at = squeezed.find(wanted) if wanted else -1
    while at >= 0:
        found.append((kept[at], kept[at + len(wanted) - 1] + 1))
        at = squeezed.find(wanted, at + 1)
    return found


def _same_place(answer: str, start: int, raw: str, text: str) -> Span | None:
    """The occurrence of `answer` in `text` that is nearest to its place in `raw`."""
    before, _ = _squeezed(unicodedata.normalize("NFC", raw[:start]))
    found = _occurrences(answer, text)
    _, kept = _squeezed(text)
    target = kept[min(len(before), len(kept) - 1)]
    return min(found, key=lambda span: abs(span[0] - target), default=None)
