"""Fits the weights by which a sentence of a language model is found supported or not.

    python -m scripts.fit_support ../shared/norquad [--data-dir DIR] [--json OUT]

Prints the numbers for `INTERCEPT`, `COEFFICIENTS` and `THRESHOLD` in app/answering/support.py, and
how statements of each kind then fare. Fits on statements made of NorQuAD's training questions about
the documents that the reader was not trained on; half of the documents are kept for the figures.
"""

import argparse
import json
import random
import sys
import zlib
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from rich.progress import track
from sklearn.linear_model import LogisticRegression

from app.answering.support import Signals, Support, Supporter, probability
from scripts.evaluate import documents_by_name, kildesvar_over
from scripts.fit_answering import held_out_questions
from scripts.questions import corpus_texts
from scripts.support_examples import Statement, statements

_SEED = 20261128
_MOST_UNSUPPORTED = 0.05
"""Share of the unsupported statements that may pass."""

Judged = tuple[Statement, Support]


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="fit_support", description=(__doc__ or "").split("\n", maxsplit=1)[0]
    )
    parser.add_argument("norquad", type=Path, help="folder of NorQuAD's documents and questions")
    parser.add_argument("--data-dir", type=Path, help="keep the library here, to be used again")
    parser.add_argument("--json", type=Path, metavar="OUT", help="write what was judged here")
    options = parser.parse_args(arguments)
    corpus = options.norquad / "documents.jsonl"
    texts = corpus_texts(corpus)
    questions = held_out_questions(options.norquad, misspelt_too=False)
    with kildesvar_over(corpus, texts, options.data_dir) as kildesvar:
        documents = documents_by_name(kildesvar.library, texts)
        made = list(statements(kildesvar, questions, documents, texts, random.Random(_SEED)))
        supporter = Supporter(
            kildesvar.library, kildesvar.analyser, kildesvar.encoder, kildesvar.reader
        )
        lexical = kildesvar.generation().lexical
        judged = [
            (one, supporter.check(one.text, supporter.sources(one.passages, lexical)))
            for one in track(made, "Judged")
        ]
    fitted = [item for item in judged if not _is_kept(item)]
    kept = [item for item in judged if _is_kept(item)]
    intercept, coefficients = fit(fitted)
    threshold = threshold_of(fitted, intercept, coefficients)
    print("INTERCEPT", round(intercept, 3))
    print("COEFFICIENTS", {n: round(v, 3) for n, v in coefficients._asdict().items()})
    print("THRESHOLD", threshold)
    for name, part in (("fitted on", fitted), ("kept", kept)):
        print(name, _passed(part, intercept, coefficients, threshold))
    if options.json:
        rows = [
            {
                "text": s.text,
                "kind": s.kind,
                "missing": sorted(v.missing),
                **v.signals._asdict(),
                "quotes": [q.text for q in v.quotes],
                "kept": _is_kept((s, v)),
            }
            for s, v in judged
        ]
        options.json.write_text(json.dumps(rows, ensure_ascii=False, indent=1), encoding="utf-8")
    return 0


def fit(judged: Sequence[Judged]) -> tuple[float, Signals]:
    """Logistic regression over those whose numbers and names are all there."""
    open_ones = [(one, support) for one, support in judged if not support.missing]
    model = LogisticRegression(C=100.0, class_weight="balanced", max_iter=5000)
    model.fit(
        np.array([support.signals for _, support in open_ones]),
        [one.is_supported for one, _ in open_ones],
    )
    return float(model.intercept_[0]), Signals(*(float(c) for c in model.coef_[0]))


def threshold_of(judged: Sequence[Judged], intercept: float, coefficients: Signals) -> float:
    """The least probability at which few enough of the unsupported statements pass."""
    for threshold in np.arange(0.05, 1.0, 0.01):
        passed = _passed(judged, intercept, coefficients, float(threshold))
        if passed["unsupported"] <= _MOST_UNSUPPORTED:
            return round(float(threshold), 2)
    raise SystemExit("no threshold keeps enough of the unsupported statements out")


def _passed(
    judged: Sequence[Judged], intercept: float, coefficients: Signals, threshold: float
) -> dict[str, float]:
    """The share of the statements of each kind that pass, and of all unsupported ones."""
    found: dict[str, list[bool]] = defaultdict(list)
    for one, support in judged:
        passes = (
            not support.missing
            and probability(support.signals, intercept, coefficients) >= threshold
        )
        found[one.kind].append(passes)
        if not one.is_supported:
            found["unsupported"].append(passes)
    return {kind: round(float(np.mean(passes)), 3) for kind, passes in found.items()}


def _is_kept(item: Judged) -> bool:
    return zlib.crc32(item[0].passages[0].document_id.encode()) % 2 == 0


if __name__ == "__main__":
    sys.exit(main())
