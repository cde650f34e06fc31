"""/v1/conversations: what is kept of conversations, read in the documents' words of the day."""

from dataclasses import asdict
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from fastapi.responses import Response

from app.access.roles import ReadDep
from app.dependencies import CallerDep, ConversationsDep, PlaceToWriteDep
from app.kept.conversation_export import as_markdown
from app.problems import PROBLEM_RESPONSES
from app.responses import conversation_response
from app.schemas import ConversationList, ConversationOut, ConversationSummaryOut, RenameRequest

router = APIRouter(prefix="/v1/conversations", tags=["conversations"], responses=PROBLEM_RESPONSES)

_FILES: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The conversation as a file",
        "content": {
            "text/markdown": {},
            "application/json": {"schema": {"$ref": "#/components/schemas/ConversationOut"}},
        },
    }
}


@router.get("", dependencies=[ReadDep])
def list_conversations(
    conversations: ConversationsDep,
    caller: CallerDep,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
    offset: Annotated[int, Query(ge=0, le=2**31)] = 0,
) -> ConversationList:
    """The caller's conversations, from the one that was last gone on with; `total` counts them."""
    newest = conversations.records.summaries(limit, offset, caller.id)
    return ConversationList(
        conversations=[ConversationSummaryOut(**asdict(summary)) for summary in newest],
        total=conversations.records.count(caller.id),
    )


@router.get("/{conversation_id}", dependencies=[ReadDep])
def get_conversation(
    conversation_id: str, conversations: ConversationsDep, caller: CallerDep
) -> ConversationOut:
    """A conversation with its turns, oldest first, in the words that the documents have now.

    A citation whose document has been deleted or changed is left out, and counted as `gone`.
    """
    return conversation_response(conversations.read(conversation_id, caller.id, caller.collections))


@router.patch("/{conversation_id}", dependencies=[ReadDep, PlaceToWriteDep])
def rename_conversation(
    conversation_id: str,
    request: RenameRequest,
    conversations: ConversationsDep,
    caller: CallerDep,
) -> ConversationSummaryOut:
    """Gives a conversation another title; the first is its first question, shortened."""
    renamed = conversations.records.rename(conversation_id, request.title, caller.id)
    return ConversationSummaryOut(**asdict(renamed))


@router.delete(
    "/{conversation_id}",
    status_code=204,
    dependencies=[ReadDep, PlaceToWriteDep],
)
def delete_conversation(
    conversation_id: str, conversations: ConversationsDep, caller: CallerDep
) -> None:
    """Deletes a conversation: its questions are overwritten, and it is not gone on with."""
    conversations.records.delete(conversation_id, caller.id)


@router.get(
    "/{conversation_id}/export", dependencies=[ReadDep], response_class=Response, responses=_FILES
)
def export_conversation(
    conversation_id: str,
    conversations: ConversationsDep,
    caller: CallerDep,
    format: Annotated[Literal["markdown", "json"], Query()] = "markdown",
) -> Response:
    """A conversation with its sources, to be saved: for people, or as the route above gives it."""
    conversation = conversations.read(conversation_id, caller.id, caller.collections)
    if format == "json":
        content = conversation_response(conversation).model_dump_json(indent=2) + "\n"
        media_type, extension = "application/json", "json"
    else:
        content, media_type, extension = as_markdown(conversation), "text/markdown", "md"
    name = f"kildesvar-{conversation.summary.id}.{extension}"
    disposition = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(content, media_type=media_type, headers=disposition)
