"""Trains the reader: from questions with known answers to the weights in `index/reading/`.

    python -m scripts.train_reader ../shared/norquad ../shared/reading OUT.safetensors

The first folder holds `train.jsonl`, `train_nno.jsonl` and `documents.jsonl`, the second files of
{"question", "passage", "answers"}. Runs on the CPU; docs/reader.md says how long it took and how
the reader scores. An interrupted run is taken up at its last checkpoint.
"""

import argparse
import math
import random
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from pathlib import Path
from typing import NamedTuple

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional

from index.embedding import prepared_folder
from index.embedding.bundled import locate, read_packed
from index.embedding.tokenization import SENTENCEPIECE_FILE
from index.reading.network import FROZEN_LAYERS, ReaderNetwork, Scores
from index.reading.tokens import PassageTokens, ReaderInput, ReaderTokenization, joined
from index.reading.weights import write_weights
from scripts.evaluate import kildesvar_over
from scripts.questions import corpus_texts, load_questions
from scripts.reader_examples import (
    Group,
    about_another,
    as_keywords,
    is_held_out,
    misspelt,
    names_in,
    norquad_groups,
    reading_groups,
)


@dataclass(frozen=True)
class Course:
    """One run through what there is to learn."""

    seed: int
    frozen: int
    """Lower layers that stay as they are."""
    rate: float
    """Learning rate of the uppermost layer; heads learn three times as fast."""
    swedish: float
    """Share of the Swedish questions that are asked."""


COURSES = (
    Course(seed=20261125, frozen=5, rate=2e-4, swedish=1.0),
    Course(seed=20261126, frozen=FROZEN_LAYERS, rate=1.2e-4, swedish=0.3),
)
"""The second goes on from the first, with more layers and other wrong passages and wordings."""
PASSES = 3
"""How often a course asks each of NorQuAD's questions, each time in other words."""
NEGATIVES = 2
"""Wrong passages beside a right one."""
BATCH = 12
"""Questions of one step."""
LAYER_DECAY = 0.93
WARM_UP = 0.06
DROPOUT = 0.1
EVERY = 100
"""Steps between two checkpoints."""
_IMPOSSIBLE = -1e4
_PADDING = 1


class Batch(NamedTuple):
    """Questions joined with passages, those of one question one after the other."""

    ids: Tensor
    """int64[texts, tokens], padded."""
    mask: Tensor
    """bfloat16[texts, 1, 1, tokens]: 0 for a token, very low for padding."""
    passage: Tensor
    """bool[texts, tokens]: whether the token is one of the passage's own."""
    answer: Tensor
    """int64[answering texts, 2]: first and last token of the answer."""
    answering: Tensor
    """int64[answering texts]: which texts those are."""
    sizes: list[int]
    """Texts of each question."""


class Dropout:
    """Dropout out of a tape of random numbers: drawing fresh ones costs a fifth of the time."""

    def __init__(self, share: float, generator: torch.Generator, length: int = 1 << 24) -> None:
        kept = torch.rand(length, generator=generator) >= share
        self._tape = (kept / (1 - share)).to(torch.bfloat16)
        self._generator = generator

    def __call__(self, states: Tensor) -> Tensor:
        room = len(self._tape) - states.numel()
        at = int(torch.randint(room, (1,), generator=self._generator))
        return states * self._tape[at : at + states.numel()].view(states.shape)


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    packed = read_packed(locate())
    corpus = options.norquad / "documents.jsonl"
    texts = corpus_texts(corpus)
    with kildesvar_over(corpus, texts, options.data_dir) as kildesvar:
        settings = kildesvar.settings
        folder = prepared_folder(settings.model, settings.models_dir)
        tokenization = ReaderTokenization(folder / SENTENCEPIECE_FILE)
        questions = load_questions(options.norquad / "train.jsonl")
        groups = norquad_groups(kildesvar, tokenization, questions, texts)
    bridge = dict(
        zip(
            (question.question for question in questions),
            (q.question for q in load_questions(options.norquad / "train_nno.jsonl")),
            strict=True,
        )
    )
    held_out = [group for group in groups if is_held_out(group.document)]
    training = [group for group in groups if not is_held_out(group.document)]
    reading = {
        path.stem: reading_groups(path, tokenization)
        for path in sorted(options.reading.glob("*.jsonl"))
    }
    learnt: dict[str, Tensor] = {}
    for number, course in enumerate(COURSES, 1):
        out = options.out.with_suffix(f".course{number}{options.out.suffix}")
        if out.exists():
            print(f"course {number}: {out} is there already and is gone on from")
        else:
            torch.manual_seed(course.seed)
            network = ReaderNetwork(packed, frozen=course.frozen)
            network.load_state_dict(learnt, strict=False)
            chance = random.Random(course.seed)
            asked = lesson(training, bridge, reading, course.swedish, chance)
            batches = [collated(batch, tokenization) for batch in arranged(asked, chance)]
            count = sum(len(batch.ids) for batch in batches)
            print(f"course {number}: {len(batches)} steps, {count} texts", flush=True)
            Training(network, course, out, options.threads).run(batches, held_out, tokenization)
        learnt = {name: tensor.float() for name, tensor in load_file(out).items()}
    write_weights(learnt, options.out)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="train_reader", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("norquad", type=Path, help="folder of NorQuAD's documents and questions")
    parser.add_argument("reading", type=Path, help="folder of further reading comprehension")
    parser.add_argument("out", type=Path, help="file of the trained weights, safetensors")
    parser.add_argument("--data-dir", type=Path, help="keep the library here, to be used again")
    parser.add_argument("--threads", type=int, default=2)
    return parser


