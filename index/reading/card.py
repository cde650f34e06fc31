"""The card of a prepared reader: of what it was made, and what it said when it was checked."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from index.errors import ModelNotPreparedError
from index.model_folders import damaged_file

CARD_FILE = "kildesvar-reader.json"
NETWORK_FILE = "reader_qint8.onnx"
CARD_FORMAT = 1
"""Raise it when a reader that was prepared earlier should be prepared anew."""


@dataclass(frozen=True)
class Probe:
    """A question to ask when the folder is opened, and how float32 weights answer it."""

    question: str
    text: str
    start: int
    end: int
    relevance: float


@dataclass(frozen=True)
class ReaderCard:
    """What serving must know of a reader's folder."""

    signature: str
    """Of the weights that it was made from."""

    probe: Probe

    check: Mapping[str, float]
    """How far the 8-bit network agrees with the float32 one on the check texts."""

    format: int = CARD_FORMAT
    files: Mapping[str, int] = field(default_factory=dict)
    """Bytes of every other file of the folder, by its name."""

    @classmethod
    def read(cls, folder: Path) -> "ReaderCard":
        """The card of `folder`. Raises `ModelNotPreparedError` unless all its files are there."""
        try:
            content = json.loads((folder / CARD_FILE).read_text(encoding="utf-8"))
            card = cls(**{**content, "probe": Probe(**content["probe"])})
        except FileNotFoundError as error:
            raise ModelNotPreparedError(
                f"the reader has not been prepared yet ({folder}); run `kildesvar prepare`"
            ) from error
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise ModelNotPreparedError(_damaged(folder, str(error))) from error
        if card.format != CARD_FORMAT:
            raise ModelNotPreparedError(_damaged(folder, "another version of Kildesvar made it"))
        if name := damaged_file(folder, card.files):
            raise ModelNotPreparedError(_damaged(folder, f"{name} is missing or cut short"))
        return card

    def write(self, folder: Path) -> None:
        """Writes the card with the sizes of the files that lie in `folder` now."""
        files = {
            path.name: path.stat().st_size for path in folder.iterdir() if path.name != CARD_FILE
        }
        text = json.dumps(asdict(replace(self, files=files)), ensure_ascii=False, indent=1)
        (folder / CARD_FILE).write_text(text + "\n", encoding="utf-8")


def _damaged(folder: Path, reason: str) -> str:
    return (
        f"the prepared reader in {folder} cannot be used ({reason}); run `kildesvar prepare` again"
    )
