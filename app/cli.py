"""The `kildesvar` command: thin commands over the same parts that the service runs.

Exit status: 0 done, 1 done with some files skipped, 2 could not be done, 130 stopped by Ctrl-C.
"""

import json
import os
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.exceptions import TyperException

from app.settings import Settings, load_settings
from index.errors import KildesvarError, NothingPublishedError

if TYPE_CHECKING:
    from app.assembly import Kildesvar
    from app.schemas import AskResponse, SearchResponse
    from index.ingest import IngestReport, OnProgress

app = typer.Typer(
    help="Answers questions over your own documents, with the source of every sentence.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

DataDir = Annotated[
    Path | None, typer.Option("--data-dir", help="Folder of the library (or KILDESVAR_DATA_DIR).")
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object, for machines.")]


_STOPPED = 130
"""What shells give a command that Ctrl-C ended, and what typer returns for it."""


def main() -> None:
    """Runs the command line; an error becomes one clear line and exit status 2."""
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # «›» is missing in a Latin-1 terminal
    sys.exit(_run())


def _run() -> int:
    """The exit status of the command line."""
    try:
        status = _run_command()
    except TyperException as error:
        return _wrong_usage(error)
    except KildesvarError as error:
        return _failed(str(error))
    except (KeyboardInterrupt, typer.Abort):
        status = _STOPPED
    except BrokenPipeError:
        return _no_reader()
    except Exception as error:
        return _unforeseen(error)
    if status == _STOPPED:
        _failed("stopped; what was stored is kept, and the same command goes on from there")
    return status


def _run_command() -> int:
    """Runs the command; its status is 0 unless it raised typer.Exit or was stopped."""
    try:
        status = app(standalone_mode=False)
        sys.stdout.flush()  # here, where it is seen that nobody reads
    except SystemExit as error:
        # Typer's own way with a closed pipe, with the status that here means skipped files.
        raise BrokenPipeError from error
    return status if isinstance(status, int) else 0


def _wrong_usage(error: TyperException) -> int:
    message = error.format_message()
    if not message:
        return 2  # a command without arguments, whose help has been printed
    context: typer.Context | None = getattr(error, "ctx", None)
    if context:
        print(context.get_usage().strip(), file=sys.stderr)
    return _failed(message)


def _failed(message: str) -> int:
    print(f"kildesvar: {message}", file=sys.stderr)
    return 2


def _no_reader() -> int:
    """Lets what is still to be written go nowhere, or Python would complain at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 2


def _unforeseen(error: Exception) -> int:
    # Read from the environment: the settings may be what failed.
    if os.environ.get("KILDESVAR_LOG_LEVEL", "").lower() == "debug":
        traceback.print_exception(error)
    return _failed(
        f"{type(error).__name__}: {error} (this was not foreseen; with KILDESVAR_LOG_LEVEL=debug "
        "the same command shows where it happened)"
    )


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _print_json(value: Any) -> None:
    # Escaped where the output cannot hold every letter: a machine must not be given «?».
    escaped = (sys.stdout.encoding or "").lower().replace("-", "") != "utf8"
    print(json.dumps(value, ensure_ascii=escaped, indent=2), flush=True)


@contextmanager
def _opened(settings: Settings) -> Iterator["Kildesvar"]:
    from app.assembly import Kildesvar

    kildesvar = Kildesvar(settings)
    try:
        yield kildesvar
    finally:
        kildesvar.close()


def _prepare(settings: Settings) -> Path:
    """Prepares both models; gives the embedding model's folder."""
    from index.embedding import prepare as prepare_model
    from index.reading.preparation import prepare_reader

    folder = prepare_model(settings.model, settings.models_dir, _say)
    prepare_reader(settings.models_dir, _say)
    return folder


@app.command()
def prepare(data_dir: DataDir = None, as_json: Json = False) -> None:
    """Make the models ready to run; done once, and quick when it is done already.

    Models are shared by all libraries: they lie in KILDESVAR_MODELS_DIR, whatever --data-dir says.
    """
    settings = load_settings(data_dir=data_dir)
    folder = _prepare(settings)
    if as_json:
        _print_json({"folder": str(folder)})
    else:
        print(f"The models are ready in {settings.models_dir}")


@app.command()
def ingest(
    paths: Annotated[list[Path], typer.Argument(help="Files, and folders to their depths.")],
    data_dir: DataDir = None,
    as_json: Json = False,
    yes: Annotated[
        bool, typer.Option("--yes", help="Remove documents whose files vanished, without asking.")
    ] = False,
    if_empty: Annotated[
        bool, typer.Option("--if-empty", help="Do nothing when the library has documents.")
    ] = False,
) -> None:
    """Make the library hold what files and folders hold now, and publish it."""
    from index.library import Library
    from index.lock import writing

    settings = load_settings(data_dir=data_dir)
    if if_empty and settings.library_path.exists():
        library = Library.open(settings.library_path)
        empty = library.is_empty()
        library.close()
        if not empty:
            _say("The library has documents already.")
            return
    _prepare(settings)
    with writing(settings.data_dir), _opened(settings) as kildesvar, _progress_bar() as progress:
        report = kildesvar.ingester(progress).ingest(paths, accept_removals=yes)
    if as_json:
        _print_json(asdict(report))
    else:
        _print_report(report)
    raise typer.Exit(1 if report.skipped else 0)


@contextmanager
def _progress_bar() -> Iterator["OnProgress"]:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("files, {task.fields[passages]} passages"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("Reading", total=None, passages=0)
        yield lambda p: bar.update(
            task, completed=p.files_done, total=p.files_total, passages=p.passages
        )


def _print_report(report: "IngestReport") -> None:
    for skipped in report.skipped:
        print(f"skipped  {skipped.path}: {skipped.reason}")
    print(
        f"{report.documents} documents, {report.passages} passages in {report.seconds:.1f} s "
        f"({report.added} new, {report.changed} changed, {report.unchanged} unchanged, "
        f"{report.removed} removed, {len(report.skipped)} skipped; "
        f"{report.embedded} passages embedded)"
    )
    print(f"Generation {report.generation} " + ("published" if report.published else "is current"))


@app.command()
def ask(
    question: Annotated[str, typer.Argument(help="A question in your own words.")],
    data_dir: DataDir = None,
    limit: Annotated[int, typer.Option(min=1, max=20, help="Passages to show.")] = 5,
    as_json: Json = False,
) -> None:
    """Answer a question in the documents' own words, with citations."""
    from app.responses import ask_response

    with _searchable(load_settings(data_dir=data_dir)) as kildesvar:
        answer = kildesvar.answerer.answer(kildesvar.generation(), _question(question), limit)
        response = ask_response(answer)
    if as_json:
        _print_json(response.model_dump())
    else:
        _print_answer(response)


def _print_answer(response: "AskResponse") -> None:
    if response.short_answer:
        print(f"→ {response.short_answer}\n")
    print(response.answer)
    print()
    for citation in response.citations:
        place = " › ".join([citation.title, *citation.heading_path])
        print(f"[{citation.number}] {place}")
        page = f", page {citation.page}" if citation.page else ""
        print(f"    {citation.source} ({citation.start}–{citation.end}{page})")
    if not response.answered:
        print("Kanskje relevant:")
        for passage in response.passages[:3]:
            print(f"  {passage.title}: {' '.join(passage.text.split())[:160]} …")


@app.command()
def search(
    query: Annotated[str, typer.Argument(help="Words or a question.")],
    data_dir: DataDir = None,
    limit: Annotated[int, typer.Option(min=1, max=100, help="Passages to show.")] = 10,
    as_json: Json = False,
) -> None:
    """Find passages by meaning and by words."""
    from app.responses import search_response

    query = _question(query)
    with _searchable(load_settings(data_dir=data_dir)) as kildesvar:
        generation = kildesvar.generation()
        result = kildesvar.retriever.search(generation, query, limit)
        response = search_response(result, kildesvar.analyser, generation.name)
    if as_json:
        _print_json(response.model_dump())
    else:
        _print_hits(response)


def _print_hits(response: "SearchResponse") -> None:
    for number, hit in enumerate(response.hits, 1):
        print(f"{number:2}. {' › '.join([hit.title, *hit.heading_path])}  ({hit.score:.3f})")
        print(f"    {' '.join(hit.text.split())[:240]}")


@app.command()
def status(data_dir: DataDir = None, as_json: Json = False) -> None:
    """Say what the library holds, and what is published."""
    from index.generations import Generations
    from index.library import Library

    settings = load_settings(data_dir=data_dir)
    _require_library(settings)
    library = Library.open(settings.library_path)
    documents, passages = library.count()
    manifest = Generations(settings.generations_dir).manifest()
    report = {
        "data_dir": str(settings.data_dir),
        "documents": documents,
        "passages": passages,
        "generation": manifest.name if manifest else None,
        "up_to_date": bool(manifest and manifest.revision == library.revision()),
        "model": settings.model,
    }
    library.close()
    if as_json:
        _print_json(report)
    else:
        for name, value in report.items():
            print(f"{name.replace('_', ' '):12} {value}")


@app.command()
def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on; 0 takes a free one.")] = None,
    data_dir: DataDir = None,
    as_json: Json = False,
) -> None:
    """Answer over HTTP, with the pages at the printed address, until stopped."""
    from app.serving import run_service

    settings = load_settings(host=host, port=port, data_dir=data_dir)
    _prepare(settings)
    # Ctrl-C is how a service is meant to end, so it is no failure.
    with _opened(settings) as kildesvar, suppress(KeyboardInterrupt):
        run_service(kildesvar, _announce_as_json if as_json else _announce)


def _announce(address: str) -> None:
    _say(f"Kildesvar answers at {address}  (stop with Ctrl-C)")


def _announce_as_json(address: str) -> None:
    _print_json({"address": address})


@contextmanager
def _searchable(settings: Settings) -> Iterator["Kildesvar"]:
    _require_library(settings)
    with _opened(settings) as kildesvar:
        yield kildesvar


def _require_library(settings: Settings) -> None:
    if not settings.library_path.exists():
        raise NothingPublishedError(
            f"there is no library in {settings.data_dir}; run `kildesvar ingest FOLDER` first, or "
            "name another folder with --data-dir"
        )


def _question(text: str) -> str:
    from app.schemas import MAX_QUESTION

    text = text.strip()
    if not text or len(text) > MAX_QUESTION:
        raise typer.BadParameter(f"a question has between 1 and {MAX_QUESTION} characters")
    return text


if __name__ == "__main__":
    main()
