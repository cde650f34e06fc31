"""The card of a prepared model: what serving must know, so that it needs no torch to find out."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from index.errors import ModelNotPreparedError
from index.files import sha256_of
from index.model_folders import damaged_file

CARD_FILE = "kildesvar.json"

# Raise it when folders that were prepared earlier should be prepared anew, be it that the card or
# that the recipe has changed.
CARD_FORMAT = 1

ONNX_INT8 = "onnx-int8"
ONNX_FLOAT32 = "onnx-float32"
SENTENCE_TRANSFORMERS = "sentence-transformers"
RUNTIMES = (ONNX_INT8, ONNX_FLOAT32, SENTENCE_TRANSFORMERS)

# What sentence-transformers does not read when it embeds.
_NOT_DECISIVE = (CARD_FILE, "README.md", "sentencepiece.model")


@dataclass(frozen=True)
class ModelCard:
    """Everything that decides the vectors of a prepared folder, and how they were checked."""

    model: str
    """The setting as it was asked for: `bundled`, a folder, or a Hugging Face id."""

    runtime: str
    """One of `RUNTIMES`."""

    dimension: int

    max_length: int
    """The most tokens that the model takes, special tokens included."""

    query_prompt: str

    document_prompt: str

    pooling: str
    """`mean` or `cls`; under sentence-transformers whatever the model's own modules do."""

    normalise: bool
    """Whether the model itself ends in a normalisation. Vectors leave the encoder with length 1
    either way."""

    fingerprint: str = ""
    """sha256 hex of all that decides the vectors."""

    network: str | None = None
    """The ONNX file, relative to the folder; none under sentence-transformers."""

    tokenizer: str | None = None
    """`sentencepiece.model` or `tokenizer.json`; none under sentence-transformers."""

    tokens_before: tuple[int, ...] = ()
    """Special tokens put in front of every text."""

    tokens_after: tuple[int, ...] = ()

    padding_token: int = 0

    source: str = ""
    """Signature of the folder that the model came from; it tells when that has changed."""

    files: Mapping[str, int] = field(default_factory=dict)
    """Bytes of every file that serving needs, by its path relative to the folder. Under ONNX
    Runtime the weights of sentence-transformers are not among them: an image may leave them out."""

    check: Mapping[str, float] = field(default_factory=dict)
    """How it agreed with sentence-transformers: passages, minimum and mean cosine."""

    probe_text: str = ""
    """A text to embed when the folder is opened ..."""

    probe_vector: tuple[float, ...] = ()
    """... and the float32 vector that sentence-transformers gives it as a document."""

    versions: Mapping[str, str] = field(default_factory=dict)
    """Versions of the packages that prepared it."""


def read_card(folder: Path) -> ModelCard:
    """The card of `folder`, after making sure that every file it lists is there.

    Raises `ModelNotPreparedError`.
    """
    try:
        content = json.loads((folder / CARD_FILE).read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError) as error:
        raise ModelNotPreparedError(
            f"there is no prepared embedding model in {folder}; run `kildesvar prepare`"
        ) from error
    except (OSError, ValueError) as error:
        raise ModelNotPreparedError(_damaged(folder, str(error))) from error
    card = _from_json(folder, content)
    if name := damaged_file(folder, card.files):
        raise ModelNotPreparedError(_damaged(folder, f"{name} is missing or cut short"))
    return card


def write_card(folder: Path, card: ModelCard) -> ModelCard:
    """Writes `card` into `folder` with the sizes of its files; gives the card as written."""
    sizes = {
        path.relative_to(folder).as_posix(): path.stat().st_size
        for path in _decisive_files(folder, card)
    }
    card = replace(card, files=sizes)
    content = {"format": CARD_FORMAT, **asdict(card)}
    text = json.dumps(content, ensure_ascii=False, indent=1)
    (folder / CARD_FILE).write_text(text + "\n", encoding="utf-8")
    return card


def with_runtime(card: ModelCard, runtime: str) -> ModelCard:
    """`card` as it reads under another runtime: the fingerprint is no longer known."""
    return card if card.runtime == runtime else replace(card, runtime=runtime, fingerprint="")


def fingerprint(folder: Path, card: ModelCard) -> str:
    """sha256 hex over the settings and the files that decide the vectors.

    Under ONNX Runtime these are the network and the tokenizer; under sentence-transformers every
    file of the folder but its card and README.
    """
    settings = [
        card.runtime,
        card.dimension,
        card.max_length,
        card.query_prompt,
        card.document_prompt,
        card.pooling,
        card.tokens_before,
        card.tokens_after,
    ]
    digest = hashlib.sha256(json.dumps(settings, ensure_ascii=False).encode())
    for path in _decisive_files(folder, card):
        digest.update(path.relative_to(folder).as_posix().encode() + b"\0")
        digest.update(bytes.fromhex(sha256_of(path)))
    return digest.hexdigest()


def _decisive_files(folder: Path, card: ModelCard) -> Iterable[Path]:
    if card.runtime != SENTENCE_TRANSFORMERS:
        assert card.network is not None and card.tokenizer is not None
        network = folder / card.network
        # A network's large tensors may lie in files beside it that share its name.
        return [*sorted(network.parent.glob(network.name + "*")), folder / card.tokenizer]
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return [path for path in files if path.name not in _NOT_DECISIVE and path.parent.name != "onnx"]


def _from_json(folder: Path, content: Any) -> ModelCard:
    if not isinstance(content, dict) or content.pop("format", None) != CARD_FORMAT:
        raise ModelNotPreparedError(_damaged(folder, "another version of Kildesvar prepared it"))
    for name in ("tokens_before", "tokens_after", "probe_vector"):
        content[name] = tuple(content.get(name, ()))
    try:
        card = ModelCard(**content)
    except TypeError as error:
        raise ModelNotPreparedError(_damaged(folder, str(error))) from error
    if card.runtime not in RUNTIMES:
        raise ModelNotPreparedError(_damaged(folder, f"unknown runtime {card.runtime!r}"))
    return card


def _damaged(folder: Path, reason: str) -> str:
    return (
        f"the prepared embedding model in {folder} cannot be used ({reason}); "
        "run `kildesvar prepare` again"
    )
