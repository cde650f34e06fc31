"""`kildesvar backup`, `restore`, `check` and `compact`: for whoever looks after a library."""

from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer

from app.commands.common import (
    ConfigFile,
    DataDir,
    Json,
    is_library_there,
    opened,
    opened_library,
    prepared,
    print_json,
    require_library,
)
from app.settings import Settings, load_settings
from index.errors import BackupError, LibraryError
from index.lock import WAITS_TO_BE_ALONE


def backup(
    file: Annotated[Path, typer.Argument(help="The file to write; it must not exist yet.")],
    data_dir: DataDir = None,
    config: ConfigFile = None,
    as_json: Json = False,
) -> None:
    """Write the library and all uploaded files to one file, while it is in use."""
    from index.backup import back_up

    settings = load_settings(data_dir=data_dir, config=config)
    require_library(settings)
    about = back_up(settings.library_address, settings.uploads_dir, file)
    if as_json:
        print_json({"file": str(file), "documents": about.documents})
    else:
        print(f"{about.documents} documents are in {file}")


def restore(
    file: Annotated[Path, typer.Argument(help="A file that `kildesvar backup` wrote.")],
    data_dir: DataDir = None,
    config: ConfigFile = None,
    as_json: Json = False,
    yes: Annotated[
        bool, typer.Option("--yes", help="Replace the documents that there are, without asking.")
    ] = False,
) -> None:
    """Make the library what it was when a backup was written; a running service goes on."""
    from app.engines import last_id_of
    from index.backup import restore as restore_library
    from index.database import writing

    settings = load_settings(data_dir=data_dir, config=config)
    prepared(settings)
    with writing(settings.library_address, waits=WAITS_TO_BE_ALONE):
        there = _what_there_is(settings)
        if there and not yes:
            raise BackupError(
                f"{_named(settings)} {there}, and the backup would replace it; run the command "
                "again with --yes, or name another place. Nothing was changed."
            )
        last_id = last_id_of(settings)
        about = restore_library(
            file, settings.library_address, settings.uploads_dir, last_id, _note_restored
        )
        with opened(settings) as kildesvar:
            kildesvar.uploads.require_shared()  # its files lie there now
            ingester = kildesvar.ingester(renews=True)
            ingester.publish()
            ingester.let_go()
    if as_json:
        print_json({"documents": about.documents, "made_at": about.made_at})
    else:
        print(f"{about.documents} documents are back as they were at {about.made_at}")


def check(data_dir: DataDir = None, config: ConfigFile = None, as_json: Json = False) -> None:
    """Check all that is stored; exit status 1 when something is wrong."""
    from app.engines import engine_of
    from index.checking import problems_in

    settings = load_settings(data_dir=data_dir, config=config)
    with (
        opened_library(settings) as library,
        closing(engine_of(settings, library)) as engine,
        library.writing(waits=WAITS_TO_BE_ALONE),
    ):
        problems = list(problems_in(library, engine))
        documents, passages = library.count()
    if as_json:
        print_json({"documents": documents, "passages": passages, "problems": problems})
    else:
        for problem in problems:
            print(problem)
        said = f"{len(problems)} problems" if problems else "nothing is wrong"
        print(f"{documents} documents, {passages} passages: {said}")
    raise typer.Exit(1 if problems else 0)


def compact(data_dir: DataDir = None, config: ConfigFile = None, as_json: Json = False) -> None:
    """Make the index anew from the library, without a trace of what was removed.

    Kildesvar does so by itself when much has changed; this is for those who cannot wait.
    """
    from app.sight.audit import Action

    settings = load_settings(data_dir=data_dir, config=config)
    require_library(settings)
    with opened(settings) as kildesvar, kildesvar.writing(exclusive=True):
        manifest = kildesvar.ingester(renews=True).compact()
        kildesvar.audit.note(Action.LIBRARY_COMPACTED, manifest.name)
    if as_json:
        print_json({"generation": manifest.name, "passages": manifest.passages})
    else:
        print(f"Generation {manifest.name} holds {manifest.passages} passages, made anew")


def _note_restored(library_path: Path) -> None:
    from app.sight.audit import Action, Audit
    from index.library import Library

    library = Library.open(library_path)
    Audit(library).note(Action.LIBRARY_RESTORED, "", {"documents": library.count()[0]})
    library.close()


def _named(settings: Settings) -> str:
    if settings.has_database:
        return "the library in the database"
    return f"the library in {settings.data_dir}"


def _what_there_is(settings: Settings) -> str:
    """What a restore would replace, in words; empty when there is nothing."""
    from index.jobs import Jobs
    from index.library import Library

    if not is_library_there(settings):
        return ""
    try:
        library = Library.open(settings.library_address)
    except LibraryError:
        if settings.has_database:
            raise
        return "is damaged"
    documents, _ = library.count()
    waiting = Jobs(library).are_waiting()
    library.close()
    if waiting:
        return f"holds {documents} documents and uploads that were not read yet"
    return f"holds {documents} documents" if documents else ""
