"""GET /v1/left-out: files that are not read, and why."""

from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Query

from app.access.roles import WriteDep
from app.dependencies import LibraryDep
from app.problems import PROBLEM_RESPONSES
from app.schemas import LeftOutFile, LeftOutList
from index.records import DELETED, LeftOut

router = APIRouter(prefix="/v1/left-out", tags=["library"], responses=PROBLEM_RESPONSES)


@router.get("", dependencies=[WriteDep])
def list_left_out(
    library: LibraryDep,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
    offset: Annotated[int, Query(ge=0, le=2**31)] = 0,
) -> LeftOutList:
    """Files that could not be read, or whose document a person deleted, in order of their path.

    Each is passed by until it changes, or `kildesvar ingest --retry` is run on its folder.
    """
    files = [_out(file) for _, file in sorted(library.left_out().items())]
    return LeftOutList(files=files[offset : offset + limit], total=len(files))


def _out(file: LeftOut) -> LeftOutFile:
    return LeftOutFile(
        file=Path(file.source.path).name,
        path=file.source.path,
        reason=file.reason,
        deleted=file.source.readers == DELETED,
    )
