"""Measures what runs the embedding model fastest on this processor, and what that costs in quality.

    python -m scripts.benchmark_embedding runtimes      speed and cosine of each runtime
    python -m scripts.benchmark_embedding retrieval     hits on NorQuAD, float32 against int8

Every runtime gets the same token ids and ends in the same pooling, so the figures compare networks.
All are measured in one run, in turns, because a shared machine is not equally fast from one minute
to the next: compare figures within a run, not between runs. Processor time suffers least from what
else is running. OpenVINO is measured if installed.
Needs what `kildesvar prepare` needs. Prints Markdown.
"""

import argparse
import importlib
import importlib.util
import json
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from rich.console import Console
from rich.progress import track
from sentence_transformers import SentenceTransformer
from transformers.utils.logging import disable_progress_bar

from index.embedding import Matrix, prepare
from index.embedding.building import check_features
from index.embedding.card import read_card
from index.embedding.export import export_float32, quantise, store
from index.embedding.onnx_runtime import open_session
from index.embedding.tokenization import open_tokenization

REPOSITORY = Path(__file__).resolve().parents[1]
PASSAGE_CHARACTERS = 900
BATCH_SIZE = 16
QUERY_REPEATS = 40

Ids = list[int]
Integers = npt.NDArray[np.int64]
Network = Callable[[Integers, Integers], npt.NDArray[np.float32]]
"""int64[texts, tokens] of ids and of the attention mask; float32[texts, tokens, d] back."""

PROGRESS = Console(stderr=True)


@dataclass(frozen=True)
class Variant:
    """One way to run the model."""

    runtime: str
    threads: int
    batching: str

    def __str__(self) -> str:
        return f"{self.runtime}, {self.threads} threads, {self.batching}"


@dataclass
class Timings:
    """What was measured of a variant, one entry a round."""

    passage_seconds: list[float] = field(default_factory=list)
    processor_seconds: list[float] = field(default_factory=list)
    query_milliseconds: list[float] = field(default_factory=list)
    vectors: Matrix | None = None


class Passage(NamedTuple):
    """`text` is `[start, end)` of its document, in characters."""

    document: str
    start: int
    end: int
    text: str


class Question(NamedTuple):
    """`answers` are spans of characters of the document."""

    text: str
    document: str
    answers: tuple[tuple[int, int], ...]


class Corpus(NamedTuple):
    """Passages and questions, with the token ids that the model gets for them."""

    passages: Sequence[Passage]
    passage_ids: Sequence[Ids]
    questions: Sequence[Question]
    question_ids: Sequence[Ids]


class Networks:
    """Opens the model under each runtime."""

    def __init__(self, folder: Path, scratch: Path) -> None:
        self._folder = folder
        self._torch: dict[torch.dtype, Any] = {}
        self.files = {"float32": scratch / "float32.onnx", "int8": scratch / "int8.onnx"}
        exported = scratch / "exported.onnx"
        eager = SentenceTransformer(
            str(folder), device="cpu", model_kwargs={"attn_implementation": "eager"}
        )
        export_float32(eager, exported)
        quantise(exported, scratch / "quantised.onnx", check_features(eager, read_card(folder)))
        store(exported, self.files["float32"])
        store(scratch / "quantised.onnx", self.files["int8"])

    def runtimes(self) -> dict[str, Callable[[int], Network]]:
        """For every runtime, what opens it with a number of threads."""
        runtimes: dict[str, Callable[[int], Network]] = {
            "torch float32": lambda threads: self._with_torch(torch.float32, threads),
            "torch bfloat16": lambda threads: self._with_torch(torch.bfloat16, threads),
            "ONNX Runtime float32": lambda threads: self.with_onnx("float32", threads),
            "ONNX Runtime int8": lambda threads: self.with_onnx("int8", threads),
        }
        if importlib.util.find_spec("openvino") is not None:
            runtimes["OpenVINO float32"] = lambda threads: self._with_openvino("f32", threads)
            runtimes["OpenVINO bfloat16"] = lambda threads: self._with_openvino("bf16", threads)
        return runtimes

    def with_onnx(self, kind: str, threads: int) -> Network:
        session = open_session(self.files[kind], threads)

        def run(ids: Integers, mask: Integers) -> npt.NDArray[np.float32]:
            (states,) = session.run(None, {"input_ids": ids, "attention_mask": mask})
            return np.asarray(states)

        return run

    def _with_torch(self, dtype: torch.dtype, threads: int) -> Network:
        if dtype not in self._torch:
            model = SentenceTransformer(
                str(self._folder), device="cpu", model_kwargs={"dtype": dtype}
            )
            self._torch[dtype] = model.transformers_model
        network = self._torch[dtype]

        def run(ids: Integers, mask: Integers) -> npt.NDArray[np.float32]:
            torch.set_num_threads(threads)
            with torch.inference_mode():
                output = network(
                    input_ids=torch.from_numpy(ids), attention_mask=torch.from_numpy(mask)
                )
            states: npt.NDArray[np.float32] = output.last_hidden_state.float().numpy()
            return states

        return run

    def _with_openvino(self, precision: str, threads: int) -> Network:
        openvino: Any = importlib.import_module("openvino")
        compiled = openvino.Core().compile_model(
            str(self.files["float32"]),
            "CPU",
            {"INFERENCE_NUM_THREADS": threads, "INFERENCE_PRECISION_HINT": precision},
        )

        def run(ids: Integers, mask: Integers) -> npt.NDArray[np.float32]:
            return np.asarray(compiled({"input_ids": ids, "attention_mask": mask})[0])

        return run