def lesson(
    norquad: Sequence[Group],
    bridge: dict[str, str],
    reading: dict[str, list[Group]],
    swedish: float,
    chance: random.Random,
) -> list[Group]:
    """All that is asked, in order: other languages early, Norwegian to the end."""
    placed: list[tuple[float, Group]] = []
    names = sorted({name for group in norquad for name in names_in(group.question)})
    for turn in range(PASSES):
        for group in norquad:
            placed.append((chance.random(), _reworded(group, turn, bridge, chance)))
            if chance.random() < 0.12:
                question = bridge[group.question] if turn == 1 else group.question
                other = about_another(question, names, group.text, chance)
                if other:
                    wrong = replace(group, question=other, passages=group.passages[:1], answer=None)
                    placed.append((chance.random(), wrong))
    for group in reading["squad2_sv"]:
        if swedish < 1 and chance.random() > swedish:
            continue
        few = 2 if group.answer else 1
        placed.append((0.7 * chance.random(), _with_negatives(group, few - 1, chance)))
    german = {group.document: group for group in reading["xquad_de"]}  # line by line the same
    for english in reading["xquad_en"]:
        placed.append((0.7 * chance.random(), _with_negatives(english, 1, chance)))
        if english.document in german:
            across = replace(german[english.document], question=english.question)
            placed.append((0.7 * chance.random(), _with_negatives(across, 1, chance)))
    placed.sort(key=lambda item: item[0])
    return [group for _, group in placed]


def _reworded(group: Group, turn: int, bridge: dict[str, str], chance: random.Random) -> Group:
    """As written; in Nynorsk; and the third time misspelt, in Nynorsk or not, or as keywords."""
    question = group.question
    if turn == 1 or (turn == 2 and chance.random() < 0.3):
        question = bridge[question]
    if turn == 2:
        question = as_keywords(question) if chance.random() < 0.15 else misspelt(question, chance)
    return _with_negatives(group, NEGATIVES, chance, question)


def _with_negatives(
    group: Group, count: int, chance: random.Random, question: str | None = None
) -> Group:
    """The group with only some of its wrong passages, the best ranked more often."""
    wrong = list(group.passages[1:])
    chosen: list[PassageTokens] = []
    while wrong and len(chosen) < count:
        chosen.append(wrong.pop(int(len(wrong) * chance.random() ** 2)))
    passages = (group.passages[0], *chosen)
    return replace(group, question=question or group.question, passages=passages)


def arranged(groups: Sequence[Group], chance: random.Random) -> Iterator[list[Group]]:
    """Batches of groups of nearly one length, in the given order otherwise."""
    window = 24 * BATCH
    for at in range(0, len(groups), window):
        near = sorted(groups[at : at + window], key=_length)
        batches = [near[i : i + BATCH] for i in range(0, len(near), BATCH)]
        chance.shuffle(batches)
        yield from batches


