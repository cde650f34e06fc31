"""What the commands share: their options, the opened Kildesvar, and how they speak."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from app.settings import Settings
from index.errors import NothingPublishedError

if TYPE_CHECKING:
    from app.assembly import Kildesvar
    from index.library import Library

DataDir = Annotated[
    Path | None, typer.Option("--data-dir", help="Folder of the library (or KILDESVAR_DATA_DIR).")
]
ConfigFile = Annotated[
    Path | None, typer.Option("--config", help="File of settings (or KILDESVAR_CONFIG).")
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object, for machines.")]
JsonLines = Annotated[
    bool, typer.Option("--json", help="Print one JSON object a line, for machines.")
]


def say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def plain(text: str) -> str:
    """On one line, and without what a terminal would take for a command."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def print_json(value: Any) -> None:
    print(_as_json(value, indent=2), flush=True)


def print_line(value: Any) -> None:
    """As one line of JSON, of which there are more."""
    print(_as_json(value))


def _as_json(value: Any, indent: int | None = None) -> str:
    # Escaped where the output cannot hold every letter: a machine must not be given «?».
    escaped = (sys.stdout.encoding or "").lower().replace("-", "") != "utf8"
    return json.dumps(value, ensure_ascii=escaped, indent=indent)


@contextmanager
def opened(settings: Settings) -> Iterator["Kildesvar"]:
    from app.assembly import Kildesvar

    kildesvar = Kildesvar(settings)
    try:
        yield kildesvar
    finally:
        kildesvar.close()


@contextmanager
def opened_library(settings: Settings, *, may_be_new: bool = False) -> Iterator["Library"]:
    """The library alone, without a model. Raises NothingPublishedError when there is none, unless
    it `may_be_new`."""
    from index.library import Library

    if not may_be_new:
        require_library(settings)
    library = Library.open(settings.library_address)
    try:
        yield library
    finally:
        library.close()


def prepared(settings: Settings) -> Path:
    """Prepares both models; gives the embedding model's folder."""
    from index.embedding import prepare as prepare_model
    from index.reading.preparation import prepare_reader

    folder = prepare_model(settings.model, settings.models_dir, say)
    prepare_reader(settings.models_dir, say)
    return folder


def require_library(settings: Settings) -> None:
    if not is_library_there(settings):
        place, setting = f"{settings.data_dir}", "folder with --data-dir"
        if settings.has_database:
            place, setting = "the database", "one with KILDESVAR_DATABASE_URL"
        raise NothingPublishedError(
            f"there is no library in {place}; run `kildesvar ingest FOLDER` first, or name another "
            f"{setting}"
        )


def is_library_there(settings: Settings) -> bool:
    from index.database import is_there

    return is_there(settings.library_address)