def batches(ids: Sequence[Ids], batching: str) -> Iterator[list[int]]:
    """Places in `ids`, a batch at a time."""
    order = list(range(len(ids)))
    if batching == "sorted batches":
        order.sort(key=lambda place: len(ids[place]))
    size = 1 if batching == "one by one" else BATCH_SIZE
    for start in range(0, len(order), size):
        yield order[start : start + size]


def embed(network: Network, ids: Sequence[Ids], batching: str) -> Matrix:
    """float32[texts, d], mean pooling, length 1, in the order of `ids`."""
    rows: dict[int, npt.NDArray[np.float32]] = {}
    for places in batches(ids, batching):
        longest = max(len(ids[place]) for place in places)
        tokens = np.ones((len(places), longest), np.int64)  # 1 is the padding token
        mask = np.zeros_like(tokens)
        for row, place in enumerate(places):
            tokens[row, : len(ids[place])] = ids[place]
            mask[row, : len(ids[place])] = 1
        states = network(tokens, mask)
        pooled = (states * mask[:, :, None]).sum(axis=1) / mask.sum(axis=1)[:, None]
        pooled /= np.linalg.norm(pooled, axis=1, keepdims=True)
        rows.update(zip(places, pooled.astype(np.float32), strict=True))
    return np.stack([rows[place] for place in range(len(ids))])


def measure(
    networks: Networks, passages: Sequence[Ids], query: Ids, rounds: int, threads: Sequence[int]
) -> dict[Variant, Timings]:
    """Every variant `rounds` times, each round in an order of its own."""
    runtimes = networks.runtimes()
    variants = [
        Variant(runtime, count, batching)
        for runtime in runtimes
        for count in threads
        for batching in ("one by one", "batches", "sorted batches")
    ]
    results = {variant: Timings() for variant in variants}
    shuffled = random.Random(9)
    turns = [variant for _ in range(rounds) for variant in shuffled.sample(variants, len(variants))]
    for variant in track(turns, "Measuring", console=PROGRESS):
        network = runtimes[variant.runtime](variant.threads)
        embed(network, passages[:1], variant.batching)  # the first call allocates
        result = results[variant]
        started, started_processor = time.perf_counter(), time.process_time()
        result.vectors = embed(network, passages, variant.batching)
        result.processor_seconds.append(time.process_time() - started_processor)
        result.passage_seconds.append(time.perf_counter() - started)
        if variant.batching == "one by one":
            result.query_milliseconds += _query_milliseconds(network, query)
    return results


def _query_milliseconds(network: Network, query: Ids) -> Iterable[float]:
    for _ in range(QUERY_REPEATS):
        started = time.perf_counter()
        embed(network, [query], "one by one")
        yield 1000 * (time.perf_counter() - started)


