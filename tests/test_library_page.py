"""The library page in a real Chromium, over a service with a data folder of its own."""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Dialog, FilePayload, Locator, Page, Route, expect

from app.assembly import Kildesvar
from app.settings import load_settings
from index.readers import EXTENSIONS
from tests.browsing import expect_no_sideways_scroll
from tests.conftest import serving
from tests.test_accessibility import RULES

PHONE = {"width": 360, "height": 740}
PER_PAGE = 25
READING = 20_000
"""Milliseconds in which a file is sent and read, the start of the process that reads included."""
MADE = 30
"""Documents in the folder that the library was made from: more than a page of the list."""


def write_documents(folder: Path) -> None:
    folder.mkdir(parents=True)
    for number in range(1, MADE + 1):
        lines = [f"# Møte nummer {number:02}", "", f"I møte {number} var det {number + 3} saker."]
        lines += [f"Sak {case} handlet om vedlikehold av bygg {case}." for case in range(number)]
        (folder / f"møte-{number:02}.md").write_text("\n\n".join(lines), encoding="utf-8")
    (folder / "tomt.txt").touch()
    (folder / "bilde.pdf").write_bytes(b"\xff\xd8\xff")


@pytest.fixture(scope="module")
def documents_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("library") / "møter"
    write_documents(folder)
    return folder


