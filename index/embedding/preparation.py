"""Preparing an embedding model: once with torch, so that serving needs none.

A model is loaded by sentence-transformers, exported to ONNX, quantised, and compared with
sentence-transformers on real texts. Only a folder that passed is moved into its place, in one step:
a preparation that is killed leaves nothing that could be mistaken for a model.
"""

import errno
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from index.embedding.card import CARD_FILE, ModelCard, read_card
from index.embedding.source import ModelSource, parse_source
from index.errors import KildesvarError, ModelNotPreparedError, ModelPreparationError

Report = Callable[[str], None]

_WORK_PREFIX = ".preparing-"
_LOCK_FILE = ".preparing.lock"


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
    if _is_ready(folder, source):
        return folder
    with _explained(model, models_dir):
        models_dir.mkdir(parents=True, exist_ok=True)
        with _only_one(models_dir):
            if not _is_ready(folder, source):
                _build_and_move(source, folder, report)
    return folder


def _is_ready(folder: Path, source: ModelSource) -> bool:
    try:
        card = read_card(folder)
    except ModelNotPreparedError:
        return False
    return _is_current(card, source)


def _is_current(card: ModelCard, source: ModelSource) -> bool:
    return card.source == source.signature


def _build_and_move(source: ModelSource, folder: Path, report: Report) -> None:
    from index.embedding.building import build  # noqa: PLC0415

    models_dir = folder.parent
    for leftover in models_dir.glob(f"{_WORK_PREFIX}*/"):
        shutil.rmtree(leftover)
    with tempfile.TemporaryDirectory(prefix=_WORK_PREFIX, dir=models_dir) as work:
        built = build(source, Path(work), report)
        _open_to_readers(built)
        _flush_to_disk(built)
        if folder.exists():
            # An encoder may have it open: its files live on until that is closed.
            folder.rename(Path(work) / "replaced")
        built.rename(folder)
        _flush_directory(models_dir)
    report(f"The model is ready in {folder}")


def _open_to_readers(folder: Path) -> None:
    """Gives every file the permissions that new files get here.

    safetensors and onnx make theirs private, which a service under another user cannot read.
    """
    mode = (folder / CARD_FILE).stat().st_mode & 0o777
    for path in folder.rglob("*"):
        if path.is_file():
            path.chmod(mode)


def _flush_to_disk(folder: Path) -> None:
    for path in folder.rglob("*"):
        if path.is_file():
            with path.open("rb") as file:
                os.fsync(file.fileno())
        else:
            _flush_directory(path)
    _flush_directory(folder)


def _flush_directory(folder: Path) -> None:
    if os.name == "nt":  # where a directory cannot be opened
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _only_one(models_dir: Path) -> Iterator[None]:
    """Waits for another preparation in the same place: it is then done, or its process is gone."""
    from filelock import FileLock  # noqa: PLC0415

    with FileLock(models_dir / _LOCK_FILE):
        yield


@contextmanager
def _explained(model: str, models_dir: Path) -> Iterator[None]:
    """Turns what the packages below raise into a message with a remedy."""
    try:
        yield
    except KildesvarError:
        raise
    except ImportError as error:
        raise ModelPreparationError(
            f"preparing an embedding model needs {error.name or 'more packages'}, which is not "
            "installed; run `make install`, or install the pip extra `kildesvar[prepare]`"
        ) from error
    except Exception as error:  # torch, safetensors and onnx each raise their own
        raise ModelPreparationError(_explanation(model, models_dir, error)) from error


def _explanation(model: str, models_dir: Path, error: Exception) -> str:
    if getattr(error, "errno", None) == errno.ENOSPC or "No space left" in str(error):
        free = shutil.disk_usage(models_dir).free // 2**20
        return (
            f"the disk of {models_dir} is full ({free} MiB are free once the attempt is removed); "
            "preparing a model needs about five times the size of its weights: make room, or "
            "set another data directory"
        )
    if isinstance(error, OSError) and error.errno in (errno.EACCES, errno.EROFS, errno.EPERM):
        return f"cannot write to {models_dir} ({error.strerror}); set another data directory"
    return f"the embedding model {model!r} could not be prepared: {error}"
