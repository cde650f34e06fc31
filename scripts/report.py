"""Writes the figures of docs/evaluation.md, and its picture, from one run over everything.

    make report SHARED=FOLDER

FOLDER holds `norquad/`, `corpus/` and `questions/dev.jsonl`, which are not in this repository.
Everything between the two marks in docs/evaluation.md is replaced; what stands around them is not.
"""

import argparse
import math
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from statistics import mean, median, quantiles
from typing import Any

from app.answering.abstention import THRESHOLDS
from app.answering.answerer import Answerer, AnsweringSettings
from app.assembly import Kildesvar
from index.reading.preparation import WEIGHTS
from index.records import StoredPassage
from index.retriever import RetrievalSettings
from scripts.ablations import variants
from scripts.alternatives import Search, embeddings_alone, plain_bm25, txtai
from scripts.evaluate import documents_by_name, evaluate, kildesvar_over
from scripts.measures import (
    Outcome,
    at_threshold,
    contains,
    equal_error,
    overlaps,
    rank_of,
    risk_coverage,
    summarise,
)
from scripts.questions import GoldQuestion, Span, corpus_texts, load_questions, places

DOCS = Path(__file__).resolve().parents[1] / "docs"
_BEGIN, _END = "<!-- figures: `make report` writes from here -->", "<!-- to here -->"
_SETS = {
    "as written": "validation.jsonl",
    "in Nynorsk": "validation_nno.jsonl",
    "misspelt": "validation_typos.jsonl",
}
_MEASURES = {
    "evidence_at_1": "right passage first",
    "evidence_at_5": "right passage in five",
    "mrr": "mean reciprocal rank",
    "first_cited_evidence": "answer in the first quote",
    "cited_evidence": "answer in any quote",
    "short_answer_f1": "F1 of the short answer",
    "false_refusals": "refused",
}
_BALANCED = THRESHOLDS["balanced"]

Outcomes = Sequence[Outcome]


@dataclass(frozen=True)
class Corpus:
    """NorQuAD as Kildesvar has it."""

    kildesvar: Kildesvar
    texts: dict[str, str]
    questions: Mapping[str, Sequence[GoldQuestion]]

    @cached_property
    def documents(self) -> dict[str, str]:
        """Ids by name."""
        return documents_by_name(self.kildesvar.library, self.texts)

    def gold(self, question: GoldQuestion) -> dict[str, list[Span]]:
        """Where the answer stands, by document."""
        name = question.document or ""
        own = self.documents[name]
        text = self.kildesvar.library.document(own).text
        return {own: places(question, self.texts[name], text)}

    def asked(self, answerer: Answerer, name: str, withhold: bool = False) -> Outcomes:
        return evaluate(self.kildesvar, self.questions[name], self.texts, withhold, answerer)


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    norquad = options.shared / "norquad"
    corpus_file = norquad / "documents.jsonl"
    texts = corpus_texts(corpus_file)
    questions = {name: load_questions(norquad / file) for name, file in _SETS.items()}
    own_field = options.shared / "corpus"
    own_texts = corpus_texts(own_field)
    with kildesvar_over(own_field, own_texts) as kildesvar:
        asked = load_questions(options.shared / "questions" / "dev.jsonl")
        development = evaluate(kildesvar, asked, own_texts)
    with kildesvar_over(corpus_file, texts, options.data_dir) as kildesvar:
        corpus = Corpus(kildesvar, texts, questions)
        ablated = {
            lacking: {name: corpus.asked(answerer, name) for name in _SETS}
            for lacking, answerer in variants(kildesvar)
        }
        everything = ablated["everything"]
        withheld_from = next(variants(kildesvar))[1]
        withheld = corpus.asked(withheld_from, "as written", withhold=True)
        ceilings = _ceilings(corpus, everything["as written"])
        memory = _memory_mb()  # before an alternative brings torch into the process
        found = _alternatives(corpus)
    draw_risk_coverage(everything["as written"], withheld, DOCS / "risk-coverage.svg")
    parts = [
        _norquad_section(everything),
        _development_section(development),
        _abstention_section(everything, withheld),
        _ceilings_section(ceilings),
        _ablation_section(ablated),
        _alternatives_section(everything, found),
        _time_section(everything["as written"], memory),
    ]
    _replace_figures(DOCS / "evaluation.md", "\n\n".join(parts))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="report", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("shared", type=Path, help="folder of NorQuAD, corpus and questions")
    parser.add_argument("--data-dir", type=Path, help="keep the library here, to be used again")
    return parser


def _replace_figures(path: Path, figures: str) -> None:
    text = path.read_text(encoding="utf-8")
    before, rest = text.split(_BEGIN)
    _, after = rest.split(_END)
    path.write_text(f"{before}{_BEGIN}\n\n{figures}\n\n{_END}{after}", encoding="utf-8")


# What is measured beside the answers


