"""Text in, unit vectors out: preparing an embedding model once, and running it.

`prepare` needs the heavy packages (torch, sentence-transformers, onnx); a prepared folder is then
served by ONNX Runtime alone. Importing this package imports none of them.
"""

from pathlib import Path

from index.embedding.card import SENTENCE_TRANSFORMERS, read_card
from index.embedding.encoder import Encoder, Matrix, Vector
from index.embedding.preparation import prepare, prepared_folder

__all__ = ["Encoder", "Matrix", "Vector", "open_encoder", "prepare", "prepared_folder"]


def open_encoder(folder: Path, threads: int = 0) -> Encoder:
    """The prepared model in `folder`, ready to embed, under the runtime that its card names.

    `threads` bounds the processor threads of one call; 0 lets the runtime take what there is.
    Raises `ModelNotPreparedError` when the folder is incomplete, or gives other vectors on this
    machine than those it was checked with.
    """
    if read_card(folder).runtime == SENTENCE_TRANSFORMERS:
        from index.embedding.sentence_transformers_runtime import (  # noqa: PLC0415
            SentenceTransformersEncoder,
        )

        return SentenceTransformersEncoder(folder, threads)
    from index.embedding.onnx_runtime import OnnxEncoder  # noqa: PLC0415

    return OnnxEncoder(folder, threads)
