"""GET /v1/documents: what is in the library, one document with its text, and its file."""

from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Query
from fastapi.responses import FileResponse

from app.dependencies import KildesvarDep
from app.problems import PROBLEM_RESPONSES
from app.schemas import BlockOut, DocumentList, DocumentOut, DocumentSummary
from index.files import starts_as_pdf
from index.library import StoredDocument

router = APIRouter(prefix="/v1/documents", tags=["documents"], responses=PROBLEM_RESPONSES)


@router.get("")
def list_documents(
    kildesvar: KildesvarDep,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
    offset: Annotated[int, Query(ge=0, le=2**31)] = 0,
) -> DocumentList:
    """Documents in order of title."""
    documents = kildesvar.library.documents(limit, offset)
    total, _ = kildesvar.library.count()
    return DocumentList(
        documents=[DocumentSummary(**_summary(document)) for document in documents], total=total
    )


@router.get("/{document_id}")
def get_document(document_id: str, kildesvar: KildesvarDep) -> DocumentOut:
    """One document: its text, and the blocks that it consists of as spans of the text."""
    document = kildesvar.library.document(document_id)
    blocks = [BlockOut(**asdict(block)) for block in document.blocks]
    return DocumentOut(**_summary(document), text=document.text, blocks=blocks)


@router.get(
    "/{document_id}/original",
    response_class=FileResponse,
    responses={200: {"description": "The file", "content": {"application/octet-stream": {}}}},
)
def get_original(document_id: str, kildesvar: KildesvarDep) -> FileResponse:
    """The file that the document was read from, as long as it is as it was then.

    A PDF opens in the browser (`#page=3` at its third page); every other kind is saved.
    """
    path = kildesvar.library.original(document_id)
    # A web page or a script from the documents must not run as part of this service.
    is_pdf = starts_as_pdf(path)
    return FileResponse(
        path,
        media_type="application/pdf" if is_pdf else "application/octet-stream",
        filename=path.name,
        content_disposition_type="inline" if is_pdf else "attachment",
    )


def _summary(document: StoredDocument) -> dict[str, Any]:
    return {name: getattr(document, name) for name in DocumentSummary.model_fields}