def _alternatives(corpus: Corpus) -> dict[str, dict[str, list[int]]]:
    """Ranks of the right passage, 0 for none of ten, by alternative and set of questions."""
    kildesvar = corpus.kildesvar
    ids = kildesvar.library.passages_of(set(corpus.documents.values()))
    passages = kildesvar.library.passages(ids)
    searches: dict[str, Search | None] = {
        "plain BM25": plain_bm25(passages),
        "multilingual-e5-small alone": embeddings_alone(kildesvar),
        "txtai, hybrid, the same model": txtai(kildesvar, passages),
    }
    return {
        name: {asked: _ranks(corpus, asked, search, passages) for asked in _SETS}
        for name, search in searches.items()
        if search
    }


def _ranks(
    corpus: Corpus, asked: str, search: Search, passages: Mapping[int, StoredPassage]
) -> list[int]:
    return [
        rank_of(
            (passages[found] for found in search(question.question, 10)),
            corpus.gold(question),
            overlaps,
        )
        or 0
        for question in corpus.questions[asked]
    ]


def _ceilings(corpus: Corpus, outcomes: Outcomes) -> dict[str, float]:
    """How many questions could still be answered after each stage, were all later ones perfect."""
    kildesvar, generation = corpus.kildesvar, corpus.kildesvar.generation()
    counts = dict.fromkeys(("candidates", "refined", "read", "unit", "span"), 0)
    for question in corpus.questions["as written"]:
        gold = corpus.gold(question)
        hits = kildesvar.retriever.search(generation, question.question, 200).hits
        rank = rank_of((hit.passage for hit in hits), gold, overlaps) or math.inf
        evidence = kildesvar.answerer.find(generation, question.question).evidence
        holding = [
            any(
                contains((item.unit.start, item.unit.end), place)
                for place in gold.get(item.hit.passage.document_id, ())
            )
            for item in evidence
        ]
        counts["candidates"] += rank < math.inf
        counts["refined"] += rank <= RetrievalSettings().refined
        counts["read"] += rank <= AnsweringSettings(0.0).passages_read
        counts["unit"] += any(holding)
        counts["span"] += any(holding[:1])
    return {name: count / len(outcomes) for name, count in counts.items()}


def _memory_mb() -> float | None:
    """Resident memory of this process when it has answered from both libraries; None if unknown."""
    status = Path("/proc/self/status")
    if not status.exists():
        return None
    line = next(row for row in status.read_text().splitlines() if row.startswith("VmRSS"))
    return int(line.split()[1]) / 1024


# How it is shown


def _norquad_section(everything: Mapping[str, Outcomes]) -> str:
    summaries = {
        name: summarise(at_threshold(outcomes, _BALANCED)) for name, outcomes in everything.items()
    }
    rows = [
        [shown, *(_figure(summary[measure]) for summary in summaries.values())]
        for measure, shown in _MEASURES.items()
    ]
    return (
        "### NorQuAD\n\n472 validation questions, asked of all 755 documents (2,610 passages).\n\n"
        + _table(["", *summaries], rows)
    )


def _development_section(outcomes: Outcomes) -> str:
    summary = summarise(outcomes)
    measures = ("cited_evidence", "first_cited_evidence", "false_refusals", "false_answers")
    groups = {"all": summary, **summary["by"]["language"], **summary["by"]["kind"]}
    rows = [
        [name, str(group["questions"]), *(_figure(group[measure]) for measure in measures)]
        for name, group in groups.items()
    ]
    misses = [
        f"- {o.question.id}, {o.question.kind}: {_what_missed(o)}"
        for o in outcomes
        if o.answered != o.question.answerable or (o.question.answerable and not o.cited)
    ]
    headings = ["", "questions", "answer in any quote", "in the first", "refused", "false answers"]
    return (
        "### Development questions\n\n"
        + _table(headings, rows)
        + "\n\nWhat was missed:\n\n"
        + ("\n".join(misses) or "nothing.")
    )


def _what_missed(outcome: Outcome) -> str:
    if not outcome.question.answerable:
        return f"answered, confidence {outcome.confidence:.2f}"
    if not outcome.answered:
        return f"refused, confidence {outcome.confidence:.2f}"
    return "another place is quoted"


def _abstention_section(everything: Mapping[str, Outcomes], withheld: Outcomes) -> str:
    answerable = [o.confidence for o in everything["as written"]]
    error = equal_error(answerable, [o.confidence for o in withheld])
    rows = []
    for name, threshold in THRESHOLDS.items():
        summary = summarise(at_threshold(everything["as written"], threshold))
        false_answers = mean(o.confidence >= threshold for o in withheld)
        rows.append(
            [
                f"`{name}`",
                _figure(threshold),
                _figure(false_answers),
                _figure(summary["false_refusals"]),
                _figure(summary["first_cited_evidence"]),
            ]
        )
    headings = ["", "threshold", "false answers", "false refusals", "answer in the first quote"]
    return (
        "### Abstention\n\nNorQuAD's validation questions, asked of all documents and of all but "
        f"their own. Equal error (as many false answers as false refusals): **{error:.3f}**.\n\n"
        + _table(headings, rows)
        + "\n\n![Risk against coverage](risk-coverage.svg)"
    )


