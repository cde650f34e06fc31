"""The search box on a page of another site, in a real Chromium, and who may use the service so."""

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from playwright.sync_api import Browser, Locator, Page, Route, expect

from app.access.callers import Role
from app.access.keys import Keys
from app.assembly import Kildesvar
from app.hosting.service import create_service
from app.settings import load_settings
from index.library import Library
from tests.conftest import LOCAL, ROOT, serving

SCRIPT = ROOT / "app/pages/embed/kildesvar-search.js"
LISTED = "https://intranet.example"
SHARED = [("GET", "/v1/search"), ("GET", "/v1/suggest"), ("POST", "/v1/ask")]
TYPED = "samhandlingsbu"
HEADING = "Samhandlingsbudsjettet"


@dataclass
class Site:
    """Another site with one page, which has two search boxes of `service`."""

    origin: str
    service: str = ""

    def page(self) -> str:
        return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Another site</title>
<link rel="icon" href="data:,">
<script type="module" src="{self.service}/embed/kildesvar-search.js"></script></head>
<body><h1>Another site</h1>
<kildesvar-search endpoint="{self.service}" lang="nb"></kildesvar-search>
<kildesvar-search endpoint="{self.service}/" lang="nn" limit="2" placeholder="Finn rutinen">
</kildesvar-search></body></html>"""

    def policy(self) -> str:
        """As docs/search-box.md asks for, and nothing else: no style, no form, no markup."""
        return (
            f"default-src 'none'; script-src {self.service}; connect-src {self.service}; "
            "img-src data:; form-action 'none'; require-trusted-types-for 'script'"
        )


@contextmanager
def other_site() -> Iterator[Site]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header("Content-Security-Policy", site.policy())
            self.end_headers()
            self.wfile.write(site.page().encode())

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    site = Site(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield site
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture(scope="module")
def listed_site(examples_dir: Path) -> Iterator[Site]:
    """A site whose pages the service lets search."""
    with other_site() as site, serving(examples_dir, allowed_origins=site.origin) as (url, _):
        site.service = url
        yield site


@pytest.fixture
def guest(browser: Browser, listed_site: Site) -> Iterator[Page]:
    """The listed site's page; fails on what its policy forbids, and on every other error."""
    context = browser.new_context()
    context.set_default_timeout(10_000)
    page = context.new_page()
    bad: list[str] = []
    page.on("console", lambda m: bad.append(m.text) if m.type in {"error", "warning"} else None)
    page.on("pageerror", lambda error: bad.append(str(error)))
    page.goto(listed_site.origin)
    yield page
    context.close()
    assert not bad, bad


def field(page: Page, name: str = "Søk i dokumentene") -> Locator:
    return page.get_by_role("combobox", name=name)


def options(page: Page) -> Locator:
    return page.get_by_role("listbox").get_by_role("option")


def chosen(page: Page) -> Locator:
    return page.get_by_role("option", selected=True)


def type_and_wait(page: Page, text: str = TYPED) -> None:
    field(page).press_sequentially(text)
    expect(options(page).first).to_be_visible()


