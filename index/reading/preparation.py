"""Preparing the reader: once with torch, so that serving needs none.

The trained weights lie beside this file; the rest of the network is the bundled embedding model's,
whichever model embeds.
"""

import hashlib
from collections.abc import Callable
from pathlib import Path

from index.embedding.bundled import DATA_SHA256
from index.errors import ModelNotPreparedError
from index.files import sha256_of
from index.model_folders import prepared_once
from index.reading.card import ReaderCard

Report = Callable[[str], None]

WEIGHTS = Path(__file__).with_name("reader.safetensors")
"""What `scripts/train_reader.py` gave. docs/reader.md is its model card."""

_FOLDER = "reader"


def reader_folder(models_dir: Path) -> Path:
    """Where the prepared reader lies."""
    return models_dir / _FOLDER


def prepare_reader(models_dir: Path, report: Report) -> Path:
    """Makes the reader ready to be served, under `models_dir`; gives its folder.

    A reader that is ready already is given back at once, without importing torch. `report` gets one
    line for every stage. Raises `ModelPreparationError`, whose message names the remedy.
    """
    folder = reader_folder(models_dir)
    signature = _signature()

    def build_in(work: Path) -> Path:
        from index.reading.building import build  # noqa: PLC0415

        return build(WEIGHTS, signature, work, report)

    if prepared_once(folder, "the reader", lambda: _is_ready(folder, signature), build_in):
        report(f"The reader is ready in {folder}")
    return folder


def _is_ready(folder: Path, signature: str) -> bool:
    try:
        return ReaderCard.read(folder).signature == signature
    except ModelNotPreparedError:
        return False


def _signature() -> str:
    return hashlib.sha256(f"{DATA_SHA256} {sha256_of(WEIGHTS)}".encode()).hexdigest()
