"""The prepared model under sentence-transformers: for models that ONNX Runtime cannot run.

It costs seconds and hundreds of megabytes before the first vector, so `prepare` says so in its log
when it has to fall back to this.
"""

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from index.embedding.card import SENTENCE_TRANSFORMERS, fingerprint, read_card, with_runtime
from index.embedding.encoder import Matrix, Vector
from index.errors import ModelNotPreparedError

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

BATCH_SIZE = 8


class SentenceTransformersEncoder:
    """Runs any prepared folder with torch, which is imported when the encoder is opened."""

    def __init__(self, folder: Path, threads: int = 0) -> None:
        """Opens `folder`; `threads`, unless 0, bounds torch's threads in the whole process.

        Raises `ModelNotPreparedError` when the folder is incomplete or torch is not installed.
        """
        card = with_runtime(read_card(folder), SENTENCE_TRANSFORMERS)
        self._card = card
        self._fingerprint = card.fingerprint or fingerprint(folder, card)
        self._model = _load(folder, threads)
        # The tokenizer of transformers changes its own settings during a call.
        self._lock = threading.Lock()
        self._text_length = card.max_length - len(self._ids("", special=True))
        self._prompt_tokens = self._count_prompt_tokens()

    @property
    def fingerprint(self) -> str:
        return self._fingerprint

    @property
    def dimension(self) -> int:
        return self._card.dimension

    @property
    def max_tokens(self) -> int:
        return self._text_length - self._prompt_tokens

    def count_tokens(self, text: str) -> int:
        with self._lock:
            return len(self._ids(text, special=False))

    def embed_query(self, text: str) -> Vector:
        """float32[d], with the model's query prompt."""
        with self._lock:
            vectors = self._model.encode_query([text], **_ENCODING)
        return np.asarray(vectors[0], np.float32)

    def embed_documents(self, texts: Sequence[str]) -> Matrix:
        """float32[n, d] in the order of `texts`, with the model's document prompt."""
        if not texts:
            return np.empty((0, self.dimension), np.float32)
        with self._lock:
            vectors = self._model.encode_document(list(texts), batch_size=BATCH_SIZE, **_ENCODING)
        return np.asarray(vectors, np.float32)

    def _ids(self, text: str, special: bool) -> list[int]:
        tokenize = self._model.tokenizer
        ids: list[int] = tokenize(text, add_special_tokens=special, verbose=False)["input_ids"]
        return ids

    def _count_prompt_tokens(self) -> int:
        word = "ord"
        return self.count_tokens(self._card.document_prompt + word) - self.count_tokens(word)


_ENCODING: dict[str, Any] = {"normalize_embeddings": True, "show_progress_bar": False}


def _load(folder: Path, threads: int) -> "SentenceTransformer":
    try:
        import torch  # noqa: PLC0415
        from sentence_transformers import SentenceTransformer  # noqa: PLC0415
    except ImportError as error:
        raise ModelNotPreparedError(
            f"the model in {folder} can only run under sentence-transformers, which is not "
            "installed (pip extra `kildesvar[prepare]`)"
        ) from error
    if threads:
        torch.set_num_threads(threads)
    return SentenceTransformer(str(folder), device="cpu", local_files_only=True)