class TestSearching:
    def test_a_suggestion_chosen_by_keyboard_opens_its_place_on_the_service(
        self, guest: Page, listed_site: Site
    ) -> None:
        type_and_wait(guest)
        expect(field(guest)).to_have_attribute("aria-expanded", "true")
        while chosen(guest).count() == 0 or chosen(guest).inner_text() != HEADING:
            guest.keyboard.press("ArrowDown")
        name = chosen(guest).get_attribute("id") or "?"
        expect(field(guest)).to_have_attribute("aria-activedescendant", name)
        expect(field(guest)).to_have_value(TYPED)
        guest.keyboard.press("Enter")
        guest.wait_for_url(f"{listed_site.service}/documents/*?q={TYPED}#*")
        expect(guest.locator("mark").first).to_have_text(HEADING)

    def test_a_hit_opens_its_passage_on_the_service(self, guest: Page, listed_site: Site) -> None:
        type_and_wait(guest, HEADING)
        hit = guest.get_by_role("group", name="Treff i dokumentene").get_by_role("option").first
        expect(hit).to_contain_text("Et nasjonalt samhandlingsbudsjett")
        expect(hit.locator("mark").first).to_have_text(HEADING)
        hit.click()
        guest.wait_for_url(f"{listed_site.service}/documents/*?q={HEADING}#*")
        expect(guest.locator("mark").first).to_be_in_viewport()

    def test_enter_without_a_choice_opens_the_search_page(
        self, guest: Page, listed_site: Site
    ) -> None:
        field(guest).press_sequentially("blå & grønn?")
        guest.keyboard.press("Enter")
        guest.wait_for_url(f"{listed_site.service}/search?q=bl%C3%A5+%26+gr%C3%B8nn%3F")

    def test_escape_closes_the_list_and_keeps_what_was_typed(self, guest: Page) -> None:
        type_and_wait(guest)
        guest.keyboard.press("Escape")
        expect(guest.get_by_role("listbox")).to_be_hidden()
        expect(field(guest)).to_have_value(TYPED)
        expect(field(guest)).to_have_attribute("aria-expanded", "false")
        guest.keyboard.press("ArrowDown")
        expect(chosen(guest)).to_have_count(1)
        guest.keyboard.press("ArrowUp")
        expect(chosen(guest)).to_have_count(0)

    def test_works_twice_on_one_page_each_with_its_own_words(self, guest: Page) -> None:
        second = field(guest, "Søk i dokumenta")
        expect(second).to_have_attribute("placeholder", "Finn rutinen")
        type_and_wait(guest)
        second.press_sequentially("helse")
        groups = guest.get_by_role("group", name="Treff i dokumenta")
        expect(groups.get_by_role("option")).to_have_count(2)
        expect(guest.get_by_role("listbox")).to_have_count(1)  # the first has closed
        expect(field(guest)).to_have_value(TYPED)

    def test_says_how_much_was_found_to_who_cannot_see_it(self, guest: Page) -> None:
        type_and_wait(guest)
        expect(guest.get_by_role("status").first).to_have_text(
            re.compile(r"^[1-4] forslag og 5 treff\.$")
        )

    def test_markup_of_a_document_stays_text_and_offsets_count_code_points(
        self, guest: Page
    ) -> None:
        markup = "<img src=x onerror=alert(1)>"
        text = f"😀 {markup} målet 🎉"
        start = text.index("målet")
        hit = {
            "document_id": "a/../b", "title": markup, "heading_path": [markup], "page": 3,
            "start": 4, "end": 9, "text": text, "highlights": [[start, start + 5]],
        }  # fmt: skip
        headers = {"Access-Control-Allow-Origin": "*"}

        def answer(route: Route) -> None:
            route.fulfill(json={"hits": [hit]}, headers=headers)

        guest.route("**/v1/search?*", answer)
        type_and_wait(guest)
        option = guest.get_by_role("group", name="Treff i dokumentene").get_by_role("option")
        expect(option).to_contain_text(markup)
        expect(option.locator("mark")).to_have_text("målet")
        expect(guest.locator("img")).to_have_count(0)
        href = option.get_attribute("href") or ""
        assert href.endswith(f"/documents/a%2F..%2Fb?q={TYPED}#4-9")

    def test_a_late_answer_does_not_replace_a_newer_one(self, guest: Page) -> None:
        held: list[Route] = []

        def hold(route: Route) -> None:
            held.append(route)

        guest.route("**/v1/search?q=helse&*", hold)
        with guest.expect_request("**/v1/search?q=helse&*"):
            field(guest).fill("helse")
        field(guest).fill(HEADING)
        expect(options(guest).last).to_have_text(f"Se alle treff på «{HEADING}»")
        for route in held:
            route.abort()
        expect(guest.get_by_text("Får ikke kontakt")).to_have_count(0)
        expect(options(guest).last).to_have_text(f"Se alle treff på «{HEADING}»")

    def test_ends_with_the_element_and_begins_again_with_it(self, guest: Page) -> None:
        asked: list[str] = []
        guest.on("request", lambda request: asked.append(request.url))
        guest.evaluate("""() => {
            window.box = document.querySelector("kildesvar-search");
            box.remove();
            const input = box.shadowRoot.querySelector("input");
            input.value = "helse";
            input.dispatchEvent(new Event("input"));
        }""")
        guest.wait_for_timeout(400)
        assert not asked
        guest.evaluate("document.body.append(box)")
        type_and_wait(guest)
        assert len([url for url in asked if "/v1/search?" in url]) >= 1

    def test_takes_colours_and_width_from_the_page(self, guest: Page) -> None:
        looks = """(color) => {
            const box = document.querySelector("kildesvar-search");
            box.style.setProperty("--kildesvar-accent", color);
            box.style.setProperty("--kildesvar-width", "200px");
            const button = box.shadowRoot.querySelector("button");
            return [getComputedStyle(button).backgroundColor, box.offsetWidth];
        }"""
        assert guest.evaluate(looks, "#123456") == ["rgb(18, 52, 86)", 200]


