"""The local engine: a part of a generation, built in one process and searched in another."""

from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from time import perf_counter, process_time
from typing import Any, TypeVar

import numpy as np

from index.analysis import Analyser
from index.parts import Entry, Part, build
from index.records import IdRanges, Ids, Scope
from scripts.scaling.corpus import (
    LIMITS,
    NEAREST,
    PASSAGES_A_DOCUMENT,
    Corpus,
    Limit,
)
from scripts.scaling.figures import Figures, bytes_in, load, memory_of, times_of

REFINED = 40
"""Candidates of which the retriever asks which words they have."""

Result = TypeVar("Result")


def measure(passages: int, truths: dict[str, Ids], folder: Path) -> Figures:
    """All that is measured of a part of so many passages, in `folder`; one that is there already is
    only asked."""
    part = folder / f"part-{passages}"
    figures = {} if part.exists() else _alone(_build, passages, part)
    return {**figures, **_alone(_search, passages, part, truths)}


def _build(passages: int, folder: Path) -> Figures:
    corpus, before = Corpus(passages), load()
    made = made_cpu = 0.0

    def fetch(ids: Ids) -> Iterator[list[Entry]]:
        nonlocal made, made_cpu
        batches = corpus.fetch(ids)
        while True:
            began, used = perf_counter(), process_time()
            entries = next(batches, None)
            made, made_cpu = made + perf_counter() - began, made_cpu + process_time() - used
            if entries is None:
                return
            yield entries

    began, used = perf_counter(), process_time()
    build(folder, corpus.ids, fetch)
    seconds = perf_counter() - began - made
    cpu = process_time() - used - made_cpu
    of = {name: bytes_in(folder / name) for name in ("base", "lexical", "suggestions")}
    all_bytes = bytes_in(folder)
    return {
        "build_s": round(seconds, 1),
        "build_cpu_s": round(cpu, 1),
        "build_load": [before, load()],
        "passages_per_s": round(passages / seconds),
        "bytes_a_passage": round(all_bytes / passages),
        "vector_bytes": round(of["base"] / passages),
        "word_bytes": round(of["lexical"] / passages),
        "rest_bytes": round((all_bytes - of["base"] - of["lexical"]) / passages),
        "build_memory": memory_of(),
    }


def _search(passages: int, folder: Path, truths: dict[str, Ids]) -> Figures:
    corpus, analyser = Corpus(passages), Analyser()
    questions = corpus.questions()
    words = [analyser.weights(text) for text in questions.texts]
    before = memory_of()
    began = perf_counter()
    part = Part(folder)
    figures: Figures = {"opened_s": round(perf_counter() - began, 3), "queries": {}}
    with ThreadPoolExecutor(1) as pool:

        def dense(number: int, among: IdRanges | None = None) -> Any:
            return part.dense.search(questions.vectors[number], NEAREST, among)

        def lexical(number: int, scope: Scope | None = None) -> Any:
            return part.lexical.search(words[number], NEAREST, scope)

        def both(number: int, scope: Scope | None, among: IdRanges | None) -> Any:
            by_words = pool.submit(lexical, number, scope)
            found = dense(number, among)
            ids = list(dict.fromkeys(i for i, _ in (*found, *by_words.result())))
            part.dense.similarities(questions.vectors[number], ids)
            part.lexical.coverage(words[number], ids[:REFINED])
            return found

        for limit in (None, *LIMITS):
            name = limit.name if limit else "all"
            scope, among = _within(corpus, limit) if limit else (None, None)
            count = len(questions.texts)
            figures["queries"][name] = {
                "lexical": times_of(partial(lexical, scope=scope), count),
                "dense": times_of(partial(dense, among=among), count, truths[name]),
                "both": times_of(partial(both, scope=scope, among=among), count),
            }
            if limit is None:
                figures["memory_before"], figures["memory"] = before, memory_of()
    return figures


def _within(corpus: Corpus, limit: Limit) -> tuple[Scope, IdRanges]:
    """A filter as the library tells it: documents, and the ranges of their passages' ids."""
    told = corpus.documents_within(limit)
    allowed = np.flatnonzero(corpus.allowed(limit)) + 1
    starts = allowed[::PASSAGES_A_DOCUMENT]
    return Scope(told), IdRanges(np.stack([starts, starts + PASSAGES_A_DOCUMENT], axis=1))


def _alone(function: Callable[..., Result], *arguments: Any) -> Result:
    """Runs `function` in a new process, whose memory is its own alone."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(function, *arguments).result()
