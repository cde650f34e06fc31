"""What takes in what strangers send, one function a kind: each is given any bytes.

A target passes over the refusals that it is to make. Every other error, and whatever does not hold
of what it made, is a finding. `scripts.fuzz_parsers` feeds them; a test feeds each a little.
"""

import asyncio
import atexit
import io
import json
import tempfile
import zipfile
from collections.abc import AsyncIterator, Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

from fastapi.sse import format_sse_event
from markdown_it import MarkdownIt
from pydantic import ValidationError

from app.access.errors import KeyRejectedError
from app.access.keys import parsed
from app.cross_origin import origin_from
from app.file_names import FileNameError, UnsupportedFormatError, safe_file_name
from app.openai_api.chat import answer_of, asked_in
from app.openai_api.errors import ChatRequestError
from app.openai_api.markdown_text import markdown, text_of
from app.openai_api.schemas import MODEL, ChatRequest
from app.problems import problem
from app.schemas import MAX_MESSAGES, MAX_QUESTION, AskRequest, TextOut
from app.uploads import UploadRefusedError, Uploads, UploadTooLargeError
from index.documents import Piece, assemble
from index.errors import UnreadableDocumentError
from index.readers import EXTENSIONS
from index.readers.delimited import read_delimited
from index.readers.encoding import decode, decode_html
from index.readers.excel import read_xlsx
from index.readers.html import read_html
from index.readers.mail import read_mail
from index.readers.markdown import read_markdown
from index.readers.opendocument import read_opendocument
from index.readers.pdf import read_pdf
from index.readers.plain import read_plain
from index.readers.powerpoint import read_pptx
from index.readers.properties import core_properties, opendocument_properties
from index.readers.rtf import read_rtf
from index.readers.word import read_docx

Target = Callable[[bytes], None]

_BOUNDARY = "grense"
_MOST_BYTES = 10_000


@cache
def _uploads() -> Uploads:
    folder = tempfile.TemporaryDirectory(prefix="fuzzed-")
    atexit.register(folder.cleanup)
    return Uploads(Path(folder.name), _MOST_BYTES)


@cache
def _thread() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(1)


@cache
def _loop() -> asyncio.Runner:
    return asyncio.Runner()


def _received(form_type: str, pieces: Iterable[bytes]) -> Path:
    async def coming() -> AsyncIterator[bytes]:
        for piece in pieces:
            yield piece

    # In a thread of its own: where tests steer a browser, a loop runs in this one.
    receiving = _uploads().receive(form_type, coming())
    return _thread().submit(_loop().run, receiving).result().path


def form(raw: bytes) -> None:
    """A form on its way in, in pieces; the first byte says how large they are."""
    size = raw[0] + 1 if raw else 1
    pieces = [raw[at : at + size] for at in range(1, len(raw), size)]
    uploads = _uploads()
    with suppress(UploadRefusedError, UploadTooLargeError, FileNameError, UnsupportedFormatError):
        received = _received(f"multipart/form-data; boundary={_BOUNDARY}", pieces)
        assert received.parent.parent == uploads.folder, received
        assert received.stat().st_size <= _MOST_BYTES
        uploads.remove(str(received))
    left = [path for path in uploads.folder.rglob("*") if path.is_file()]
    assert not left, left


def content_type(raw: bytes) -> None:
    with suppress(UploadRefusedError):
        _received(raw.decode("latin-1"), [])


def file_name(raw: bytes) -> None:
    with suppress(FileNameError, UnsupportedFormatError):
        name = safe_file_name(_text(raw))
        assert name == Path(name).name
        assert not name.startswith("..")
        assert "\\" not in name
        assert 0 < len(name.encode()) <= 255
        assert Path(name).suffix.lower() in EXTENSIONS
        assert safe_file_name(name) == name


def origin(raw: bytes) -> None:
    with suppress(ValueError):
        found = origin_from(_text(raw))
        assert origin_from(found) == found
        assert found.isascii()


_RENDERER = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])


def key(raw: bytes) -> None:
    with suppress(KeyRejectedError):
        key_id, secret = parsed(_text(raw))
        assert f"kv_{key_id}_{secret}" == _text(raw)


