"""`kildesvar ingest`, `watch` and `status`: what the library holds."""

import json
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Annotated

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
    say,
)
from app.settings import Settings, load_settings
from app.sight.logs import configure_logging

if TYPE_CHECKING:
    from index.ingest import IngestReport, OnProgress


Collection = Annotated[
    str | None,
    typer.Option(
        "--collection",
        help="Put all of it into this collection, and what comes into the folders later.",
    ),
]


def ingest(
    paths: Annotated[list[Path], typer.Argument(help="Files, and folders to their depths.")],
    data_dir: DataDir = None,
    config: ConfigFile = None,
    as_json: Json = False,
    collection: Collection = None,
    yes: Annotated[
        bool, typer.Option("--yes", help="Remove documents whose files vanished, without asking.")
    ] = False,
    retry: Annotated[
        bool,
        typer.Option(
            "--retry", help="Also read files left out before: unreadable, or deleted over HTTP."
        ),
    ] = False,
    report_file: Annotated[
        Path | None, typer.Option("--report", help="Write what was done, as JSON, to a file.")
    ] = None,
    if_empty: Annotated[
        bool, typer.Option("--if-empty", help="Do nothing when the library has documents.")
    ] = False,
) -> None:
    """Make the library hold what files and folders hold now, and publish it."""
    settings = load_settings(data_dir=data_dir, config=config)
    if if_empty and is_library_there(settings):
        with opened_library(settings) as library:
            empty = library.is_empty()
        if not empty:
            say("The library has documents already.")
            return
    prepared(settings)
    with opened(settings) as kildesvar:
        with kildesvar.writing(), _progress_bar() as progress:
            report = kildesvar.ingester(progress, renews=True).ingest(
                paths, accept_removals=yes, retry=retry, collection=collection
            )
        kildesvar.tidy()
    if report_file:
        report_file.write_text(json.dumps(asdict(report), indent=2), encoding="utf-8")
    if as_json:
        print_json(asdict(report))
    else:
        _print_report(report)
    raise typer.Exit(1 if report.skipped else 0)


def watch(
    paths: Annotated[list[Path], typer.Argument(help="Files, and folders to their depths.")],
    data_dir: DataDir = None,
    config: ConfigFile = None,
    as_json: Json = False,
    collection: Collection = None,
    poll: Annotated[
        bool, typer.Option("--poll", help="Look for changes, where a network drive tells of none.")
    ] = False,
) -> None:
    """Ingest folders, and whatever changes in them from then on, until stopped."""
    from app.watching import follow

    settings = load_settings(data_dir=data_dir, config=config)
    prepared(settings)
    configure_logging(settings)

    def show(report: "IngestReport") -> None:
        if as_json:
            print(json.dumps(asdict(report)), flush=True)
        else:
            _print_report(report)

    # Ctrl-C is how watching is meant to end, so it is no failure.
    with opened(settings) as kildesvar, suppress(KeyboardInterrupt):
        follow(kildesvar, paths, show, poll=poll, collection=collection)


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
        TextColumn("files, {task.fields[passages]} passages ({task.fields[speed]:.0f}/s)"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        began = perf_counter()
        task = bar.add_task("Reading", total=None, passages=0, speed=0.0)
        yield lambda p: bar.update(
            task,
            completed=p.files_done,
            total=p.files_total,
            passages=p.passages,
            speed=p.passages / (perf_counter() - began),
        )


def _print_report(report: "IngestReport") -> None:
    for skipped in report.skipped:
        print(f"skipped  {skipped.path}: {skipped.reason}")
    for noted in report.noted:
        print(f"noted    {noted.path}: {noted.reason}")
    print(
        f"{report.documents} documents, {report.passages} passages in {report.seconds:.1f} s "
        f"({report.added} new, {report.changed} changed, {report.moved} moved, "
        f"{report.unchanged} unchanged, {report.removed} removed, {len(report.skipped)} skipped; "
        f"{report.embedded} passages embedded)",
    )
    if report.waits:
        print(report.waits, flush=True)
        return
    state = "published" if report.published else "is current"
    print(f"Generation {report.generation} {state}", flush=True)


def _place_of(settings: Settings) -> dict[str, str]:
    """Where the library is, without the database's password."""
    if not settings.has_database:
        return {"data_dir": str(settings.data_dir)}
    from index.postgresql_reaching import Place

    return {"database": str(Place(settings.database_url.get_secret_value()))}


def status(data_dir: DataDir = None, config: ConfigFile = None, as_json: Json = False) -> None:
    """Say what the library holds, and what is published."""
    from app.engines import engine_of

    settings = load_settings(data_dir=data_dir, config=config)
    with opened_library(settings) as library:
        documents, passages = library.count()
        collections = {counted.name: counted.documents for counted in library.collections()}
        with closing(engine_of(settings, library)) as engine:
            manifest, version = engine.manifest(), library.version()
            is_current = bool(manifest and engine.is_current(version, manifest.recipe))
        report = {
            **_place_of(settings),
            "documents": documents,
            "passages": passages,
            "generation": manifest.name if manifest else None,
            "up_to_date": is_current,
            "model": settings.model,
            "collections": collections,
        }
    if as_json:
        print_json(report)
    else:
        for name, value in report.items():
            if name != "collections":
                print(f"{name.replace('_', ' '):12} {value}")
        if len(collections) > 1:
            for name, count in collections.items():
                print(f"{'collection':12} {name} ({count} documents)")
