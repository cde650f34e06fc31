"""The prepared model under ONNX Runtime: what the service runs. No torch, no transformers."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnxruntime

from index.embedding.card import read_card
from index.embedding.encoder import Matrix, Vector
from index.embedding.tokenization import open_tokenization
from index.errors import ModelNotPreparedError
from index.processors import available_processors

# A folder checked on one processor can give other vectors on another: without the instructions
# that the quantised network counts on, its sums saturate. Such a folder is refused.
PROBE_COSINE = 0.98

# One text of a few hundred tokens keeps no more processors busy than this; further ones take
# further texts.
THREADS_PER_TEXT = 4


class OnnxEncoder:
    """Runs a folder that `prepare` made, one text at a time.

    Texts are not batched: on a processor a batch is no faster than its texts alone (measured in
    docs/embedding-runtimes.md), it takes memory, and dynamic quantisation would make a text's
    vector depend on its neighbours. Safe to call from several threads.
    """

    def __init__(self, folder: Path, threads: int = 0) -> None:
        """Opens `folder` with at most `threads` processor threads (0: all that there are).

        Raises `ModelNotPreparedError` when the folder is incomplete or fails its probe.
        """
        self._card = read_card(folder)
        if self._card.network is None or self._card.tokenizer is None:
            raise ModelNotPreparedError(
                f"the model in {folder} was prepared for {self._card.runtime}, not for ONNX "
                "Runtime; open it with open_encoder"
            )
        threads = threads or available_processors()
        threads_per_text = min(threads, THREADS_PER_TEXT)
        self._workers = threads // threads_per_text
        self._session = open_session(folder / self._card.network, threads_per_text)
        self._inputs = frozenset(entry.name for entry in self._session.get_inputs())
        self._tokenization = open_tokenization(folder / self._card.tokenizer)
        self._prompt_tokens = self._count_prompt_tokens()
        self._probe(folder)

    @property
    def fingerprint(self) -> str:
        return self._card.fingerprint

    @property
    def dimension(self) -> int:
        return self._card.dimension

    @property
    def max_tokens(self) -> int:
        return self._text_length - self._prompt_tokens

    def count_tokens(self, text: str) -> int:
        return len(self._tokenization.encode(text))

    def embed_query(self, text: str) -> Vector:
        """float32[d], with the model's query prompt."""
        return self._embed(self._tokenization.encode(self._card.query_prompt + text))

    def embed_documents(self, texts: Sequence[str]) -> Matrix:
        """float32[n, d] in the order of `texts`, with the model's document prompt."""
        vectors = np.empty((len(texts), self.dimension), np.float32)
        prompt = self._card.document_prompt
        encoded = self._tokenization.encode_all([prompt + text for text in texts])
        with ThreadPoolExecutor(self._workers) as pool:
            for row, vector in enumerate(pool.map(self._embed, encoded)):
                vectors[row] = vector
        return vectors

    @property
    def _text_length(self) -> int:
        """The most tokens of prompt and text together."""
        specials = len(self._card.tokens_before) + len(self._card.tokens_after)
        return self._card.max_length - specials

    def _embed(self, ids: list[int]) -> Vector:
        kept = ids[: self._text_length]
        row = np.array([[*self._card.tokens_before, *kept, *self._card.tokens_after]], np.int64)
        (states,) = self._session.run(None, self._features(row))
        return _normalised(_pooled(states[0], self._card.pooling))

    def _features(self, ids: npt.NDArray[np.int64]) -> dict[str, npt.NDArray[np.int64]]:
        features = {"input_ids": ids, "attention_mask": np.ones_like(ids)}
        if "token_type_ids" in self._inputs:
            features["token_type_ids"] = np.zeros_like(ids)
        return features

    def _count_prompt_tokens(self) -> int:
        # Counted in front of a word, for a prompt's last space often belongs to what follows.
        word = "ord"
        return self.count_tokens(self._card.document_prompt + word) - self.count_tokens(word)

    def _probe(self, folder: Path) -> None:
        if not self._card.probe_vector:
            return
        cosine = float(self.embed_documents([self._card.probe_text])[0] @ self._card.probe_vector)
        if not cosine >= PROBE_COSINE:
            raise ModelNotPreparedError(
                f"the model in {folder} gives other vectors on this machine than where it was "
                f"prepared (cosine {cosine:.3f}); run `kildesvar prepare` here"
            )


def open_session(network: Path, threads: int) -> onnxruntime.InferenceSession:
    """`network` under ONNX Runtime as it is served. Raises `ModelNotPreparedError`."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # Idle threads that wait in a loop double the processor time, and halve the speed as soon as
    # anything else runs on the machine.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    # The arena keeps what the longest text needed, for ever; going without costs no time here.
    options.enable_cpu_mem_arena = False
    options.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(network, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime has an exception type for every status, and no base
        raise ModelNotPreparedError(
            f"ONNX Runtime cannot open {network} ({error}); run `kildesvar prepare` again"
        ) from error


def _pooled(states: npt.NDArray[np.float32], pooling: str) -> Vector:
    """float32[d] out of float32[tokens, d]; there is no padding to leave out."""
    pooled: Vector = states[0] if pooling == "cls" else states.mean(axis=0, dtype=np.float32)
    return pooled


def _normalised(vector: Vector) -> Vector:
    length = np.linalg.norm(vector)
    unit: Vector = vector / length if length > 0 else vector
    return unit
