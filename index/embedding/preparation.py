"""Preparing an embedding model: once with torch, so that serving needs none.

A model is loaded by sentence-transformers, exported to ONNX, quantised, and compared with
sentence-transformers on real texts. Only a folder that passed is moved into its place.
"""

from collections.abc import Callable
from pathlib import Path

from index.embedding.card import ModelCard, read_card
from index.embedding.source import ModelSource, parse_source
from index.errors import ModelNotPreparedError, ModelPreparationError
from index.model_folders import prepared_once

Report = Callable[[str], None]


def prepared_folder(model: str, models_dir: Path) -> Path:
    """The prepared folder of `model` under `models_dir`.

    Raises `ModelNotPreparedError`, with the remedy, when it has not been prepared or is damaged.
    """
    try:
        folder = models_dir / parse_source(model).slug
    except ModelPreparationError as error:
        raise ModelNotPreparedError(str(error)) from error
    if not folder.exists():
        raise ModelNotPreparedError(
            f"the embedding model {model!r} has not been prepared yet; run `kildesvar prepare`"
        )
    read_card(folder)
    return folder


def prepare(model: str, models_dir: Path, report: Report) -> Path:
    """Makes `model` ready to be served, under `models_dir`; gives its folder.

    `model` is `bundled`, a local folder, or a Hugging Face id (the only one that needs a network).
    A model that is ready already is given back at once, without importing torch. `report` gets one
    line for every stage. Raises `ModelPreparationError`, whose message names the remedy.
    """
    source = parse_source(model)
    folder = models_dir / source.slug

    def build_in(work: Path) -> Path:
        from index.embedding.building import build  # noqa: PLC0415

        return build(source, work, report)

    what = f"the embedding model {model!r}"
    if prepared_once(folder, what, lambda: _is_ready(folder, source), build_in):
        report(f"The model is ready in {folder}")
    return folder


def _is_ready(folder: Path, source: ModelSource) -> bool:
    try:
        card = read_card(folder)
    except ModelNotPreparedError:
        return False
    return _is_current(card, source)


def _is_current(card: ModelCard, source: ModelSource) -> bool:
    return card.source == source.signature