def _length(group: Group) -> int:
    return max(len(p.context) + len(p.passage) for p in group.passages)


def collated(groups: Sequence[Group], tokenization: ReaderTokenization) -> Batch:
    inputs: list[ReaderInput] = []
    answers = []
    answering = []
    for group in groups:
        question = tokenization.question(group.question)
        for number, passage in enumerate(group.passages):
            text = joined(question, passage)
            if number == 0 and group.answer is not None:
                answering.append(len(inputs))
                answers.append([text.first + at for at in group.answer])
            inputs.append(text)
    longest = max(len(text.ids) for text in inputs)
    ids = torch.full((len(inputs), longest), _PADDING)
    own = torch.zeros((len(inputs), longest), dtype=torch.bool)
    for row, text in enumerate(inputs):
        ids[row, : len(text.ids)] = torch.tensor(text.ids)
        own[row, text.first : len(text.ids) - 1] = True
    mask = torch.where(ids == _PADDING, _IMPOSSIBLE, 0.0)[:, None, None, :].to(torch.bfloat16)
    return Batch(
        ids,
        mask,
        own,
        torch.tensor(answers, dtype=torch.int64).reshape(-1, 2),
        torch.tensor(answering, dtype=torch.int64),
        [len(group.passages) for group in groups],
    )


def loss_of(scores: Scores, batch: Batch) -> dict[str, Tensor]:
    """Span, relevance of each text, and relevance among the texts of one question."""
    target = torch.zeros(len(batch.ids))
    target[batch.answering] = 1.0
    relevance = scores.relevance.float()
    losses = {"relevance": functional.binary_cross_entropy_with_logits(relevance, target)}
    if len(batch.answering):
        sides = []
        for side, logits in enumerate((scores.start, scores.end)):
            allowed = logits.float().masked_fill(~batch.passage, _IMPOSSIBLE)
            sides.append(functional.cross_entropy(allowed[batch.answering], batch.answer[:, side]))
        losses["span"] = (sides[0] + sides[1]) / 2
        rows = {int(row) for row in batch.answering}
        starts = accumulate(batch.sizes[:-1], initial=0)
        among = [
            -functional.log_softmax(relevance[start : start + size], 0)[0]
            for start, size in zip(starts, batch.sizes, strict=True)
            if start in rows and size > 1
        ]
        if among:
            losses["among"] = torch.stack(among).mean()
    return losses


