"""The pages: plain HTML, style sheets and ES modules, served as they are."""

from pathlib import Path

from fastapi import APIRouter, FastAPI
from fastapi.responses import FileResponse
from fastapi.staticfiles import StaticFiles

_PAGES = Path(__file__).resolve().parents[1] / "pages"

router = APIRouter(include_in_schema=False)


@router.get("/")
def ask_page() -> FileResponse:
    return FileResponse(_PAGES / "ask.html")


@router.get("/documents/{document_id}")
def document_page(document_id: str) -> FileResponse:
    """The same page for every document; its script fetches the one that the address names."""
    return FileResponse(_PAGES / "document.html")


def mount_static_files(app: FastAPI) -> None:
    app.mount("/static", StaticFiles(directory=_PAGES / "static"), name="static")
