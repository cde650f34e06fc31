"""GET /v1/collections: which collections of documents there are for the caller."""

from dataclasses import asdict

from fastapi import APIRouter

from app.access.roles import ReadDep
from app.dependencies import LibraryDep
from app.problems import PROBLEM_RESPONSES
from app.schemas import CollectionList, CollectionOut

router = APIRouter(prefix="/v1/collections", tags=["library"], responses=PROBLEM_RESPONSES)


@router.get("", dependencies=[ReadDep])
def list_collections(library: LibraryDep) -> CollectionList:
    """The collections that the caller may read, by name, with how many documents each has."""
    collections = [CollectionOut(**asdict(counted)) for counted in library.collections()]
    return CollectionList(collections=collections)