class Training:
    """AdamW with a linear warm-up and decay; lower layers learn more slowly.

    The network computes in bfloat16, for which the cores have instructions of their own; the
    optimiser keeps each trained weight in float32 as well.
    """

    def __init__(self, network: ReaderNetwork, course: Course, out: Path, threads: int) -> None:
        torch.set_num_threads(threads)
        self._seed = course.seed
        self._network = network.to(torch.bfloat16)
        self._out = out
        self._checkpoint = out.with_suffix(".checkpoint")
        self._weights: dict[str, nn.Parameter] = {}
        self._masters: dict[str, Tensor] = {}
        trained = set(network.trained_names())
        for name, parameter in network.named_parameters():
            parameter.requires_grad_(name in trained)
            if name in trained:
                self._weights[name] = parameter
                self._masters[name] = parameter.detach().float().clone()
        groups = [
            {
                "params": [master],
                "lr": 0.0,
                "weight_decay": 0.01 if master.dim() > 1 else 0.0,
            }
            for name, master in self._masters.items()
        ]
        layers = len(network.layers)
        self._rates = [_rate(name, layers, course.rate) for name in self._masters]
        self._optimiser = torch.optim.AdamW(groups, betas=(0.9, 0.98), fused=True)

    def run(
        self, batches: Sequence[Batch], held_out: Sequence[Group], tokenization: ReaderTokenization
    ) -> None:
        drop = Dropout(DROPOUT, torch.Generator().manual_seed(self._seed))
        first = self._resume()
        began = time.monotonic()
        seen = 0
        running: dict[str, float] = {}
        for step in range(first, len(batches)):
            batch = batches[step]
            with torch.no_grad():
                states = self._network.lower(batch.ids, batch.mask)
            losses = loss_of(self._network.upper(states, batch.mask, drop), batch)
            torch.stack(list(losses.values())).sum().backward()  # type: ignore[no-untyped-call]
            self._step(_schedule(step / len(batches)))
            seen += len(batch.ids)
            for name, value in losses.items():
                running[name] = 0.98 * running.get(name, value.item()) + 0.02 * value.item()
            if (step + 1) % 20 == 0:
                shown = ", ".join(f"{name} {value:.3f}" for name, value in running.items())
                pace = seen / (time.monotonic() - began)
                print(f"{step + 1}/{len(batches)} {shown}; {pace:.1f} texts/s", flush=True)
            if (step + 1) % EVERY == 0 or step + 1 == len(batches):
                self._save(step + 1)
            if (step + 1) % (4 * EVERY) == 0 or step + 1 == len(batches):
                print(step + 1, report(self._network, held_out, tokenization), flush=True)
        save_file({name: m.to(torch.float16) for name, m in self._masters.items()}, self._out)
        self._checkpoint.unlink(missing_ok=True)

    def _step(self, share: float) -> None:
        for name, master in self._masters.items():
            gradient = self._weights[name].grad
            master.grad = None if gradient is None else gradient.float()
            self._weights[name].grad = None
        torch.nn.utils.clip_grad_norm_(self._masters.values(), 1.0)
        for group, rate in zip(self._optimiser.param_groups, self._rates, strict=True):
            group["lr"] = rate * share
        self._optimiser.step()
        self._show_masters()

    def _show_masters(self) -> None:
        with torch.no_grad():
            for name, master in self._masters.items():
                self._weights[name].copy_(master)

    def _save(self, step: int) -> None:
        kept = {
            "step": step,
            "masters": self._masters,
            "optimiser": self._optimiser.state_dict(),
        }
        torch.save(kept, self._checkpoint)

    def _resume(self) -> int:
        if not self._checkpoint.exists():
            return 0
        kept = torch.load(self._checkpoint)
        for name, master in self._masters.items():
            master.copy_(kept["masters"][name])
        self._optimiser.load_state_dict(kept["optimiser"])
        self._show_masters()
        print(f"taken up at step {kept['step']}")
        return int(kept["step"])


def _rate(name: str, layers: int, upmost: float) -> float:
    """Learning rate of a weight at the height of the schedule."""
    if not name.startswith("layers."):
        return 3 * upmost
    return upmost * LAYER_DECAY ** (layers - 1 - int(name.split(".")[1]))


def _schedule(progress: float) -> float:
    if progress < WARM_UP:
        return progress / WARM_UP
    return max(0.02, (1 - progress) / (1 - WARM_UP))


def report(
    network: ReaderNetwork, groups: Sequence[Group], tokenization: ReaderTokenization
) -> dict[str, float]:
    """On questions not trained on: right passage first of five, right span in the right passage."""
    first = exact = overlap = 0.0
    asked = groups[:160]
    for group in asked:
        few = replace(group, passages=group.passages[:5])
        batch = collated([few], tokenization)
        with torch.no_grad():
            scores = network.upper(network.lower(batch.ids, batch.mask), batch.mask)
        first += float(scores.relevance.argmax() == 0)
        start, end = best_span(scores.start[0].float(), scores.end[0].float(), batch.passage[0])
        gold_start, gold_end = batch.answer[0].tolist()
        exact += float((start, end) == (gold_start, gold_end))
        both = max(0, min(end, gold_end) - max(start, gold_start) + 1)
        overlap += 2 * both / (end - start + 1 + gold_end - gold_start + 1)
    return {
        "first": round(first / len(asked), 3),
        "exact": round(exact / len(asked), 3),
        "token F1": round(overlap / len(asked), 3),
    }


def best_span(start: Tensor, end: Tensor, passage: Tensor, longest: int = 40) -> tuple[int, int]:
    start = start.masked_fill(~passage, -math.inf)
    end = end.masked_fill(~passage, -math.inf)
    pairs = start[:, None] + end[None, :]
    allowed = torch.ones_like(pairs, dtype=torch.bool).triu().tril(longest - 1)
    at = int(pairs.masked_fill(~allowed, -math.inf).argmax())
    return divmod(at, len(start))


if __name__ == "__main__":
    sys.exit(main())
