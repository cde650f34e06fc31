"""What settings promise and only this machine can keep: folders, models, the port, a server."""

import http.client
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from app.hosting.listening import AddressTakenError, listen
from app.settings import Settings
from index.errors import KildesvarError
from index.files import nearest

_LEAST_FREE_BYTES = 200 * 1024**2
_ANSWERS_WITHIN = 2.0


class UnfitSettingError(KildesvarError):
    """A setting that nothing here can be done with; the message names the remedy."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What was looked at, and what was found: if it is not `fine`, with the remedy."""

    name: str
    is_fine: bool
    says: str


def check(settings: Settings, asks_server: bool) -> Iterator[Finding]:
    """Looks at all that a service with these settings needs, and where that is wanted asks the
    database and the cluster, and the language model's server for a word. Changes nothing."""
    yield _finding("data folder", lambda: _data_folder(settings))
    if settings.has_database:  # else it lies in the data folder, as a rule
        yield _finding("uploads folder", lambda: _uploads_folder(settings))
    yield _finding("embedding model", lambda: _embedding_model(settings))
    yield _finding("reader", lambda: _reader(settings))
    yield _finding("address", lambda: _address(settings))
    if settings.ocr == "on":
        yield _finding("recognition of text", _recognition)
    if settings.has_database and asks_server:
        yield _finding("database", lambda: _database(settings))
    if settings.opensearch_url and asks_server:
        yield _finding("search cluster", lambda: _cluster(settings))
    if settings.llm_url and asks_server:
        yield _finding("language model", lambda: _language_model(settings))


def _finding(name: str, look: Callable[[], str]) -> Finding:
    try:
        return Finding(name, True, look())
    except KildesvarError as error:
        return Finding(name, False, str(error))


def _data_folder(settings: Settings) -> str:
    is_elsewhere = settings.has_database and settings.opensearch_url
    return _folder(
        settings.data_dir, "KILDESVAR_DATA_DIR", 0 if is_elsewhere else _LEAST_FREE_BYTES
    )


def _uploads_folder(settings: Settings) -> str:
    return _folder(settings.uploads_dir, "KILDESVAR_UPLOADS_DIR", settings.max_upload_mb * 1024**2)


def _folder(folder: Path, setting: str, least_free: int) -> str:
    there = nearest(folder)
    if not there.is_dir():
        raise UnfitSettingError(f"{there} is no folder; name one with {setting}")
    try:
        with tempfile.TemporaryFile(dir=there) as file:
            file.write(b"\0")
            file.flush()
    except OSError as error:
        raise UnfitSettingError(
            f"cannot write to {there}: {error.strerror}; mend its rights, or name another with "
            f"{setting}"
        ) from error
    free = shutil.disk_usage(there).free
    if free < least_free:
        raise UnfitSettingError(
            f"{there} has {free // 1024**2} MB of room, too little for what comes into it; make "
            "more"
        )
    will_be_made = "" if folder == there else ", which will be made"
    return f"{folder}{will_be_made}, with {free / 1024**3:.1f} GB of room"


def _database(settings: Settings) -> str:
    from index.database import is_there  # noqa: PLC0415
    from index.postgresql_reaching import Place  # noqa: PLC0415

    address = settings.database_url.get_secret_value()
    holds = "with a library" if is_there(address) else "in which a library will be made"
    return f"{Place(address)}, {holds}"


def _embedding_model(settings: Settings) -> str:
    from index.embedding import prepared_folder  # noqa: PLC0415 - `--help` is to be instant

    return str(prepared_folder(settings.model, settings.models_dir))


def _reader(settings: Settings) -> str:
    from index.reading.card import ReaderCard  # noqa: PLC0415
    from index.reading.preparation import reader_folder  # noqa: PLC0415

    folder = reader_folder(settings.models_dir)
    ReaderCard.read(folder)
    return str(folder)


def _address(settings: Settings) -> str:
    host, port = settings.host, settings.port
    try:
        listen(host, port).close()
    except AddressTakenError:
        if port and _answers(host, port):
            return f"{host}:{port}, where a Kildesvar answers already"
        raise
    return f"{host}:{port} is free" if port else f"{host}, on any free port"


def _answers(host: str, port: int) -> bool:
    """Whether what listens there is a Kildesvar, most likely the one that is asked about."""
    connection = http.client.HTTPConnection(
        {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host), port, timeout=_ANSWERS_WITHIN
    )
    try:
        connection.request("GET", "/healthz", headers={"Host": "localhost"})
        return b'"ok"' in connection.getresponse().read(1000)
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _recognition() -> str:
    found = shutil.which("tesseract")
    if found is None:
        raise UnfitSettingError(
            "Tesseract is not installed; install Debian's tesseract-ocr and tesseract-ocr-nor, or "
            "set KILDESVAR_OCR=off"
        )
    return found


def _cluster(settings: Settings) -> str:
    from app.engines import cluster_of  # noqa: PLC0415

    cluster = cluster_of(settings)
    try:
        about = cluster.about()
    finally:
        cluster.close()
    if about.status == "red":
        raise UnfitSettingError(
            "parts of what the search cluster has are missing (it is red); start the nodes that "
            "hold them, and look at `GET _cluster/health`"
        )
    nodes = "1 node" if about.nodes == 1 else f"{about.nodes} nodes"
    return f"OpenSearch {about.version} with {nodes} at {cluster.address}, {about.status}"


def _language_model(settings: Settings) -> str:
    from app.assembly import language_model_of  # noqa: PLC0415
    from app.language_model import Message  # noqa: PLC0415

    model = language_model_of(settings)
    assert model is not None
    question: Message = {"role": "user", "content": "Svar med ett ord: Er du klar?"}
    try:
        pieces = model.stream([question], settings.llm_answer_tokens)
        word = next(filter(None, pieces), None)
        pieces.close()
    finally:
        model.close()
    if word is None:
        raise UnfitSettingError(
            f"{settings.llm_model} at {settings.llm_url} wrote nothing; name another with "
            "KILDESVAR_LLM_MODEL"
        )
    return f"{settings.llm_model} writes, at {settings.llm_url}"
