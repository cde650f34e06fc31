"""/v1/documents: what is in the library, each with its text and its file; files come and go."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

from anyio.to_thread import run_sync
from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import FileResponse
from pydantic import BaseModel, Field
from starlette.requests import ClientDisconnect

from app.access.roles import ReadDep, WriteDep
from app.access.upload_collections import collection_for
from app.assembly import Kildesvar
from app.dependencies import CallerDep, KildesvarDep, LibraryDep, PlaceToSendDep, WorkerDep
from app.problems import PROBLEM_RESPONSES, problem_responses
from app.schemas import (
    BlockOut,
    DocumentList,
    DocumentOut,
    DocumentSummary,
    JobAccepted,
    ShortText,
)
from app.uploads import COLLECTION_FIELD, FILE_FIELD, Received, UploadRefusedError
from app.work import writing_in_turn
from index.errors import (
    DocumentFromFolderError,
    FileGoneError,
    GenerationMismatchError,
    IndexConfigurationError,
    IndexUnavailableError,
    LibraryBusyError,
    OriginalGoneError,
)
from index.files import is_there, starts_as_pdf
from index.jobs import Job
from index.library import Library
from index.records import Listing, Sort, StoredDocument

log = logging.getLogger("kildesvar")

router = APIRouter(prefix="/v1/documents", tags=["documents"], responses=PROBLEM_RESPONSES)

_FORM = {
    "type": "object",
    "required": [FILE_FIELD],
    "properties": {
        FILE_FIELD: {"type": "string", "format": "binary", "description": "With its own name"},
        COLLECTION_FIELD: {
            "type": "string",
            "description": "That it is to belong to; needless for who may use one alone",
        },
    },
}
_UPLOAD: dict[str, Any] = {
    "status_code": 202,
    "dependencies": [WriteDep, PlaceToSendDep],
    "openapi_extra": {
        "requestBody": {"required": True, "content": {"multipart/form-data": {"schema": _FORM}}}
    },
    "responses": problem_responses(409, 415, 507),
}


class ListQuery(BaseModel):
    """The query string of a list of documents."""

    limit: Annotated[int, Field(ge=1, le=500)] = 50
    offset: Annotated[int, Field(ge=0, le=2**31)] = 0
    q: Annotated[ShortText, Field(description="Words, or parts of them, of title or source")] = ""
    sort: Annotated[
        Sort, Field(description="`date` is what a document states, or else that of its update")
    ] = Sort.TITLE
    descending: bool = False


@router.get("", dependencies=[ReadDep])
def list_documents(
    query: Annotated[ListQuery, Query()], kildesvar: KildesvarDep, library: LibraryDep
) -> DocumentList:
    """Documents in order of title, or of what `sort` names; `total` counts all that have `q`."""
    listing = Listing(tuple(query.q.split()), query.sort, query.descending)
    documents = library.documents(query.limit, query.offset, listing)
    files = library.files_of_each([document.id for document in documents])
    return DocumentList(
        documents=[
            DocumentSummary(**_summary(document, kildesvar, files[document.id]))
            for document in documents
        ],
        total=library.count_documents(listing),
    )


class Sending:
    """A file on its way in, and who sends it."""

    def __init__(
        self, request: Request, kildesvar: KildesvarDep, worker: WorkerDep, caller: CallerDep
    ) -> None:
        self.kildesvar = kildesvar
        self.caller = caller
        self._request = request
        self._worker = worker

    async def taken(self, queue: Callable[[Received], Job]) -> JobAccepted:
        """Receives the file, and has `queue` make a job of it; nothing is left when it does not."""
        content_type = self._request.headers.get("content-type", "")
        uploads = self.kildesvar.uploads
        try:
            received = await uploads.receive(content_type, self._request.stream())
        except ClientDisconnect as error:
            raise UploadRefusedError("the upload was broken off; nothing of it was kept") from error
        try:
            job = await run_sync(queue, received)
        except BaseException:
            uploads.remove(str(received.path))
            raise
        self._worker.wake()
        return JobAccepted(job_id=job.id)


SendingDep = Annotated[Sending, Depends()]


@router.post("", **_UPLOAD)
async def add_document(sending: SendingDep) -> JobAccepted:
    """Takes a file to be read: any kind in docs/formats.md, as a form (`curl -F file=@...`).

    When this answers, the file is on the disk: it is read even after a crash.
    """

    def add(received: Received) -> Job:
        collection = collection_for(sending.caller, received.collection)
        owner = sending.caller.id
        return sending.kildesvar.jobs.add(received.path, owner=owner, collection=collection)

    return await sending.taken(add)


@router.put("/{document_id}", **_UPLOAD)
async def replace_document(
    document_id: str, sending: SendingDep, library: LibraryDep
) -> JobAccepted:
    """Takes another version of an uploaded document, which keeps its id and its collection.

    The old version answers until the new one was read, and goes on when that cannot be read.
    """
    kildesvar = sending.kildesvar
    collection = await run_sync(_collection_of_uploaded, kildesvar, library, document_id)

    def replace(received: Received) -> Job:
        if received.collection not in {None, collection}:
            raise UploadRefusedError(
                f"the document is in the collection {collection!r}, and its new version goes there "
                "too; leave `collection` out"
            )
        return kildesvar.jobs.add(received.path, document_id, sending.caller.id, collection)

    return await sending.taken(replace)


@router.post(
    "/{document_id}/reindex",
    status_code=202,
    dependencies=[WriteDep],
    responses=problem_responses(409),
)
def reindex_document(
    document_id: str,
    kildesvar: KildesvarDep,
    library: LibraryDep,
    worker: WorkerDep,
    caller: CallerDep,
) -> JobAccepted:
    """Reads a document's file again, though it has not changed; a folder's or an uploaded one.

    What was read before answers until then, and goes on when the file can no longer be read.
    """
    files, collection = library.files_of(document_id), library.collection_of(document_id)
    # A link in its place may lead to what only the service may read.
    there = (path for path in map(Path, files) if is_there(path) and path.resolve() == path)
    path = next(there, None)
    if path is None:
        raise FileGoneError(
            f"{files[0]} is not there any more, or is a link now, so it cannot be read again; put "
            "the file back, or delete the document"
        )
    job = kildesvar.jobs.read_again(path, document_id, caller.id, collection)
    worker.wake()
    return JobAccepted(job_id=job.id)


def _collection_of_uploaded(kildesvar: Kildesvar, library: Library, document_id: str) -> str:
    """The collection of a document, if all its files were sent."""
    for path in library.files_of(document_id):
        if not kildesvar.uploads.holds(path):
            raise DocumentFromFolderError(
                f"the document was read from {path}; change the file there, then run "
                "`kildesvar ingest` on its folder"
            )
    return library.collection_of(document_id)


@router.delete(
    "/{document_id}", status_code=204, dependencies=[WriteDep], responses=problem_responses(409)
)
def delete_document(document_id: str, kildesvar: KildesvarDep, library: LibraryDep) -> None:
    """Removes a document: when this answers, nothing of it is found or cited any more.

    An uploaded file is deleted. A file in a folder stays there, and is passed by as long as it is
    as it is now.
    """
    uploads = kildesvar.uploads
    if any(map(uploads.holds, library.files_of(document_id))):
        uploads.require_shared()  # else its file would stay, where others keep it
    with writing_in_turn(kildesvar):
        paths = library.remove_document(document_id, "deleted over HTTP")
        uploaded = [path for path in paths if uploads.holds(path)]
        try:
            for path in uploaded:
                uploads.remove(path)
            library.remove_sources(uploaded)  # they are not left out, but gone
        finally:
            _publish(kildesvar)


def _publish(kildesvar: Kildesvar) -> None:
    """Has what was deleted leave the index, if that can be now.

    Else another will do so: one of another model is not ours to publish, and a cluster may be away.
    What is gone from the library is found and cited no more in any case.
    """
    try:
        kildesvar.ingester().publish()
        kildesvar.take_up_newest()  # so that the old one can go
        kildesvar.ingester().let_go_in_time()
    except GenerationMismatchError as error:
        log.debug("%s", error)
    except (IndexConfigurationError, IndexUnavailableError, LibraryBusyError) as error:
        log.warning("what was deleted is not out of the index yet: %s", error)


@router.get("/{document_id}", dependencies=[ReadDep])
def get_document(document_id: str, kildesvar: KildesvarDep, library: LibraryDep) -> DocumentOut:
    """One document: its text, and the blocks that it consists of as spans of the text."""
    document = library.document(document_id)
    blocks = [BlockOut(**asdict(block)) for block in document.blocks]
    files = library.files_of(document_id)
    return DocumentOut(**_summary(document, kildesvar, files), text=document.text, blocks=blocks)


@router.get(
    "/{document_id}/original",
    dependencies=[ReadDep],
    response_class=FileResponse,
    responses={200: {"description": "The file", "content": {"application/octet-stream": {}}}},
)
def get_original(document_id: str, kildesvar: KildesvarDep, library: LibraryDep) -> FileResponse:
    """The file that the document was read from, as long as it is as it was then.

    A PDF opens in the browser (`#page=3` at its third page); every other kind is saved.
    """
    try:
        path = library.original(document_id)
    except OriginalGoneError as error:
        kildesvar.uploads.require_shared()  # else it may be there where others look
        files = library.files_of(document_id)
        if library.is_shared and not any(is_there(Path(file)) for file in files):
            raise OriginalGoneError(
                f"{files[0]} is not to be seen where this service runs; open it where its folder "
                "is, or ask a service there. Has it gone from there as well, run `kildesvar "
                "ingest` on the folder there"
            ) from error
        raise
    # A web page or a script from the documents must not run as part of this service.
    is_pdf = starts_as_pdf(path)
    return FileResponse(
        path,
        media_type="application/pdf" if is_pdf else "application/octet-stream",
        filename=path.name,
        content_disposition_type="inline" if is_pdf else "attachment",
    )


def _summary(
    document: StoredDocument, kildesvar: Kildesvar, files: Sequence[str]
) -> dict[str, Any]:
    """The fields of a summary; `files` are the paths that the document was read from."""
    stored = DocumentSummary.model_fields.keys() - {"uploaded"}
    return {
        **{name: getattr(document, name) for name in stored},
        "uploaded": all(kildesvar.uploads.holds(path) for path in files),
    }