def runtime_table(results: dict[Variant, Timings]) -> list[str]:
    """Markdown; cosines are to torch float32 one by one."""
    expected = next(
        timings.vectors
        for variant, timings in results.items()
        if variant.runtime == "torch float32" and variant.batching == "one by one"
    )
    assert expected is not None
    lines = [
        "| runtime | threads | texts | passages/s | CPU ms a passage | query ms "
        "| cosine min | cosine mean |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for variant, timings in results.items():
        assert timings.vectors is not None
        cosines = (timings.vectors * expected).sum(axis=1)
        speed = len(expected) / min(timings.passage_seconds)
        processor = 1000 * min(timings.processor_seconds) / len(expected)
        query = timings.query_milliseconds
        lines.append(
            f"| {variant.runtime} | {variant.threads} | {variant.batching} | {speed:.1f} "
            f"| {processor:.0f} | {f'{statistics.median(query):.1f}' if query else ''} "
            f"| {cosines.min():.4f} | {cosines.mean():.4f} |"
        )
    return lines


def retrieval_table(networks: Networks, corpus: Corpus, threads: int) -> list[str]:
    """Markdown: dense retrieval over the whole corpus, float32 against int8."""
    lines = ["| network | hit@1 | hit@5 | MRR@10 |", "|---|---|---|---|"]
    for kind in ("float32", "int8"):
        network = networks.with_onnx(kind, threads)
        asked = embed(network, corpus.question_ids, "one by one")
        rows = track(corpus.passage_ids, f"Embedding with {kind}", console=PROGRESS)
        vectors = np.concatenate([embed(network, [ids], "one by one") for ids in rows])
        ranks = [
            _first_hit(question, corpus.passages, scores)
            for question, scores in zip(corpus.questions, asked @ vectors.T, strict=True)
        ]
        lines.append(
            f"| {kind} | {_share(ranks, 1):.3f} | {_share(ranks, 5):.3f} "
            f"| {statistics.mean(1 / rank for rank in ranks):.3f} |"
        )
    return lines


def _share(ranks: Sequence[float], depth: int) -> float:
    return statistics.mean(rank <= depth for rank in ranks)


def _first_hit(
    question: Question, passages: Sequence[Passage], scores: npt.NDArray[np.float32]
) -> float:
    """Rank, from 1, of the first passage that overlaps an answer; infinite if none does."""
    for rank, place in enumerate(np.argsort(-scores)[:10], start=1):
        passage = passages[place]
        if passage.document == question.document and any(
            passage.start < end and start < passage.end for start, end in question.answers
        ):
            return rank
    return float("inf")


def cut(document: str, text: str) -> Iterator[Passage]:
    """Passages of about `PASSAGE_CHARACTERS`, which end between words."""
    start = 0
    while start < len(text):
        end = start + PASSAGE_CHARACTERS
        if end < len(text):
            end = text.rfind(" ", start + 1, end) + 1 or end
        yield Passage(document, start, min(end, len(text)), text[start:end].strip())
        start = end


def read_norquad(folder: Path) -> tuple[list[Passage], list[Question]]:
    """All passages of its documents, and the questions of its validation part."""
    passages = [
        passage
        for row in _rows(folder / "documents.jsonl")
        for passage in cut(row["document"], row["text"])
        if passage.text
    ]
    questions = [
        Question(
            row["question"],
            row["document"],
            tuple((a["start"], a["start"] + len(a["text"])) for a in row["answers"]),
        )
        for row in _rows(folder / "validation.jsonl")
    ]
    return passages, questions


def read_examples(folder: Path) -> list[Passage]:
    """Passages of the texts that come with Kildesvar, for machines without NorQuAD."""
    files = sorted(path for path in folder.iterdir() if path.suffix in (".md", ".txt"))
    return [
        passage
        for path in files
        for passage in cut(path.name, path.read_text(encoding="utf-8"))
        if passage.text
    ]


def _rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("what", choices=["runtimes", "retrieval"])
    parser.add_argument("--models", type=Path, default=REPOSITORY / "data" / "models")
    parser.add_argument(
        "--norquad", type=Path, default=REPOSITORY.parent / "shared" / "norquad", metavar="FOLDER"
    )
    parser.add_argument("--passages", type=int, default=32, help="how many to time (32)")
    parser.add_argument("--rounds", type=int, default=2, help="the fastest round counts (2)")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    return parser.parse_args()


def main() -> None:
    arguments = parse_arguments()
    disable_progress_bar()  # type: ignore[no-untyped-call]
    folder = prepare("bundled", arguments.models, PROGRESS.print)
    if arguments.norquad.is_dir():
        passages, questions = read_norquad(arguments.norquad)
    else:
        if arguments.what == "retrieval":
            raise SystemExit(
                f"retrieval is measured on NorQuAD, which is not in {arguments.norquad}"
            )
        passages, questions = read_examples(REPOSITORY / "examples"), []
    card = read_card(folder)
    tokenization = open_tokenization(folder / (card.tokenizer or ""))

    def ids(prompt: str, texts: Iterable[str]) -> list[Ids]:
        room = card.max_length - len(card.tokens_before) - len(card.tokens_after)
        return [
            [*card.tokens_before, *tokens[:room], *card.tokens_after]
            for tokens in tokenization.encode_all([prompt + text for text in texts])
        ]

    with tempfile.TemporaryDirectory() as scratch:
        PROGRESS.print("Exporting the networks")
        networks = Networks(folder, Path(scratch))
        if arguments.what == "retrieval":
            corpus = Corpus(
                passages,
                ids(card.document_prompt, (passage.text for passage in passages)),
                questions,
                ids(card.query_prompt, (question.text for question in questions)),
            )
            table = retrieval_table(networks, corpus, max(arguments.threads))
            print(f"{len(questions)} questions over {len(passages)} passages\n")
        else:
            sample = random.Random(9).sample(passages, min(arguments.passages, len(passages)))
            timed = ids(card.document_prompt, (passage.text for passage in sample))
            query = ids(card.query_prompt, ["Hvor mange medlemmer har bransjen?"])[0]
            results = measure(networks, timed, query, arguments.rounds, arguments.threads)
            table = runtime_table(results)
            print(
                f"{len(timed)} passages of {statistics.mean(map(len, timed)):.0f} tokens, "
                f"a query of {len(query)}\n"
            )
    print("\n".join(table))


if __name__ == "__main__":
    main()
