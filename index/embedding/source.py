"""What the setting `model` may name: the bundled model, a folder, or a Hugging Face id."""

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

from index.embedding.bundled import DATA_SHA256
from index.errors import ModelPreparationError

BUNDLED = "bundled"

_HUB_ID = re.compile(r"[\w.-]+(/[\w.-]+)?")
_UNFIT_FOR_A_FOLDER = re.compile(r"[^\w.-]+")
_MODEL_FILES = ("modules.json", "config.json")


@dataclass(frozen=True)
class ModelSource:
    """A model to prepare, and the name of the folder that it is prepared into."""

    model: str
    slug: str
    folder: Path | None
    """Where the model lies, when it is a local folder."""

    @property
    def signature(self) -> str:
        """Tells when the source is no longer what was prepared; empty when it cannot be known."""
        if self.model == BUNDLED:
            return DATA_SHA256
        return "" if self.folder is None else _folder_signature(self.folder)


def parse_source(model: str) -> ModelSource:
    """Reads the setting. Raises `ModelPreparationError` when it can name no model."""
    if model == BUNDLED:
        return ModelSource(model, BUNDLED, None)
    folder = Path(model).expanduser()
    if model and folder.is_dir():
        return ModelSource(model, _folder_slug(folder), folder.resolve())
    if _HUB_ID.fullmatch(model) is None or model.startswith("."):
        raise ModelPreparationError(
            f"the embedding model {model!r} is no folder here and no Hugging Face id; set `model` "
            "to `bundled`, to a folder, or to an id such as intfloat/multilingual-e5-base"
        )
    return ModelSource(model, model.replace("/", "--"), None)


def require_model_files(folder: Path) -> None:
    """Raises `ModelPreparationError` when `folder` holds no model."""
    if not any((folder / name).is_file() for name in _MODEL_FILES):
        raise ModelPreparationError(
            f"{folder} holds no embedding model (neither modules.json nor config.json is there); "
            "point `model` at a folder that sentence-transformers has saved"
        )


def _folder_slug(folder: Path) -> str:
    # Two folders may have the same name; their whole paths differ.
    path = folder.resolve()
    name = _UNFIT_FOR_A_FOLDER.sub("-", path.name).strip("-.") or "model"
    return f"{name}-{hashlib.sha256(str(path).encode()).hexdigest()[:8]}"


def _folder_signature(folder: Path) -> str:
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            status = path.stat()
            line = f"{path.relative_to(folder).as_posix()}\0{status.st_size}\0{status.st_mtime_ns}"
            digest.update(line.encode() + b"\n")
    return digest.hexdigest()
