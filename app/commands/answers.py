"""`kildesvar ask` and `kildesvar search`."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from app.commands.common import ConfigFile, DataDir, Json, opened, print_json, require_library
from app.settings import Settings, load_settings

if TYPE_CHECKING:
    from app.assembly import Kildesvar
    from app.schemas import AskResponse, SearchResponse
    from index.records import Filters

Collections = Annotated[
    list[str] | None,
    typer.Option("--collection", help="Only documents of this one; may be given several times."),
]


def ask(
    question: Annotated[str, typer.Argument(help="A question in your own words.")],
    data_dir: DataDir = None,
    config: ConfigFile = None,
    limit: Annotated[int, typer.Option(min=1, max=20, help="Passages to show.")] = 5,
    collections: Collections = None,
    as_json: Json = False,
) -> None:
    """Answer a question in the documents' own words, with citations."""
    from app.responses import ask_response

    with _searchable(load_settings(data_dir=data_dir, config=config)) as kildesvar:
        filters = _filters(collections)
        asked, generation = _question(question), kildesvar.generation()
        answer = kildesvar.answerer.answer(generation, asked, limit, filters)
        response = ask_response(answer)
    if as_json:
        print_json(response.model_dump())
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


def search(
    query: Annotated[str, typer.Argument(help="Words or a question.")],
    data_dir: DataDir = None,
    config: ConfigFile = None,
    limit: Annotated[int, typer.Option(min=1, max=100, help="Passages to show.")] = 10,
    collections: Collections = None,
    as_json: Json = False,
) -> None:
    """Find passages by meaning and by words."""
    from app.responses import search_response

    query = _question(query)
    with _searchable(load_settings(data_dir=data_dir, config=config)) as kildesvar:
        generation = kildesvar.generation()
        filters = _filters(collections)
        browsed = kildesvar.retriever.browse(generation, query, limit, filters=filters)
        response = search_response(
            browsed, kildesvar.analyser, generation.name, kildesvar.uploads.folder_of
        )
    if as_json:
        print_json(response.model_dump())
    else:
        _print_hits(response)


def _print_hits(response: "SearchResponse") -> None:
    for number, hit in enumerate(response.hits, 1):
        print(f"{number:2}. {' › '.join([hit.title, *hit.heading_path])}  ({hit.score:.3f})")
        print(f"    {' '.join(hit.text.split())[:240]}")


def _filters(collections: list[str] | None) -> "Filters":
    from index.collection_names import collection_name
    from index.records import Filters

    return Filters(collection=tuple(map(collection_name, collections or ())))


@contextmanager
def _searchable(settings: Settings) -> Iterator["Kildesvar"]:
    require_library(settings)
    with opened(settings) as kildesvar:
        yield kildesvar


def _question(text: str) -> str:
    from app.schemas import MAX_QUESTION

    text = text.strip()
    if not text or len(text) > MAX_QUESTION:
        raise typer.BadParameter(f"a question has between 1 and {MAX_QUESTION} characters")
    return text