def escaped_markdown(raw: bytes) -> None:
    text = _text(raw)
    made = markdown(text)
    assert "".join(text_of(made).split()) == "".join(text.split())
    rendered = _RENDERER.render(made)
    for harm in ("<a ", "<img", "<script", "<h", "<table", "<em", "<strong", "<pre"):
        assert harm not in rendered, rendered


_ROLES = ("user", "assistant", "system", "tool", "")


def chat(raw: bytes) -> None:
    """Messages with a NUL between them, whose first letter says whose each is."""
    parts = [part for part in _text(raw).split("\0") if part]
    said = [{"role": _ROLES[ord(part[0]) % len(_ROLES)], "content": part[1:]} for part in parts]
    with suppress(ValidationError, ChatRequestError):
        asked = asked_in(ChatRequest.model_validate({"model": MODEL, "messages": said}).messages)
        assert asked.question.strip()
        assert len(asked.question) <= MAX_QUESTION
        assert len(asked.history) <= MAX_MESSAGES
    answer_of(_text(raw))


def request_body(raw: bytes) -> None:
    with suppress(ValidationError):
        assert AskRequest.model_validate_json(raw).question.strip()
    with suppress(ValidationError, ChatRequestError):
        asked_in(ChatRequest.model_validate_json(raw).messages)


def server_sent_event(raw: bytes) -> None:
    text = _text(raw)
    event = format_sse_event(event="token", data_str=TextOut(text=text).model_dump_json())
    name, data, *rest = event.decode().split("\n")
    assert name == "event: token"
    assert json.loads(data.removeprefix("data: ")) == {"text": text}
    assert rest == ["", ""]


def problem_body(raw: bytes) -> None:
    detail, _, instance = _text(raw).partition("|")
    response = problem(422, detail, f"/{instance}")
    body = json.loads(bytes(response.body))
    assert body.get("detail", detail) == detail
    assert response.headers["content-type"] in {"application/problem+json", "application/json"}


def html(raw: bytes) -> None:
    with suppress(UnreadableDocumentError):
        _whole(read_html(decode_html(raw)).pieces)


def plain(raw: bytes) -> None:
    with suppress(UnreadableDocumentError):
        _whole(read_plain(decode(raw)))


def delimited(raw: bytes) -> None:
    with suppress(UnreadableDocumentError):
        _whole(read_delimited(decode(raw)))


def markdown_file(raw: bytes) -> None:
    with suppress(UnreadableDocumentError):
        _whole(read_markdown(decode(raw))[1])


def mail(raw: bytes) -> None:
    with suppress(UnreadableDocumentError):
        _whole(read_mail(raw).pieces)


def rtf(raw: bytes) -> None:
    with suppress(UnreadableDocumentError):
        _whole(read_rtf(b"{\\rtf1 " + raw).pieces)


def pdf(raw: bytes) -> None:
    with suppress(UnreadableDocumentError):
        _whole(read_pdf(raw).pieces)


_WORD = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
_SHEET = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_SLIDE = "http://schemas.openxmlformats.org/presentationml/2006/main"
_DRAWING = "http://schemas.openxmlformats.org/drawingml/2006/main"
_NO_RELATIONS = (
    b'<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"/>'
)
_OASIS = "urn:oasis:names:tc:opendocument:xmlns"


def word(raw: bytes) -> None:
    names = "p r t tbl tr tc pPr pStyle numPr ilvl numId footnoteReference hyperlink br tab del ins"
    xml = _xml(raw, f'w:document xmlns:w="{_WORD}"', "w:body", [f"w:{n}" for n in names.split()])
    # Without python-docx's styles, which take far longer to read than the text.
    _office(read_docx, _zipped({"word/document.xml": xml, "_rels/.rels": _NO_RELATIONS}))


def workbook(raw: bytes) -> None:
    names = "row c v f is t mergeCell cols col"
    xml = _xml(raw, f'worksheet xmlns="{_SHEET}"', "sheetData", names.split())
    _office(read_xlsx, _archive("xlsx", {"xl/worksheets/sheet1.xml": xml}))