class TestFailures:
    def test_a_site_that_is_not_listed_is_told_in_plain_words(
        self, browser: Browser, listed_site: Site
    ) -> None:
        with other_site() as unlisted:
            unlisted.service = listed_site.service
            page = browser.new_context().new_page()
            page.goto(unlisted.origin)
            field(page).press_sequentially("helse")
            expect(page.locator("#problem").first).to_have_text(
                "Får ikke kontakt med søketjenesten. Prøv igjen om litt."
            )
            expect(page.get_by_role("listbox")).to_have_count(0)
            page.context.close()

    @pytest.mark.parametrize(
        ("status", "words"), [(429, "opptatt"), (503, "opptatt"), (500, "Noe gikk galt")]
    )
    def test_a_refusal_is_told_in_plain_words(
        self, browser: Browser, listed_site: Site, status: int, words: str
    ) -> None:
        page = browser.new_context().new_page()
        headers = {"Access-Control-Allow-Origin": "*"}
        page.route("**/v1/**", lambda route: route.fulfill(status=status, headers=headers))
        page.goto(listed_site.origin)
        field(page).press_sequentially("helse")
        expect(page.locator("#problem").first).to_contain_text(words)
        page.unroute("**/v1/**")
        field(page).press_sequentially("r")
        expect(options(page).first).to_be_visible()
        expect(page.locator("#problem").first).to_be_hidden()
        page.context.close()

    @pytest.mark.parametrize("endpoint", ["", "javascript:alert(1)//", "intranet.example"])
    def test_a_useless_endpoint_is_said_at_once(self, guest: Page, endpoint: str) -> None:
        guest.locator("kildesvar-search").first.evaluate(
            "(box, endpoint) => box.setAttribute('endpoint', endpoint)", endpoint
        )
        expect(guest.locator("#problem").first).to_contain_text("mangler adressen")
        field(guest).fill("helse")
        guest.keyboard.press("Enter")
        expect(field(guest)).to_be_focused()


def service_for(examples_dir: Path, *origins: str) -> Iterator[TestClient]:
    kildesvar = Kildesvar(load_settings(data_dir=examples_dir, allowed_origins=",".join(origins)))
    yield TestClient(create_service(kildesvar), base_url=LOCAL)
    kildesvar.close()


@pytest.fixture(scope="module")
def sharing(examples_dir: Path) -> Iterator[TestClient]:
    """A service that shares with LISTED alone."""
    yield from service_for(examples_dir, LISTED)


@pytest.fixture(scope="module")
def open_to_all(examples_dir: Path) -> Iterator[TestClient]:
    yield from service_for(examples_dir, "*")


def preflight(client: TestClient, path: str, method: str, origin: str) -> dict[str, str]:
    """The answer's headers that a browser goes by when it asks before it sends."""
    asks = {
        "Origin": origin,
        "Access-Control-Request-Method": method,
        "Access-Control-Request-Headers": "authorization,content-type",
    }
    headers = client.options(path, headers=asks).headers
    return {name: value for name, value in headers.items() if name.startswith("access-control-")}


def send(client: TestClient, method: str, path: str, origin: str) -> tuple[int, str | None]:
    """Status, and whom the browser may show the answer to."""
    headers = {"Origin": origin, "Sec-Fetch-Site": "cross-site"}
    if method == "GET":
        response = client.get(path, params={"q": "helse"}, headers=headers)
    else:
        response = client.post(path, json={"question": "Hva er helse?"}, headers=headers)
    return response.status_code, response.headers.get("access-control-allow-origin")


class TestKey:
    def test_is_sent_and_a_refusal_of_it_is_told(
        self, browser: Browser, listed_site: Site, examples_dir: Path
    ) -> None:
        library = Library.open(examples_dir / "library.sqlite3")
        _, key = Keys(library).create("Søkeboks", Role.READ)
        library.close()
        page = browser.new_page()
        page.goto(listed_site.origin)
        box = page.locator("kildesvar-search").first
        box.evaluate("(box, key) => box.setAttribute('key', key)", f"{key[:-1]}.")
        field(page).fill(TYPED)
        expect(page.get_by_text("slipper ikke inn hos søketjenesten").first).to_be_visible()
        box.evaluate("(box, key) => box.setAttribute('key', key)", key)
        with page.expect_request(lambda request: "/v1/search" in request.url) as asked:
            field(page).fill(f"{TYPED}d")
        assert asked.value.headers["authorization"] == f"Bearer {key}"
        expect(options(page).first).to_be_visible()
        page.close()


