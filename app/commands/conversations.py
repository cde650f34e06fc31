"""`kildesvar conversations`: what is kept of conversations is listed, exported, deleted."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from app.commands.common import (
    ConfigFile,
    DataDir,
    Json,
    JsonLines,
    opened_library,
    plain,
    print_json,
    print_line,
)
from app.settings import load_settings

if TYPE_CHECKING:
    from app.kept.conversation_records import ConversationRecords

conversations = typer.Typer(
    help="List, export and delete the conversations that are kept.", no_args_is_help=True
)

ConversationId = Annotated[str, typer.Argument(help="Id of a conversation, as the list has it.")]
Owner = Annotated[
    str | None,
    typer.Option(help="Whose it is, as the list has it, where several have one of that id."),
]


@conversations.command("list")
def list_conversations(
    data_dir: DataDir = None,
    config: ConfigFile = None,
    as_json: JsonLines = False,
) -> None:
    """List everybody's conversations, from the one that was last gone on with."""
    from app.kept.conversation_records import ConversationRecords

    with opened_library(load_settings(data_dir=data_dir, config=config)) as library:
        summaries = ConversationRecords(library).summaries()
    for summary in summaries:
        if as_json:
            print_line(asdict(summary))
        else:
            moment = summary.updated_at[:16].replace("T", " ")
            owner = plain(summary.owner) or "–"
            print(f"{moment}  {summary.turns:3}  {owner}  {summary.id}  {plain(summary.title)}")


@conversations.command()
def export(
    conversation_id: ConversationId,
    owner: Owner = None,
    data_dir: DataDir = None,
    config: ConfigFile = None,
    as_json: Json = False,
) -> None:
    """Print a conversation with its sources, as Markdown, in the documents' words of now."""
    from app.kept.conversation_export import as_markdown
    from app.kept.conversation_records import ConversationRecords
    from app.kept.conversations import as_of_now
    from app.responses import conversation_response

    with opened_library(load_settings(data_dir=data_dir, config=config)) as library:
        records = ConversationRecords(library)
        kept = records.find(conversation_id, owner=_owner(records, conversation_id, owner))
        conversation = as_of_now(kept, library)
    if as_json:
        print_json(conversation_response(conversation).model_dump())
    else:
        print(as_markdown(conversation), end="")


@conversations.command()
def delete(
    conversation_id: ConversationId,
    owner: Owner = None,
    data_dir: DataDir = None,
    config: ConfigFile = None,
    as_json: Json = False,
) -> None:
    """Delete a conversation, and overwrite what was asked in it."""
    from app.kept.conversation_records import ConversationRecords

    with opened_library(load_settings(data_dir=data_dir, config=config)) as library:
        records = ConversationRecords(library)
        records.delete(conversation_id, _owner(records, conversation_id, owner))
    if as_json:
        print_json({"deleted": conversation_id})
    else:
        print(f"Conversation {conversation_id} is deleted")


def _owner(records: "ConversationRecords", conversation_id: str, given: str | None) -> str:
    """Whose conversation is meant: the one who has it, unless it is `given`."""
    if given is not None:
        return given
    owners = records.owners_of(conversation_id)
    if len(owners) > 1:
        named = ", ".join(plain(owner) or "«»" for owner in owners)
        raise typer.BadParameter(
            f"several have a conversation {conversation_id}: {named}; add --owner"
        )
    return owners[0] if owners else ""
