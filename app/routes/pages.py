"""The pages: plain HTML, style sheets and ES modules, served as they are."""

from pathlib import Path
from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.middleware.gzip import GZipMiddleware
from fastapi.responses import FileResponse, Response
from fastapi.routing import APIRoute
from fastapi.staticfiles import StaticFiles
from starlette.types import Receive, Scope, Send

from app.access.roles import OpenDep

_PAGES = Path(__file__).resolve().parents[1] / "pages"

_REVALIDATE = {"Cache-Control": "no-cache"}  # names carry no version, so ask; a 304 is quick

_FOR_ANY_SITE = {
    "Access-Control-Allow-Origin": "*",
    "Cross-Origin-Resource-Policy": "cross-origin",
}


class CompressedRoute(APIRoute):
    """A page, compressed for who takes it so.

    Around the pages only: to compress a large document would hold up every other answer.
    """

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        await GZipMiddleware(super().handle)(scope, receive, send)


router = APIRouter(include_in_schema=False, route_class=CompressedRoute, dependencies=[OpenDep])


class RevalidatedFiles(StaticFiles):
    """Static files that a browser keeps, but asks about before each use."""

    def file_response(self, *args: Any, **kwargs: Any) -> Response:
        response = super().file_response(*args, **kwargs)
        response.headers.update(_REVALIDATE)
        return response


@router.get("/")
def ask_page() -> FileResponse:
    return FileResponse(_PAGES / "ask.html", headers=_REVALIDATE)


@router.get("/search")
def search_page() -> FileResponse:
    return FileResponse(_PAGES / "search.html", headers=_REVALIDATE)


@router.get("/library")
def library_page() -> FileResponse:
    return FileResponse(_PAGES / "library.html", headers=_REVALIDATE)


@router.get("/sign-in")
def sign_in_page() -> FileResponse:
    return FileResponse(_PAGES / "sign_in.html", headers=_REVALIDATE)


@router.get("/documents/{document_id}")
def document_page(document_id: str) -> FileResponse:
    """The same page for every document; its script fetches the one that the address names."""
    return FileResponse(_PAGES / "document.html", headers=_REVALIDATE)


class EmbeddedFiles(RevalidatedFiles):
    """Files that pages of any site may load: they hold nothing of the documents."""

    def file_response(self, *args: Any, **kwargs: Any) -> Response:
        response = super().file_response(*args, **kwargs)
        response.headers.update(_FOR_ANY_SITE)
        return response


def mount_static_files(app: FastAPI) -> None:
    files = RevalidatedFiles(directory=_PAGES / "static")
    app.mount("/static", GZipMiddleware(files), name="static")
    boxes = EmbeddedFiles(directory=_PAGES / "embed")
    app.mount("/embed", GZipMiddleware(boxes), name="embed")
