"""What the tests share: the real model, a real library of the examples, the real service."""

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from playwright.sync_api import Browser, Dialog, Page, sync_playwright

from app.assembly import Kildesvar
from app.hosting.service import create_service
from app.settings import Settings, load_settings
from index.embedding import Encoder, open_encoder, prepare
from index.library import Library
from index.reading.preparation import prepare_reader, reader_folder
from index.reading.reader import Reader
from index.records import StoredPassage

pytest_plugins = ["tests.libraries"]

ROOT = Path(__file__).resolve().parents[1]
EXAMPLES = ROOT / "examples"
LOCAL = "http://localhost"  # the service refuses requests for other machines

CHROMIUM_FLAGS = [
    "--no-sandbox",  # the tests may run as root, in a container
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """What needs real servers is not even imported, unless it is asked for with `-m cluster`."""
    without = config.getoption("markexpr") == "not cluster"
    return True if without and collection_path == ROOT / "tests" / "cluster" else None


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """A developer's own KILDESVAR_ variables must not decide a test."""
    for name in [name for name in os.environ if name.startswith("KILDESVAR_")]:
        monkeypatch.delenv(name)


@pytest.fixture(scope="session")
def model_folder() -> Path:
    """The bundled model, prepared once with the reader, and kept with the checkout's data."""
    prepare_reader(Settings().models_dir, print)
    return prepare("bundled", Settings().models_dir, print)


@pytest.fixture(scope="session")
def reader(model_folder: Path) -> Iterator[Reader]:
    reader = Reader(reader_folder(model_folder.parent))
    yield reader
    reader.close()


@pytest.fixture(scope="session")
def encoder(model_folder: Path) -> Encoder:
    return open_encoder(model_folder)


@pytest.fixture(scope="session")
def ingested(model_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder whose library holds the example documents, to be copied: nothing is to open it,
    since a copy of what another process writes to may be torn."""
    data_dir = tmp_path_factory.mktemp("ingested")
    kildesvar = Kildesvar(load_settings(data_dir=data_dir))
    kildesvar.ingester().ingest([EXAMPLES])
    kildesvar.close()
    return data_dir


@pytest.fixture(scope="session")
def examples_dir(ingested: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder whose library holds the example documents; not to be changed."""
    return shutil.copytree(ingested, tmp_path_factory.mktemp("served") / "examples")


@pytest.fixture(scope="session")
def kildesvar(examples_dir: Path) -> Iterator[Kildesvar]:
    """A Kildesvar over the example documents; not to be changed. It remembers no answers, since
    tests change what is inside it."""
    kildesvar = Kildesvar(load_settings(data_dir=examples_dir, cached_answers_mb=0))
    yield kildesvar
    kildesvar.close()


@pytest.fixture(scope="session")
def client(kildesvar: Kildesvar) -> TestClient:
    """The real ASGI application over the example documents, without a socket."""
    return TestClient(create_service(kildesvar), base_url=LOCAL)


def all_passages(library: Library) -> list[StoredPassage]:
    """Every passage that is searched, by id."""
    return list(library.passages(library.passage_ids(library.edition().number).tolist()).values())


@pytest.fixture(scope="session")
def service_url(examples_dir: Path) -> Iterator[str]:
    """Address of a real `kildesvar serve` over the example documents."""
    with serving(examples_dir) as (url, _):
        yield url


@pytest.fixture(scope="session")
def writable_url(ingested: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of another, whose library tests may add to; what they add they take away again."""
    data_dir = shutil.copytree(ingested, tmp_path_factory.mktemp("writable") / "data")
    with serving(data_dir, max_upload_mb="1") as (url, _):
        yield url


@contextmanager
def serving(
    data_dir: Path, before: Sequence[str] = (), /, **settings: str
) -> Iterator[tuple[str, "subprocess.Popen[bytes]"]]:
    """Address and process of a real `kildesvar serve` over `data_dir`, run by the command `before`
    it, if there is one."""
    command = [*before, sys.executable, "-m", "app.cli", "serve", "--port", "0"]
    environment = {n: v for n, v in os.environ.items() if not n.startswith("KILDESVAR_")}
    environment |= {f"KILDESVAR_{name.upper()}": value for name, value in settings.items()}
    data_dir.mkdir(parents=True, exist_ok=True)
    log = data_dir / "service.log"  # a pipe that nobody reads would fill and stop the service
    with log.open("w", encoding="utf-8") as stderr:
        process = subprocess.Popen(
            [*command, "--data-dir", str(data_dir)],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,  # of a terminal, SIGHUP would end it
            stderr=stderr,
        )
    try:
        yield _announced_address(process, log), process
    finally:
        process.terminate()
        process.wait(timeout=40)


def _announced_address(process: "subprocess.Popen[bytes]", log: Path) -> str:
    """The address that the service prints once it can be reached."""
    while process.poll() is None:
        found = re.search(r"http://\S+(?=/ )", log.read_text(encoding="utf-8"))
        if found:
            return found.group()
        time.sleep(0.05)
    raise AssertionError(f"the service ended: {log.read_text(encoding='utf-8')}")


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    chromium = shutil.which("chromium")
    assert chromium, "install Debian's `chromium` (see CONTRIBUTING.md)"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=CHROMIUM_FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Browser, service_url: str) -> Iterator[Page]:
    """A fresh browser page; fails on console errors, dialogs and requests to other origins."""
    context = browser.new_context()
    context.set_default_timeout(10_000)
    page = context.new_page()
    bad: list[str] = []
    page.on("console", lambda m: bad.append(m.text) if m.type in {"error", "warning"} else None)
    page.on("pageerror", lambda error: bad.append(str(error)))
    page.on("request", lambda r: None if r.url.startswith(service_url) else bad.append(r.url))

    def refuse(dialog: Dialog) -> None:
        bad.append("a dialog")
        dialog.dismiss()

    page.on("dialog", refuse)
    yield page
    context.close()
    assert not bad, bad


@pytest.fixture
def wide_page(page: Page) -> Page:
    page.set_viewport_size({"width": 1280, "height": 800})
    return page


@pytest.fixture
def phone_page(page: Page) -> Page:
    page.set_viewport_size({"width": 360, "height": 740})
    return page


@pytest.fixture
def failing_page(page: Page) -> Page:
    """A page for failures, which the browser itself logs as errors; `page` would fail on those."""
    return page.context.new_page()