@pytest.fixture(scope="module")
def library_url(
    model_folder: Path, documents_dir: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """Address of a real service over documents that these tests may change."""
    data_dir = tmp_path_factory.mktemp("library-data")
    kildesvar = Kildesvar(load_settings(data_dir=data_dir))
    kildesvar.ingester().ingest([documents_dir])
    kildesvar.close()
    with serving(data_dir, max_upload_mb="1") as (url, _):
        yield url


@pytest.fixture
def bad_news() -> list[str]:
    """What the browser complained of."""
    return []


@pytest.fixture
def page(browser: Browser, library_url: str, bad_news: list[str]) -> Iterator[Page]:
    """As conftest's, for the library's service; errors that a test expects it may clear."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    context.set_default_timeout(15_000)
    page = context.new_page()
    page.on(
        "console", lambda m: bad_news.append(m.text) if m.type in {"error", "warning"} else None
    )
    page.on("pageerror", lambda error: bad_news.append(str(error)))
    page.on(
        "request",
        lambda r: None if r.url.startswith((library_url, "blob:")) else bad_news.append(r.url),
    )

    def refuse(dialog: Dialog) -> None:
        bad_news.append("a dialog")
        dialog.accept()

    page.on("dialog", refuse)
    yield page
    context.close()
    assert not bad_news, bad_news


def open_library(page: Page, library_url: str, query: str = "") -> None:
    page.goto(f"{library_url}/library{query}")
    expect(page.locator("#content")).to_be_visible()


def api(page: Page, address: str) -> Any:
    response = page.request.get(address)
    assert response.ok, response.text()
    return response.json()


def rows(page: Page) -> Locator:
    return page.locator("table.documents tbody tr")


def titles(page: Page) -> Locator:
    return rows(page).locator("a.document-link")


def row_of(page: Page, title: str) -> Locator:
    return rows(page).filter(has=page.get_by_role("link", name=title, exact=True))


def arrival(page: Page, name: str) -> Locator:
    arrivals = page.get_by_role("region", name="På vei inn")
    return arrivals.get_by_role("listitem").filter(has_text=name)


def expect_read(item: Locator) -> None:
    expect(item).to_contain_text("Lest inn", timeout=READING)


def press_menu(page: Page, title: str, entry: str) -> None:
    row_of(page, title).get_by_role("button", name=f"Handlinger for {title}").click()
    page.get_by_role("button", name=entry, exact=True).click()


def note(name: str, title: str) -> FilePayload:
    text = f"# {title}\n\n{title} ble skrevet for å prøve biblioteket.\n"
    return {"name": name, "mimeType": "text/markdown", "buffer": text.encode()}


def upload(page: Page, *files: FilePayload) -> None:
    page.locator("#choose-files").set_input_files(list(files))


def query_of(page: Page) -> dict[str, list[str]]:
    return parse_qs(urlsplit(page.url).query)


class TestList:
    def test_shows_what_the_service_lists(self, page: Page, library_url: str) -> None:
        listed = api(page, f"{library_url}/v1/documents?limit={PER_PAGE}")
        open_library(page, library_url)
        expect(titles(page)).to_have_text([document["title"] for document in listed["documents"]])
        first = listed["documents"][0]
        expect(titles(page).first).to_have_attribute("href", f"/documents/{first['id']}")
        expect(rows(page).first).to_contain_text("Markdown")
        expect(rows(page).first).to_contain_text("bokmål")
        expect(rows(page).first).to_contain_text(first["source"])
        passages = rows(page).first.locator(".column-passages")
        expect(passages).to_contain_text(str(first["passages"]))
        expect(page.locator("#documents .count")).to_contain_text(f"{listed['total']} dokumenter")

    def test_paging_is_in_the_address_and_back_undoes_it(
        self, page: Page, library_url: str
    ) -> None:
        total = api(page, f"{library_url}/v1/documents")["total"]
        open_library(page, library_url)
        first = titles(page).first.inner_text()
        page.get_by_role("link", name="Neste").click()
        expect(titles(page)).to_have_count(total - PER_PAGE)
        assert query_of(page) == {"page": ["2"]}
        page.reload()
        expect(titles(page)).to_have_count(total - PER_PAGE)
        page.go_back()
        expect(titles(page).first).to_have_text(first)
        open_library(page, library_url, "?page=99")
        expect(titles(page)).to_have_count(total - PER_PAGE)

    def test_a_heading_sorts_and_the_address_says_so(self, page: Page, library_url: str) -> None:
        open_library(page, library_url)
        page.get_by_role("button", name="Avsnitt").click()
        longest = page.get_by_role("columnheader", name="Avsnitt")
        expect(longest).to_have_attribute("aria-sort", "descending")
        expect(page.get_by_role("button", name="Avsnitt")).to_be_focused()
        assert query_of(page) == {"sort": ["passages"], "descending": ["true"]}
        counts = [int(text) for text in rows(page).locator(".column-passages").all_inner_texts()]
        assert counts == sorted(counts, reverse=True)
        assert counts[0] > counts[-1]
        page.get_by_role("button", name="Avsnitt").click()
        expect(longest).to_have_attribute("aria-sort", "ascending")
        page.go_back()
        expect(longest).to_have_attribute("aria-sort", "descending")

    def test_words_filter_and_stay_in_the_address(self, page: Page, library_url: str) -> None:
        open_library(page, library_url, "?page=2&lang=nb")
        page.get_by_role("searchbox", name="Finn dokumenter").fill("nummer 07")
        expect(titles(page)).to_have_text(["Møte nummer 07"])
        assert query_of(page) == {"q": ["nummer 07"], "lang": ["nb"]}
        expect(page.get_by_role("status")).to_contain_text("1 dokument passer")
        page.reload()
        expect(page.get_by_role("searchbox")).to_have_value("nummer 07")
        expect(titles(page)).to_have_count(1)
        page.get_by_role("searchbox").fill("<b>finnes ikke")
        expect(page.get_by_text("Ingen dokumenter passer til «<b>finnes ikke».")).to_be_visible()
        page.get_by_role("button", name="Vis alle").click()
        expect(titles(page)).to_have_count(PER_PAGE)
        expect(page.get_by_role("searchbox")).to_be_focused()

    @pytest.mark.parametrize("query", ["?page=-1", "?page=x", "?sort=feil", "?descending=1", "?q="])
    def test_a_useless_address_breaks_nothing(
        self, page: Page, library_url: str, query: str
    ) -> None:
        open_library(page, library_url, query)
        expect(titles(page)).to_have_count(PER_PAGE)

    def test_what_documents_say_is_text(self, page: Page, library_url: str) -> None:
        markup = "<img src=x onerror=alert(1)>"

        def mark(route: Route) -> None:
            response = route.fetch()
            listed = response.json()
            listed["documents"][0] |= {"title": markup, "source": markup, "notices": [markup]}
            route.fulfill(response=response, json=listed)

        page.route("**/v1/documents?*", mark)
        open_library(page, library_url)
        expect(titles(page).first).to_have_text(markup)
        expect(rows(page).first.locator(".row-notice")).to_have_text(f"Merk: {markup}")
        expect(page.locator("img")).to_have_count(0)


class TestAdding:
    @pytest.fixture
    def failed_sending(self, page: Page, bad_news: list[str]) -> Iterator[None]:
        yield
        bad_news.clear()  # the browser logs failed requests itself

    def test_the_page_knows_what_can_be_read(self, page: Page, library_url: str) -> None:
        open_library(page, library_url)
        accepted = page.locator("#choose-files").get_attribute("accept")
        assert accepted is not None
        assert set(accepted.split(",")) == EXTENSIONS

    def test_a_file_that_is_chosen_is_sent_read_and_listed(
        self, page: Page, library_url: str
    ) -> None:
        open_library(page, library_url, "?q=valgt")
        before = page.locator("#summary").inner_text()
        upload(page, note("valgt.md", "Notatet som ble valgt"))
        expect_read(arrival(page, "valgt.md"))
        expect(page.get_by_role("status")).to_have_text("1 fil er lest inn.")
        expect(titles(page)).to_have_text(["Notatet som ble valgt"], timeout=READING)
        expect(rows(page)).to_contain_text("Lastet opp: valgt.md")
        expect(page.locator("#summary")).not_to_have_text(before)
        arrival(page, "valgt.md").get_by_role("link", name="Åpne dokumentet").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Notatet som ble valgt")

    @pytest.mark.usefixtures("failed_sending")
    def test_several_files_and_none_of_the_failures_is_lost(
        self, page: Page, library_url: str
    ) -> None:
        open_library(page, library_url)
        upload(
            page,
            {"name": "foto.jpg", "mimeType": "image/jpeg", "buffer": b"\xff\xd8\xff"},
            {"name": "uten tekst.txt", "mimeType": "text/plain", "buffer": b"  \n"},
            {"name": "stor.txt", "mimeType": "text/plain", "buffer": b"ord " * 300_000},
            note("god.md", "Den gode blant dem"),
        )
        expect_read(arrival(page, "god.md"))
        expect(arrival(page, "foto.jpg")).to_contain_text("Denne typen fil kan ikke leses")
        expect(arrival(page, "uten tekst.txt")).to_contain_text(
            re.compile("ingen tekst|er tom"), timeout=READING
        )
        expect(arrival(page, "stor.txt")).to_contain_text("grensen er 1 MB")
        expect(page.locator(".arrivals-summary")).to_have_text("1 lest inn · 3 kom ikke inn")
        expect(page.get_by_role("button", name="Prøv foto.jpg igjen")).to_have_count(0)
        page.get_by_role("button", name="Rydd bort de ferdige").click()
        expect(arrival(page, "god.md")).to_have_count(0)
        expect(page.locator("#arrivals li")).to_have_count(3)
        page.get_by_role("button", name="Fjern foto.jpg fra listen").click()
        expect(page.locator("#arrivals li")).to_have_count(2)
        expect(page.get_by_role("list", name="På vei inn")).to_be_focused()

    @pytest.mark.usefixtures("failed_sending")
    @pytest.mark.parametrize(
        ("status", "told"),
        [
            (415, "Denne typen fil kan ikke leses"),
            (413, "Filen er for stor: grensen er 7 MB"),
            (507, "Disken hos tjenesten er full"),
            (503, "kan ikke ta imot filer akkurat nå"),
            (500, "Noe gikk galt i tjenesten"),
            (422, "Tjenesten tok ikke imot filen"),
            (0, "Forbindelsen ble brutt"),
        ],
    )
    def test_a_refusal_is_told_and_can_be_tried_again(
        self, page: Page, library_url: str, status: int, told: str
    ) -> None:
        def refuse(route: Route) -> None:
            if route.request.method != "POST":
                route.fallback()
            elif status == 0:
                route.abort("connectionreset")
            else:
                route.fulfill(status=status, json={"detail": "at most 7 MB", "status": status})

        page.route("**/v1/documents", refuse)
        open_library(page, library_url)
        upload(page, note(f"avvist-{status}.md", f"Avvist med {status}"))
        item = arrival(page, f"avvist-{status}.md")
        expect(item).to_contain_text(told)
        expect(page.get_by_role("status")).to_contain_text(told)
        page.unroute("**/v1/documents")
        item.get_by_role("button", name="Prøv").click()
        expect_read(item)

    @pytest.mark.usefixtures("failed_sending")
    def test_offline_is_told(self, page: Page, library_url: str) -> None:
        open_library(page, library_url)
        page.context.set_offline(True)
        upload(page, note("uten nett.md", "Sendt uten nett"), note("heller ikke.md", "Heller ikke"))
        expect(arrival(page, "uten nett.md")).to_contain_text("Du er ikke på nett")
        page.context.set_offline(False)
        page.get_by_role("button", name="Prøv alle igjen").click()
        expect_read(arrival(page, "uten nett.md"))
        expect_read(arrival(page, "heller ikke.md"))

    def test_sending_shows_how_far_it_is_warns_and_can_be_called_off(
        self, page: Page, library_url: str, bad_news: list[str]
    ) -> None:
        network = page.context.new_cdp_session(page)
        network.send("Network.enable")
        slow = {"offline": False, "latency": 0, "downloadThroughput": -1}
        open_library(page, library_url)
        network.send("Network.emulateNetworkConditions", {**slow, "uploadThroughput": 60_000})
        big: FilePayload = {
            "name": "langsom.pdf",
            "mimeType": "application/pdf",
            "buffer": b"x" * 900_000,
        }
        upload(page, big, note("venter.md", "Notatet som venter"))
        item = arrival(page, "langsom.pdf")
        expect(item).to_contain_text(re.compile(r"Sender, [1-9]\d? %"))
        value = item.get_by_role("progressbar", name="Hvor mye av langsom.pdf").get_attribute(
            "value"
        )
        assert value is not None
        assert 0 < float(value) < 1
        expect(arrival(page, "venter.md")).to_contain_text("Venter på å bli sendt")
        page.evaluate(
            "window.warned = !dispatchEvent(new Event('beforeunload', {cancelable: true}))"
        )
        assert page.evaluate("warned")
        item.get_by_role("button", name="Avbryt langsom.pdf").click()
        network.send("Network.emulateNetworkConditions", {**slow, "uploadThroughput": -1})
        expect(item).to_have_count(0)
        expect_read(arrival(page, "venter.md"))
        page.evaluate(
            "window.warned = !dispatchEvent(new Event('beforeunload', {cancelable: true}))"
        )
        assert not page.evaluate("warned")

    def test_a_new_version_takes_the_place_of_an_uploaded_one(
        self, page: Page, library_url: str
    ) -> None:
        open_library(page, library_url, "?q=versjon")
        upload(page, note("plan.md", "Planen, versjon en"))
        expect(titles(page)).to_have_text(["Planen, versjon en"], timeout=READING)
        address = titles(page).get_attribute("href")
        with page.expect_file_chooser() as chooser:
            press_menu(page, "Planen, versjon en", "Erstatt med ny versjon")
        chooser.value.set_files([note("plan-2.md", "Planen, versjon to")])
        expect(arrival(page, "plan-2.md")).to_contain_text("Ny versjon av «Planen, versjon en»")
        expect(titles(page)).to_have_text(["Planen, versjon to"], timeout=READING)
        assert titles(page).get_attribute("href") == address


class TestDropping:
    def drag(self, page: Page, kind: str, *paths: Path) -> None:
        """As a person does it, with files and folders that are on the disk."""
        data = {"items": [], "files": [str(path) for path in paths], "dragOperationsMask": 1}
        session = page.context.new_cdp_session(page)
        session.send("Input.dispatchDragEvent", {"type": kind, "x": 600, "y": 700, "data": data})

    def drop(self, page: Page, *paths: Path) -> None:
        for kind in ("dragEnter", "dragOver", "drop"):
            self.drag(page, kind, *paths)

    def test_files_dropped_anywhere_are_sent(
        self, page: Page, library_url: str, tmp_path: Path
    ) -> None:
        dropped = tmp_path / "sluppet.md"
        dropped.write_text("# Sluppet på siden\n\nDet ble sluppet.\n", encoding="utf-8")
        open_library(page, library_url)
        self.drag(page, "dragEnter", dropped)
        self.drag(page, "dragOver", dropped)
        expect(page.get_by_text("Slipp for å legge inn")).to_be_visible()
        self.drag(page, "drop", dropped)
        expect_read(arrival(page, "sluppet.md"))
        expect(page.get_by_text("Slipp for å legge inn")).to_be_hidden()

    def test_a_folder_is_walked(self, page: Page, library_url: str, tmp_path: Path) -> None:
        for place in ("mappe/en.md", "mappe/under/to.md", "mappe/under/tre.jpg"):
            path = tmp_path / place
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"# Fra {place}\n\nDet kom fra {place}.\n", encoding="utf-8")
        open_library(page, library_url)
        self.drop(page, tmp_path / "mappe")
        expect_read(arrival(page, "en.md"))
        expect_read(arrival(page, "to.md"))
        expect(arrival(page, "tre.jpg")).to_contain_text("Denne typen fil kan ikke leses")

    def test_an_empty_folder_is_told(self, page: Page, library_url: str, tmp_path: Path) -> None:
        (tmp_path / "tom").mkdir()
        open_library(page, library_url)
        self.drop(page, tmp_path / "tom")
        expect(page.get_by_role("alert")).to_contain_text("ingen filer")

    def test_a_drop_made_by_a_script_works_too(self, page: Page, library_url: str) -> None:
        open_library(page, library_url)
        data = page.evaluate_handle(
            "() => { const data = new DataTransfer();"
            " data.items.add(new File(['# Fra et skript\\n\\nEt notat.'], 'skript.md'));"
            " return data; }"
        )
        page.dispatch_event("#documents", "drop", {"dataTransfer": data})
        expect_read(arrival(page, "skript.md"))


class TestRemoving:
    def test_cancelling_keeps_the_document_and_gives_focus_back(
        self, page: Page, library_url: str
    ) -> None:
        open_library(page, library_url, "?q=nummer")
        title = titles(page).nth(1).inner_text()
        press_menu(page, title, "Fjern")
        dialog = page.get_by_role("dialog", name=f"Fjerne «{title}»?")
        expect(dialog).to_contain_text("Filen blir liggende i mappen sin")
        expect(dialog.get_by_role("button", name="Avbryt")).to_be_focused()
        page.keyboard.press("Enter")
        expect(dialog).to_have_count(0)
        expect(page.get_by_role("button", name=f"Handlinger for {title}")).to_be_focused()
        press_menu(page, title, "Fjern")
        page.keyboard.press("Escape")
        expect(dialog).to_have_count(0)
        expect(titles(page).nth(1)).to_have_text(title)

    def test_a_file_of_a_folder_stays_but_is_left_out(
        self, page: Page, library_url: str, documents_dir: Path
    ) -> None:
        open_library(page, library_url, "?q=nummer&sort=title")
        title, following = titles(page).nth(1).inner_text(), titles(page).nth(2).inner_text()
        press_menu(page, title, "Fjern")
        page.get_by_role("button", name="Fjern dokumentet").click()
        expect(row_of(page, title)).to_have_count(0)
        expect(row_of(page, following).get_by_role("link", name=following)).to_be_focused()
        expect(page.get_by_role("status")).to_have_text(f"«{title}» er fjernet.")
        name = f"møte-{title[-2:]}.md"
        assert (documents_dir / name).exists()
        page.locator("#left-out-files summary").click()
        expect(page.locator("#left-out-files")).to_contain_text(name)
        expect(page.locator("#left-out-files")).to_contain_text("Dokumentet ble fjernet her")

    def test_an_uploaded_file_is_gone(self, page: Page, library_url: str) -> None:
        open_library(page, library_url, "?q=forgjengelig")
        upload(page, note("forgjengelig.md", "Et forgjengelig notat"))
        expect(titles(page)).to_have_count(1, timeout=READING)
        press_menu(page, "Et forgjengelig notat", "Fjern")
        expect(page.get_by_role("dialog")).to_contain_text("blir slettet")
        page.get_by_role("button", name="Fjern dokumentet").click()
        expect(page.get_by_text("Ingen dokumenter passer til «forgjengelig».")).to_be_visible()
        expect(page.get_by_role("heading", name="Dokumenter", exact=True)).to_be_focused()
        assert api(page, f"{library_url}/v1/documents?q=forgjengelig")["total"] == 0

    def test_a_failure_is_told_in_the_dialog(
        self, page: Page, library_url: str, bad_news: list[str]
    ) -> None:
        open_library(page, library_url)
        title = titles(page).first.inner_text()
        page.route(
            re.compile(r"/v1/documents/\w+$"),
            lambda route: route.fulfill(status=409, json={"detail": "busy", "status": 409}),
        )
        press_menu(page, title, "Fjern")
        page.get_by_role("button", name="Fjern dokumentet").click()
        expect(page.get_by_role("alert")).to_contain_text("Biblioteket er opptatt")
        page.get_by_role("button", name="Avbryt").click()
        expect(titles(page).first).to_have_text(title)
        bad_news.clear()


class TestReadingAgain:
    def test_a_document_is_read_again(self, page: Page, library_url: str) -> None:
        open_library(page, library_url)
        title = titles(page).nth(3).inner_text()
        with page.expect_response(re.compile("/reindex$")) as response:
            press_menu(page, title, "Les på nytt")
        job_id = response.value.json()["job_id"]
        expect(page.get_by_role("status")).to_have_text(f"«{title}» leses på nytt.")
        page.wait_for_function(
            "async (id) => (await (await fetch(`/v1/jobs/${id}`)).json()).state === 'done'",
            arg=job_id,
        )
        expect(titles(page).nth(3)).to_have_text(title)

    def test_a_file_that_is_gone_is_told(
        self, page: Page, library_url: str, documents_dir: Path, bad_news: list[str]
    ) -> None:
        open_library(page, library_url, "?q=nummer+30")
        (documents_dir / "møte-30.md").unlink()
        press_menu(page, "Møte nummer 30", "Les på nytt")
        expect(page.get_by_role("alert")).to_contain_text(
            "Filen som dokumentet ble lest fra, er borte"
        )
        bad_news.clear()


class TestLeftOut:
    def test_files_and_reasons_are_told_in_plain_words(self, page: Page, library_url: str) -> None:
        left_out = api(page, f"{library_url}/v1/left-out")
        open_library(page, library_url)
        page.locator("#left-out-files summary").click()
        table = page.locator("#left-out-files tbody tr")
        expect(table).to_have_count(left_out["total"])
        expect(table.filter(has_text="bilde.pdf")).to_contain_text("noe annet i filen")
        expect(table.filter(has_text="tomt.txt")).to_contain_text(re.compile("er tom|ingen tekst"))

    def test_what_was_sent_and_failed_is_still_told_after_a_reload(
        self, page: Page, library_url: str
    ) -> None:
        open_library(page, library_url)
        upload(page, {"name": "blank.txt", "mimeType": "text/plain", "buffer": b"\n"})
        expect(arrival(page, "blank.txt")).to_contain_text("Kom ikke inn", timeout=READING)
        page.reload()
        failed = page.locator("#failed-jobs")
        failed.locator("summary").click()
        expect(failed).to_contain_text("blank.txt")
        expect(arrival(page, "blank.txt")).to_have_count(0)


def table_of(page: Page, chart: str) -> list[list[str]]:
    """The figures of a chart as its table has them."""
    rows: list[list[str]] = page.locator(f"#{chart} table tbody tr").evaluate_all(
        "rows => rows.map(row => [...row.cells].map(cell => cell.textContent))"
    )
    return rows


class TestFigures:
    def test_the_charts_say_what_the_service_says(self, page: Page, library_url: str) -> None:
        question = {"question": "Hvor mange saker var det i møte 5?"}
        answer = page.request.post(f"{library_url}/v1/ask", data=question).json()
        given = {"answer_id": answer["answer_id"], "verdict": "up"}
        assert page.request.post(f"{library_url}/v1/feedback", data=given).status == 204
        figures = api(page, f"{library_url}/v1/statistics?days=30")
        open_library(page, library_url)
        library, answers = figures["library"], figures["answers"]
        assert table_of(page, "by-folder") == [
            [each["value"], str(each["count"])] for each in library["by_folder"]
        ]
        assert table_of(page, "by-year") == [
            [each["value"], str(each["count"])] for each in library["by_year"]
        ]
        assert [row[1] for row in table_of(page, "by-type")] == [
            str(each["count"]) for each in library["by_type"]
        ]
        assert [row[1] for row in table_of(page, "by-length")] == [
            str(each["count"]) for each in library["passage_lengths"]
        ]
        assert [[int(cell) for cell in row[1:]] for row in table_of(page, "questions-by-day")] == [
            [day["answered"], day["questions"] - day["answered"]] for day in answers["days"]
        ]
        tiles = page.locator(".tile")
        expect(tiles.filter(has_text="Spørsmål")).to_contain_text(str(answers["questions"]))
        expect(tiles.filter(has_text="Nyttige svar")).to_contain_text(str(answers["up"]))
        assert answers["up"] >= 1

    def test_each_chart_has_a_text_alternative_and_is_drawn_to_scale(
        self, page: Page, library_url: str
    ) -> None:
        library = api(page, f"{library_url}/v1/statistics")["library"]
        open_library(page, library_url)
        for image in page.locator("figure svg").all():
            expect(image).to_have_attribute("role", "img")
        drawing = page.get_by_role("img", name=re.compile("^Avsnitt etter lengde Høyest"))
        expect(drawing).to_be_visible()
        counts = [each["count"] for each in library["passage_lengths"] if each["count"]]
        heights = drawing.locator(".filled").evaluate_all(
            "bars => bars.map(bar => bar.height.baseVal.value)"
        )
        assert len(heights) == len(counts)
        for height, count in zip(heights, counts, strict=True):
            assert height / max(heights) == pytest.approx(count / max(counts), abs=0.01)

    def test_the_feedback_can_be_downloaded_as_json_lines(
        self, page: Page, library_url: str
    ) -> None:
        answer = page.request.post(
            f"{library_url}/v1/ask", data={"question": "Hvor mange saker var det i møte 6?"}
        ).json()
        reason = "=HYPERLINK(«x»)\nmed linjeskift"
        given = {"answer_id": answer["answer_id"], "verdict": "down", "reason": reason}
        assert page.request.post(f"{library_url}/v1/feedback", data=given).status == 204
        open_library(page, library_url)
        with page.expect_download() as download:
            page.get_by_role("button", name="Last ned tilbakemeldingene").click()
        assert re.fullmatch(
            r"kildesvar-tilbakemeldinger-\d{4}-\d\d-\d\d\.jsonl", download.value.suggested_filename
        )
        lines = download.value.path().read_text(encoding="utf-8").splitlines()
        assert [json.loads(line) for line in lines] == api(page, f"{library_url}/v1/feedback")[
            "feedback"
        ]
        assert any(json.loads(line)["reason"] == reason for line in lines)

    def test_says_when_nothing_is_kept_and_how_to_keep_it(
        self, page: Page, library_url: str
    ) -> None:
        def keep_nothing(route: Route) -> None:
            response = route.fetch()
            figures = response.json()
            figures["answers"] |= {"kept_days": 0, "since": None}
            route.fulfill(response=response, json=figures)

        page.route("**/v1/statistics*", keep_nothing)
        open_library(page, library_url)
        expect(page.locator(".not-kept")).to_contain_text("KILDESVAR_KEEP_ANSWERS_DAYS")
        expect(page.get_by_role("button", name="Last ned tilbakemeldingene")).to_be_hidden()
        expect(page.locator("#questions-by-day")).to_be_hidden()


class TestLive:
    def test_the_list_follows_what_others_send_and_moves_nothing(
        self, page: Page, library_url: str
    ) -> None:
        open_library(page, library_url, "?q=a")  # in every path
        anchor = titles(page).nth(12)
        anchor.evaluate("node => scrollTo(0, node.getBoundingClientRect().top + scrollY - 300)")
        title = anchor.inner_text()
        watched = row_of(page, title)
        before = watched.bounding_box()
        sent = page.request.post(
            f"{library_url}/v1/documents", multipart={"file": note("aa.md", "Aaa, øverst i listen")}
        )
        assert sent.status == 202
        page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
        expect(row_of(page, "Aaa, øverst i listen")).to_have_count(1, timeout=READING)
        after = watched.bounding_box()
        assert before is not None
        assert after is not None
        assert after["y"] == pytest.approx(before["y"], abs=1.5)

    def test_nothing_moves_while_the_page_loads(self, page: Page, library_url: str) -> None:
        page.add_init_script(
            "window.shift = 0; new PerformanceObserver((list) => {"
            " for (const entry of list.getEntries()) window.shift += entry.value;"
            "}).observe({ type: 'layout-shift', buffered: true });"
        )
        open_library(page, library_url)
        page.wait_for_timeout(500)
        assert page.evaluate("window.shift") < 0.01


class TestEmpty:
    def test_says_what_to_do_first(
        self, browser: Browser, model_folder: Path, tmp_path: Path
    ) -> None:
        with serving(tmp_path / "data") as (url, _):
            context = browser.new_context()
            page = context.new_page()
            page.goto(f"{url}/library")
            expect(page.get_by_role("heading", name="Ingen dokumenter ennå")).to_be_visible()
            expect(page.get_by_text("kildesvar ingest ~/Dokumenter")).to_be_visible()
            upload(page, note("første.md", "Det første dokumentet"))
            expect(titles(page)).to_have_text(["Det første dokumentet"], timeout=READING)
            expect(page.get_by_role("heading", name="Ingen dokumenter ennå")).to_be_hidden()
            press_menu(page, "Det første dokumentet", "Fjern")
            page.get_by_role("button", name="Fjern dokumentet").click()
            expect(page.get_by_role("heading", name="Ingen dokumenter ennå")).to_be_visible()
            expect(page.locator("#choose-files")).to_be_focused()
            context.close()


class TestLayout:
    @pytest.mark.parametrize("language", ["nb", "nn", "en"])
    @pytest.mark.parametrize("width", [360, 640, 960])
    def test_never_scrolls_sideways(
        self, page: Page, library_url: str, language: str, width: int
    ) -> None:
        page.set_viewport_size({"width": width, "height": 740})
        open_library(page, library_url, f"?lang={language}")
        for summary in page.locator("summary").all():
            if summary.is_visible():
                summary.click()
        upload(page, {"name": "x" * 60 + ".jpg", "mimeType": "image/jpeg", "buffer": b"x"})
        expect(page.locator("#arrivals li")).to_have_count(1)
        expect_no_sideways_scroll(page)

    def test_a_phone_sorts_and_opens_the_menu(self, page: Page, library_url: str) -> None:
        page.set_viewport_size({"width": PHONE["width"], "height": PHONE["height"]})
        open_library(page, library_url)
        page.get_by_role("combobox", name="Sorter etter").select_option("Tittel, fra Å til A")
        assert query_of(page) == {"descending": ["true"]}
        expect(titles(page).first).to_have_text(re.compile("^S|^P|^N"))
        rows(page).first.locator(".more").click()
        expect(page.get_by_role("button", name="Fjern", exact=True)).to_be_in_viewport(ratio=1)
        expect_no_sideways_scroll(page)

    def test_keyboard_opens_the_menu_and_escape_closes_it(
        self, page: Page, library_url: str
    ) -> None:
        open_library(page, library_url)
        more = rows(page).first.locator(".more")
        more.focus()
        page.keyboard.press("Enter")
        expect(page.get_by_role("button", name="Les på nytt")).to_be_focused()
        expect(more).to_have_attribute("aria-expanded", "true")
        page.keyboard.press("Escape")
        expect(page.get_by_role("button", name="Les på nytt")).to_be_hidden()
        expect(more).to_be_focused()


class TestLanguage:
    def test_the_switch_changes_all_of_the_page(self, page: Page, library_url: str) -> None:
        open_library(page, library_url, "?sort=passages")
        upload(page, {"name": "foto.jpg", "mimeType": "image/jpeg", "buffer": b"x"})
        page.get_by_role("link", name="Nynorsk").click()
        expect(page.locator("html")).to_have_attribute("lang", "nn")
        expect(page.get_by_role("heading", name="Dokument", exact=True)).to_be_visible()
        expect(page.locator("#arrivals")).to_contain_text("Denne typen fil kan ikkje lesast")
        expect(page.get_by_role("heading", name="Avsnitt etter lengd")).to_be_visible()
        assert query_of(page) == {"sort": ["passages"], "lang": ["nn"]}
        expect(titles(page).first).to_have_attribute("href", re.compile(r"\?lang=nn$"))
        page.get_by_role("link", name="English").click()
        expect(page.get_by_role("columnheader", name="Passages")).to_be_visible()
        expect(page).to_have_title("Library – Kildesvar")


def with_menu(page: Page) -> None:
    rows(page).first.locator(".more").click()
    expect(page.get_by_role("button", name="Les på nytt")).to_be_visible()


def with_dialog(page: Page) -> None:
    with_menu(page)
    page.get_by_role("button", name="Fjern", exact=True).click()
    expect(page.get_by_role("dialog")).to_be_visible()


def with_arrivals(page: Page) -> None:
    upload(
        page,
        {"name": "foto.jpg", "mimeType": "image/jpeg", "buffer": b"x"},
        note("tilgjengelig.md", "Et tilgjengelig notat"),
    )
    expect_read(arrival(page, "tilgjengelig.md"))


def with_all_opened(page: Page) -> None:
    for summary in page.locator("summary").all():
        if summary.is_visible():
            summary.click()


def on_a_phone(page: Page) -> None:
    page.set_viewport_size({"width": PHONE["width"], "height": PHONE["height"]})


def with_nothing_found(page: Page) -> None:
    page.get_by_role("searchbox").fill("finnes ikke")
    expect(page.get_by_role("button", name="Vis alle")).to_be_visible()


STATES = [with_menu, with_dialog, with_arrivals, with_all_opened, on_a_phone, with_nothing_found]


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("show", STATES, ids=lambda show: show.__name__)
def test_axe_finds_nothing(
    page: Page, library_url: str, show: Callable[[Page], None], theme: str
) -> None:
    page.emulate_media(color_scheme="dark" if theme == "dark" else "light")
    open_library(page, library_url)
    show(page)
    page.wait_for_timeout(300)
    found = Axe().run(page, options={"runOnly": RULES})
    assert found.violations_count == 0, found.generate_report()
