"""`kildesvar conversations`: what is kept of conversations is listed, exported, deleted."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from app.commands.common import (
    ConfigFile,
    DataDir,
    Json,
    plain,
    print_json,
    print_line,
    require_library,
)
from app.settings import load_settings

if TYPE_CHECKING:
    from pathlib import Path

    from index.library import Library

conversations = typer.Typer(
    help="List, export and delete the conversations that are kept.", no_args_is_help=True
)

ConversationId = Annotated[str, typer.Argument(help="Id of a conversation, as the list has it.")]


@conversations.command("list")
def list_conversations(
    data_dir: DataDir = None,
    config: ConfigFile = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object a line, for machines.")
    ] = False,
) -> None:
    """List conversations, from the one that was last gone on with."""
    from app.conversation_records import ConversationRecords

    with _library(data_dir, config) as library:
        summaries = ConversationRecords(library).summaries()
    for summary in summaries:
        if as_json:
            print_line(asdict(summary))
        else:
            moment = summary.updated_at[:16].replace("T", " ")
            print(f"{moment}  {summary.turns:3}  {summary.id}  {plain(summary.title)}")


@conversations.command()
def export(
    conversation_id: ConversationId,
    data_dir: DataDir = None,
    config: ConfigFile = None,
    as_json: Json = False,
) -> None:
    """Print a conversation with its sources, as Markdown, in the documents' words of now."""
    from app.conversation_export import as_markdown
    from app.conversation_records import ConversationRecords
    from app.conversations import as_of_now
    from app.responses import conversation_response

    with _library(data_dir, config) as library:
        conversation = as_of_now(ConversationRecords(library).find(conversation_id), library)
    if as_json:
        print_json(conversation_response(conversation).model_dump())
    else:
        print(as_markdown(conversation), end="")


@conversations.command()
def delete(
    conversation_id: ConversationId,
    data_dir: DataDir = None,
    config: ConfigFile = None,
    as_json: Json = False,
) -> None:
    """Delete a conversation, and overwrite what was asked in it."""
    from app.conversation_records import ConversationRecords

    with _library(data_dir, config) as library:
        ConversationRecords(library).delete(conversation_id)
    if as_json:
        print_json({"deleted": conversation_id})
    else:
        print(f"Conversation {conversation_id} is deleted")


@contextmanager
def _library(data_dir: "Path | None", config: "Path | None") -> Iterator["Library"]:
    from index.library import Library

    settings = load_settings(data_dir=data_dir, config=config)
    require_library(settings)
    library = Library.open(settings.library_path)
    try:
        yield library
    finally:
        library.close()
