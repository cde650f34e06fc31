"""Building the folder of a prepared reader. Imports torch; only `preparation` calls it."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch

from index.embedding import bundled
from index.embedding.check_texts import PASSAGES, QUERIES
from index.embedding.export import export, quantise, store
from index.embedding.sentencepiece_model import write_sentencepiece_model
from index.embedding.smoothing import Features
from index.embedding.tokenization import SENTENCEPIECE_FILE, TOKENIZER_FILE
from index.errors import ModelPreparationError
from index.reading.card import NETWORK_FILE, Probe, ReaderCard
from index.reading.network import ReaderNetwork
from index.reading.reader import Reader, Reading, reading_of
from index.reading.tokens import ReaderTokenization, joined
from index.reading.weights import read_weights

Report = Callable[[str], None]

MAXIMUM_DIFFERENCE = 0.75
"""Mean difference of the relevance logit that 8-bit integers may make. Logits go from -8 to 8."""
_PROBE_QUESTION, _PROBE_TEXT = QUERIES[0], PASSAGES[0]


def build(weights: Path, signature: str, work: Path, report: Report) -> Path:
    """Builds the reader's folder under `work`; gives that folder.

    Raises `ModelPreparationError`, or whatever the packages raise.
    """
    folder = work / "reader"
    folder.mkdir()
    report("Putting the reader together")
    packed = bundled.read_packed(bundled.locate())
    network = ReaderNetwork(packed, read_weights(weights)).eval()
    bundled.write_tokenizer(packed, work / "tokenizer")
    tokenizer = work / "tokenizer" / TOKENIZER_FILE
    if not write_sentencepiece_model(tokenizer, folder / SENTENCEPIECE_FILE):
        raise ModelPreparationError("the bundled model's tokenizer makes no SentencePiece model")
    tokenization = ReaderTokenization(folder / SENTENCEPIECE_FILE)
    scratch = work / "export"
    report("Exporting the reader to ONNX")
    axes = {0: "texts", 1: "tokens"}
    outputs = {"start": axes, "end": axes, "relevance": {0: "texts"}}
    example = torch.arange(24).reshape(2, 12)
    export(network, (example,), scratch / "reader.onnx", {"ids": axes}, outputs)
    report("Quantising to 8-bit integers")
    quantise(scratch / "reader.onnx", scratch / NETWORK_FILE, _features(tokenization))
    store(scratch / NETWORK_FILE, folder / NETWORK_FILE)
    expected = [
        [_read(network, tokenization, query, passage) for passage in PASSAGES] for query in QUERIES
    ]
    _probed(expected[0][0], signature, {}).write(folder)
    check = _check(folder, expected)
    _probed(expected[0][0], signature, check).write(folder)
    report(f"The reader agrees with its float32 weights: {check}")
    shutil.rmtree(scratch)
    return folder


def _probed(expected: Reading, signature: str, check: dict[str, float]) -> ReaderCard:
    assert expected.best_span is not None
    probe = Probe(_PROBE_QUESTION, _PROBE_TEXT, *expected.best_span, expected.relevance)
    return ReaderCard(signature, probe, check)


def _check(folder: Path, expected: list[list[Reading]]) -> dict[str, float]:
    """Reads the check texts as the service will, out of `folder`."""
    reader = Reader(folder)
    differences = []
    same_spans = []
    for query, wanted in zip(QUERIES, expected, strict=True):
        found = reader.read_texts(query, [("", passage) for passage in PASSAGES])
        for left, right in zip(wanted, found, strict=True):
            differences.append(abs(left.relevance - right.relevance))
            same_spans.append(left.best_span == right.best_span)
    reader.close()
    check = {
        "texts": len(differences),
        "mean_relevance_difference": round(float(np.mean(differences)), 3),
        "same_spans": round(float(np.mean(same_spans)), 3),
    }
    if check["mean_relevance_difference"] > MAXIMUM_DIFFERENCE:
        raise ModelPreparationError(f"the quantised reader differs from its weights: {check}")
    return check


def _read(
    network: ReaderNetwork, tokenization: ReaderTokenization, question: str, text: str
) -> Reading:
    tokens = tokenization.passage("", text)
    given = joined(tokenization.question(question), tokens)
    with torch.no_grad():
        start, end, relevance = network(torch.tensor([given.ids]))
    return reading_of(tokens, given.first, start[0].numpy(), end[0].numpy(), float(relevance[0]))


def _features(tokenization: ReaderTokenization) -> Iterator[Features]:
    """Every check question with every check passage, one at a time: int64[1, tokens]."""
    for query in QUERIES:
        question = tokenization.question(query)
        for passage in PASSAGES:
            ids = joined(question, tokenization.passage("", passage)).ids
            yield {"ids": np.array([ids], np.int64)}