class TestSharing:
    @pytest.mark.parametrize(("method", "path"), SHARED)
    def test_a_listed_origin_may_use_what_is_shared(
        self, sharing: TestClient, method: str, path: str
    ) -> None:
        allowed = preflight(sharing, path, method, LISTED)
        assert allowed["access-control-allow-origin"] == LISTED
        assert allowed["access-control-allow-methods"] == method
        assert "access-control-allow-credentials" not in allowed
        assert "authorization" in allowed["access-control-allow-headers"].lower()
        assert send(sharing, method, path, LISTED) == (200, LISTED)

    @pytest.mark.parametrize("origin", ["https://other.example", f"{LISTED}:8443", "null"])
    @pytest.mark.parametrize(("method", "path"), SHARED)
    def test_another_origin_sees_no_answer(
        self, sharing: TestClient, method: str, path: str, origin: str
    ) -> None:
        assert "access-control-allow-origin" not in preflight(sharing, path, method, origin)
        status, shown_to = send(sharing, method, path, origin)
        assert shown_to is None
        assert status == (403 if method == "POST" else 200)

    @pytest.mark.parametrize(
        ("method", "path"),
        [
            ("GET", "/v1/documents"),
            ("POST", "/v1/documents"),
            ("DELETE", "/v1/documents/x"),
            ("GET", "/v1/jobs"),
            ("GET", "/"),
            ("GET", "/static/search/search.js"),
        ],
    )
    def test_no_other_route_is_shared(self, sharing: TestClient, method: str, path: str) -> None:
        assert not preflight(sharing, path, method, LISTED)
        headers = {"Origin": LISTED, "Sec-Fetch-Site": "cross-site"}
        response = sharing.request(method, path, headers=headers, follow_redirects=False)
        assert "access-control-allow-origin" not in response.headers
        if method != "GET":
            assert response.status_code == 403

    def test_a_refusal_can_be_read_by_a_listed_origin(self, sharing: TestClient) -> None:
        headers = {"Origin": LISTED, "Sec-Fetch-Site": "cross-site"}
        wrong = sharing.get("/v1/search", headers=headers)
        large = sharing.post("/v1/ask", content=b"x" * 3_000_000, headers=headers)
        for response, status in ((wrong, 422), (large, 413)):
            assert response.status_code == status
            assert response.headers["access-control-allow-origin"] == LISTED

    def test_names_of_other_machines_are_still_refused(self, sharing: TestClient) -> None:
        headers = {"Origin": LISTED, "Host": "kilder.example"}
        assert sharing.get("/v1/search?q=helse", headers=headers).status_code == 400

    @pytest.mark.parametrize(("method", "path"), SHARED)
    def test_a_star_shares_with_all(self, open_to_all: TestClient, method: str, path: str) -> None:
        assert send(open_to_all, method, path, "https://other.example") == (200, "*")
        assert not preflight(open_to_all, "/v1/documents", "DELETE", "https://other.example")

    @pytest.mark.parametrize(("method", "path"), SHARED)
    def test_nothing_is_shared_unless_said(
        self, client: TestClient, method: str, path: str
    ) -> None:
        assert not preflight(client, path, method, LISTED)
        assert send(client, method, path, LISTED)[1] is None

    def test_a_refused_page_is_told_the_setting(self, client: TestClient) -> None:
        headers = {"Origin": LISTED, "Sec-Fetch-Site": "cross-site"}
        for path, named in (("/v1/ask", True), ("/v1/documents", False)):
            response = client.post(path, json={"question": "Hva?"}, headers=headers)
            assert response.status_code == 403
            assert ("KILDESVAR_ALLOWED_ORIGINS" in response.json()["detail"]) is named


class TestScript:
    def test_any_page_may_load_it_and_asks_again_before_each_use(self, client: TestClient) -> None:
        response = client.get("/embed/kildesvar-search.js", headers={"Origin": LISTED})
        assert response.status_code == 200
        again = client.get(
            "/embed/kildesvar-search.js", headers={"If-None-Match": response.headers["etag"]}
        )
        assert again.status_code == 304
        for answer in (response, again):
            assert answer.headers["access-control-allow-origin"] == "*"
            assert answer.headers["cache-control"] == "no-cache"
        assert response.headers["cross-origin-resource-policy"] == "cross-origin"
        assert response.headers["content-type"].startswith("text/javascript")

    def test_other_files_are_for_own_pages(self, client: TestClient) -> None:
        for path in ("/static/search/search.js", "/v1/search?q=helse", "/search"):
            headers = client.get(path).headers
            assert headers.get_list("cross-origin-resource-policy") == ["same-origin"]
            assert "access-control-allow-origin" not in headers

    def test_is_one_small_file(self) -> None:
        script = SCRIPT.read_text(encoding="utf-8")
        assert len(script.encode()) < 16_000
        assert [path.name for path in SCRIPT.parent.iterdir()] == [SCRIPT.name]
        for word in ("import ", "import(", "innerHTML", "insertAdjacentHTML", "cssText"):
            assert word not in script, word

    def test_what_the_page_may_set_is_documented(self) -> None:
        script = SCRIPT.read_text(encoding="utf-8")
        page = (ROOT / "docs/search-box.md").read_text(encoding="utf-8")
        properties = {part.split(",")[0] for part in script.split("var(")[1:]} - {""}
        own = {name for name in properties if name.startswith("--kildesvar-")}
        assert len(own) >= 10
        for name in [*own, "endpoint", "lang", "placeholder", "limit"]:
            assert f"`{name}`" in page, name