def _ceilings_section(ceilings: Mapping[str, float]) -> str:
    shown = {
        "candidates": "right passage among the candidates of the two halves",
        "refined": "among the 40 that get a second look",
        "read": f"among the {AnsweringSettings(0.0).passages_read} that are read",
        "unit": "a unit read holds the whole answer",
        "span": "that unit is judged the best",
    }
    rows = [[shown[name], _figure(value)] for name, value in ceilings.items()]
    return "### What each stage leaves possible\n\n" + _table(["NorQuAD, as written", ""], rows)


def _ablation_section(ablated: Mapping[str, Mapping[str, Outcomes]]) -> str:
    """Without refusals, so that each row shows retrieval and reading alone."""
    rows = []
    for lacking, outcomes in ablated.items():
        row = [lacking]
        for name in _SETS:
            summary = summarise(outcomes[name])
            row.append(
                " / ".join(
                    _figure(summary[measure])
                    for measure in ("evidence_at_1", "evidence_at_5", "first_cited_evidence")
                )
            )
        times = [o.total_ms for o in outcomes["as written"]]
        rows.append([*row, f"{median(times):.0f}"])
    return (
        "### What each part is worth\n\nRight passage first / in five / answer in the first quote, "
        "every question answered; the last column is the median time in ms.\n\n"
        + _table(["", *_SETS, "ms"], rows)
    )


def _alternatives_section(
    everything: Mapping[str, Outcomes], found: Mapping[str, Mapping[str, Sequence[int]]]
) -> str:
    ours = {
        name: [outcome.rank or 0 for outcome in outcomes] for name, outcomes in everything.items()
    }
    rows = [
        [name, *(_ranks_shown(ranks[asked]) for asked in _SETS)]
        for name, ranks in {**found, "Kildesvar": ours}.items()
    ]
    return (
        "### Beside the alternatives\n\nRight passage first / in five / mean reciprocal rank, over "
        "the same passages in the same run.\n\n" + _table(["", *_SETS], rows)
    )


def _ranks_shown(ranks: Sequence[int]) -> str:
    first = mean(rank == 1 for rank in ranks)
    five = mean(1 <= rank <= 5 for rank in ranks)
    reciprocal = mean(1 / rank if rank else 0.0 for rank in ranks)
    return f"{first:.3f} / {five:.3f} / {reciprocal:.3f}"


def _time_section(outcomes: Outcomes, memory: float | None) -> str:
    stages = ("embed", "retrieve", "read", "compose", "total")
    rows = []
    for stage in stages:
        times = [outcome.stages_ms[stage] for outcome in outcomes]
        rows.append([stage, f"{median(times):.1f}", f"{quantiles(times, n=20)[18]:.1f}"])
    sizes = f"The committed weights of the reader have {WEIGHTS.stat().st_size / 1e6:.1f} MB"
    held = f"; this process held {memory:.0f} MB when it had answered" if memory else ""
    return (
        "### Time\n\nMilliseconds a question, one at a time, on the two cores of a shared machine."
        "\n\n" + _table(["stage", "median", "95th percentile"], rows) + f"\n\n{sizes}{held}."
    )


def _table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [headings, ["---"] * len(headings), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def _figure(value: Any) -> str:
    return "–" if value is None else f"{value:.3f}"


def draw_risk_coverage(answerable: Outcomes, withheld: Outcomes, path: Path) -> None:
    """Draws how often answers are wrong against how many questions are answered."""
    import matplotlib as mpl  # noqa: PLC0415

    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = "kildesvar"  # the same picture for the same figures
    from matplotlib import pyplot  # noqa: PLC0415

    both = [*answerable, *(replace(o, first_cited=False) for o in withheld)]
    figure, axes = pyplot.subplots(figsize=(6.4, 3.6))
    for outcomes, label in (
        (answerable, "asked of all documents"),
        (both, "half of them without their own document"),
    ):
        confidences = [o.confidence for o in outcomes]
        curve = risk_coverage(confidences, [o.first_cited for o in outcomes])
        (line,) = axes.plot(*zip(*curve, strict=True), label=label)
        for name, threshold in THRESHOLDS.items():
            answered = sum(confidence >= threshold for confidence in confidences)
            if answered:
                point = curve[answered - 1]
                axes.plot(*point, "o", color=line.get_color())
                axes.annotate(name, point, textcoords="offset points", xytext=(4, -11), fontsize=8)
    axes.set(
        xlabel="coverage: share of questions answered",
        ylabel="risk: first quote without the answer",
        xlim=(0, 1),
        ylim=(0, None),
    )
    axes.legend(frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None, "Creator": None})


if __name__ == "__main__":
    sys.exit(main())
