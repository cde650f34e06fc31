"""/v1/documents: what is in the library, each with its text and its file; files come and go."""

from dataclasses import asdict
from typing import Annotated, Any

from anyio.to_thread import run_sync
from fastapi import APIRouter, Query, Request
from fastapi.responses import FileResponse
from starlette.requests import ClientDisconnect

from app.assembly import Kildesvar
from app.dependencies import KildesvarDep, WorkerDep
from app.problems import PROBLEM_RESPONSES, problem_responses
from app.schemas import BlockOut, DocumentList, DocumentOut, DocumentSummary, JobAccepted
from app.uploads import FILE_FIELD, UploadRefusedError
from app.work import Worker, writing_in_turn
from index.errors import DocumentFromFolderError
from index.files import starts_as_pdf
from index.records import StoredDocument

router = APIRouter(prefix="/v1/documents", tags=["documents"], responses=PROBLEM_RESPONSES)

_FORM = {
    "type": "object",
    "required": [FILE_FIELD],
    "properties": {
        FILE_FIELD: {"type": "string", "format": "binary", "description": "With its own name"},
        "collection": {"type": "string", "description": "Accepted and ignored as yet"},
    },
}
_UPLOAD: dict[str, Any] = {
    "status_code": 202,
    "openapi_extra": {
        "requestBody": {"required": True, "content": {"multipart/form-data": {"schema": _FORM}}}
    },
    "responses": problem_responses(403, 409, 415, 507),
}


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


@router.post("", **_UPLOAD)
async def add_document(request: Request, kildesvar: KildesvarDep, worker: WorkerDep) -> JobAccepted:
    """Takes a file to be read: any kind in docs/formats.md, as a form (`curl -F file=@...`).

    When this answers, the file is on the disk: it is read even after a crash.
    """
    return await _taken(request, kildesvar, worker)


@router.put("/{document_id}", **_UPLOAD)
async def replace_document(
    document_id: str, request: Request, kildesvar: KildesvarDep, worker: WorkerDep
) -> JobAccepted:
    """Takes another version of an uploaded document, which keeps its id.

    The old version answers until the new one was read, and goes on when that cannot be read.
    """
    await run_sync(_require_uploaded, kildesvar, document_id)
    return await _taken(request, kildesvar, worker, document_id)


async def _taken(
    request: Request, kildesvar: Kildesvar, worker: Worker, replaces: str | None = None
) -> JobAccepted:
    content_type = request.headers.get("content-type", "")
    try:
        path = await kildesvar.uploads.receive(content_type, request.stream())
    except ClientDisconnect as error:
        raise UploadRefusedError("the upload was broken off; nothing of it was kept") from error
    try:
        job = await run_sync(kildesvar.jobs.add, path, replaces)
    except BaseException:
        kildesvar.uploads.remove(str(path))
        raise
    worker.wake()
    return JobAccepted(job_id=job.id)


def _require_uploaded(kildesvar: Kildesvar, document_id: str) -> None:
    for path in kildesvar.library.files_of(document_id):
        if not kildesvar.uploads.holds(path):
            raise DocumentFromFolderError(
                f"the document was read from {path}; change the file there, then run "
                "`kildesvar ingest` on its folder"
            )


@router.delete("/{document_id}", status_code=204, responses=problem_responses(403, 409))
def delete_document(document_id: str, kildesvar: KildesvarDep) -> None:
    """Removes a document: when this answers, nothing of it is found or cited any more.

    An uploaded file is deleted. A file in a folder stays there, and is passed by as long as it is
    as it is now.
    """
    kildesvar.library.files_of(document_id)  # unknown, it needs no wait
    with writing_in_turn(kildesvar.settings.data_dir):
        paths = kildesvar.library.remove_document(document_id, "deleted over HTTP")
        uploaded = [path for path in paths if kildesvar.uploads.holds(path)]
        for path in uploaded:
            kildesvar.uploads.remove(path)
        kildesvar.library.remove_sources(uploaded)  # they are not left out, but gone
        ingester = kildesvar.ingester()
        ingester.publish()
        kildesvar.generation()  # from now on the new one, so that the old one can go
        ingester.let_go()


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
