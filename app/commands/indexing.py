"""`kildesvar index`: what is searched, and whether it is what the library holds."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict
from itertools import islice
from typing import TYPE_CHECKING, Annotated

import typer

from app.commands.common import ConfigFile, DataDir, Json, opened_library, print_json
from app.settings import Settings, load_settings
from index.errors import IndexConfigurationError
from index.lock import WAITS_TO_BE_ALONE

if TYPE_CHECKING:
    from index.library import Library
    from index.opensearch.engine import OpenSearchEngine

_LISTED = 1000
"""Documents that are listed as JSON; the others are counted."""

index_commands = typer.Typer(
    help="Look after an index in an OpenSearch cluster.", no_args_is_help=True
)


@index_commands.command()
def status(data_dir: DataDir = None, config: ConfigFile = None, as_json: Json = False) -> None:
    """Say which indices there are, and what of the library waits to come into them."""
    settings = load_settings(data_dir=data_dir, config=config)
    with _opened_engine(settings) as (_, engine):
        found = engine.status()
    if as_json:
        print_json(asdict(found))
        return
    print(f"{'cluster':12} {found.status}, {found.nodes} nodes, OpenSearch {found.version}")
    print(f"{'generation':12} {found.generation}")
    of = f" (document {found.oldest})" if found.oldest else ""
    print(f"{'waiting':12} {found.waiting} changes, the oldest for {found.seconds:.0f} s{of}")
    for index in found.indices:
        print(f"{index.state:12} {index.name} ({index.passages} passages)")


@index_commands.command()
def check(
    data_dir: DataDir = None,
    config: ConfigFile = None,
    as_json: Json = False,
    mend: Annotated[
        bool, typer.Option("--mend", help="Make the index what the library holds.")
    ] = False,
) -> None:
    """Compare the index with the library, document by document; exit status 1 when they differ."""
    settings = load_settings(data_dir=data_dir, config=config)
    with _opened_engine(settings) as (library, engine), library.writing(exclusive=False):
        differing = engine.check(mends=mend)
        listed = list(islice(differing, _LISTED)) if as_json else []
        wrong = len(listed)
        for damage in differing:
            wrong += 1
            if not as_json:
                print(damage)
        documents, passages = library.count()
    if as_json:
        print_json(
            {
                "documents": documents,
                "passages": passages,
                "differing": wrong,
                "differences": [asdict(damage) for damage in listed],
                "mended": mend,
            }
        )
    else:
        said = f"{wrong} documents differ" if wrong else "nothing is wrong"
        done = ", and were mended" if wrong and mend else ""
        print(f"{documents} documents, {passages} passages: {said}{done}")
    raise typer.Exit(1 if wrong and not mend else 0)


@index_commands.command()
def leave(data_dir: DataDir = None, config: ConfigFile = None) -> None:
    """Have the library followed by no index in a cluster any more; what is there is not deleted."""
    from index.outbox import Outbox

    settings = load_settings(data_dir=data_dir, config=config)
    if settings.opensearch_url:
        raise IndexConfigurationError(
            "KILDESVAR_OPENSEARCH_URL is set, so that the index would be followed again; unset it "
            "on every host first"
        )
    with (
        opened_library(settings) as library,
        library.writing(exclusive=True, waits=WAITS_TO_BE_ALONE),
    ):
        outbox = Outbox(library)
        follower = outbox.follower()
        outbox.end()
    print(f"left the index {follower}" if follower else "no index in a cluster follows the library")


@contextmanager
def _opened_engine(settings: Settings) -> Iterator[tuple["Library", "OpenSearchEngine"]]:
    """The library and the engine of its cluster, without a model."""
    from app.engines import cluster_engine_of

    if not settings.opensearch_url:
        raise IndexConfigurationError(
            "KILDESVAR_OPENSEARCH_URL is not set, so passages are searched in files of the data "
            "folder; `kildesvar check` looks through those"
        )
    with (
        opened_library(settings) as library,
        closing(cluster_engine_of(settings, library)) as engine,
    ):
        yield library, engine