def slide(raw: bytes) -> None:
    names = "p:sp p:nvSpPr p:cNvPr p:nvPr p:ph p:txBody p:spPr p:grpSp p:graphicFrame p:pic"
    names += " a:p a:r a:t a:bodyPr a:tbl a:tr a:tc a:graphic a:graphicData a:off a:xfrm"
    root = f'p:sld xmlns:p="{_SLIDE}" xmlns:a="{_DRAWING}"'
    xml = _xml(raw, root, "p:cSld><p:spTree", names.split())
    _office(lambda made: read_pptx(made)[0], _archive("pptx", {"ppt/slides/slide1.xml": xml}))


def opendocument(raw: bytes) -> None:
    names = "text:p text:h text:list text:list-item text:note text:note-body text:s text:tab"
    names += " text:span table:table table:table-row table:table-cell draw:frame draw:page"
    names += " draw:text-box office:annotation office:text office:spreadsheet office:presentation"
    spaces = {"office": "office", "text": "text", "table": "table", "draw": "drawing"}
    root = "office:document-content " + " ".join(
        f'xmlns:{prefix}="{_OASIS}:{name}:1.0"' for prefix, name in spaces.items()
    )
    xml = _xml(raw, root, "office:body", names.split())
    parts = {"mimetype": b"application/vnd.oasis.opendocument.text", "content.xml": xml}
    _office(lambda made: read_opendocument(made)[0], _zipped(parts))


def properties(raw: bytes) -> None:
    core_properties(_zipped({"docProps/core.xml": raw}), [])
    opendocument_properties(_zipped({"meta.xml": raw}), [])


TARGETS: dict[str, Target] = {
    target.__name__: target
    for target in (
        form,
        content_type,
        file_name,
        origin,
        key,
        escaped_markdown,
        chat,
        request_body,
        server_sent_event,
        problem_body,
        html,
        plain,
        delimited,
        markdown_file,
        mail,
        rtf,
        pdf,
        word,
        workbook,
        slide,
        opendocument,
        properties,
    )
}


def _text(raw: bytes) -> str:
    return raw.decode(errors="replace")


def _whole(pieces: list[Piece]) -> None:
    """What every reader's pieces must come to: a text, and blocks that are spans of it in order."""
    text, blocks = assemble(pieces)
    end = 0
    for block in blocks:
        assert end <= block.start < block.end <= len(text), block
        end = block.end


def _office(read: Callable[[bytes], list[Piece]], raw: bytes) -> None:
    # The process that reads names the two others so too: index/readers/isolation.py.
    with suppress(UnreadableDocumentError, RecursionError, MemoryError):
        _whole(read(raw))


def _xml(raw: bytes, root: str, body: str, names: list[str]) -> bytes:
    """Nested elements of those names, as the bytes say: random ones are seldom well-formed XML.

    Below 128 a byte opens an element, below 192 it closes one, and else it is text.
    """
    made, opened = [f"<{root}><{body}>"], list[str]()
    for byte in raw:
        if byte < 128:
            opened.append(names[byte % len(names)])
            made.append(f"<{opened[-1]}>")
        elif byte >= 192:
            made.append(f" {byte} ")
        elif opened:
            made.append(f"</{opened.pop()}>")
    made += [f"</{name}>" for name in reversed(opened)]
    made += [f"</{part}>" for part in reversed(body.split("><"))]
    return "".join([*made, f"</{root.split(' ', maxsplit=1)[0]}>"]).encode()


def _archive(kind: str, parts: dict[str, bytes]) -> bytes:
    """An Office file of that kind, with some of its parts others."""
    with zipfile.ZipFile(io.BytesIO(_template(kind))) as archive:
        rest = {name: archive.read(name) for name in archive.namelist()}
    return _zipped({**rest, **parts})


@cache
def _template(kind: str) -> bytes:
    made, buffer = _new(kind), io.BytesIO()
    made.save(buffer)
    return buffer.getvalue()


def _new(kind: str) -> Any:
    if kind == "xlsx":
        import openpyxl  # noqa: PLC0415 - for developers alone

        return openpyxl.Workbook()
    import pptx  # noqa: PLC0415

    deck = pptx.Presentation()
    deck.slides.add_slide(deck.slide_layouts[1])
    return deck


def _zipped(parts: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return buffer.getvalue()
