"""Signing in and out in a real Chromium, over a service that asks for keys."""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from app.access.callers import Role
from app.access.keys import Keys
from app.client import Kildesvar, ProblemError
from tests.browsing import ANSWER, QUESTION, answer_to, expect_no_sideways_scroll, question_field
from tests.running import Running, running
from tests.test_accessibility import RULES

AWAY = ["//evil.example/", "https://evil.example/", "/\\evil.example", "javascript:alert(1)"]
"""What is no page of this service."""


@pytest.fixture(scope="module")
def guarded(ingested: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    data_dir = shutil.copytree(ingested, tmp_path_factory.mktemp("guarded") / "data")
    with running(data_dir, require_keys=True) as service:
        yield service


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 360, "height": 740})
    context.set_default_timeout(10_000)
    yield context.new_page()
    context.close()


def send_key(page: Page, key: str) -> None:
    page.get_by_label("Nøkkel").fill(key)
    page.keyboard.press("Enter")


def test_sign_in_ask_and_sign_out(page: Page, guarded: Running) -> None:
    url = str(guarded.client.base_url).rstrip("/")
    keys = Keys(guarded.kildesvar.library)
    _, key = keys.create("Lesesalen", Role.READ)

    with Kildesvar(url, key=key) as client:
        assert client.caller().name == "Lesesalen"
    with Kildesvar(url) as client, pytest.raises(ProblemError, match="asks for a key"):
        client.caller()

    page.goto(f"{url}/search?q=samhandling#results")
    expect(page.get_by_role("heading", name="Logg inn")).to_be_visible()
    expect(page.get_by_label("Nøkkel")).to_be_focused()
    expect_no_sideways_scroll(page)
    send_key(page, "feil")
    expect(page.get_by_role("alert")).to_contain_text("Nøkkelen gjelder ikke")
    expect(page.get_by_label("Nøkkel")).to_be_focused()
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
        found = Axe().run(page, options={"runOnly": RULES})
        assert found.violations_count == 0, found.generate_report()
    page.get_by_role("link", name="English").click()
    expect(page.get_by_role("alert")).to_contain_text("The key does not hold")
    page.get_by_role("link", name="Nynorsk").click()
    expect(page.get_by_role("alert")).to_contain_text("Nøkkelen gjeld ikkje")
    page.get_by_role("link", name="Bokmål").click()
    send_key(page, key)
    page.wait_for_url(f"{url}/search?q=samhandling#results")
    expect(page.locator("#results article, #results li").first).to_be_visible()

    page.goto(url)
    question_field(page).fill(QUESTION)
    page.keyboard.press("Enter")
    expect(answer_to(page, QUESTION)).to_contain_text(ANSWER)
    expect_no_sideways_scroll(page)

    library = page.context.new_page()
    library.goto(f"{url}/library")
    expect(library.get_by_role("heading", name="Dokumenter", exact=True)).to_be_visible()
    expect(library.get_by_role("heading", name="Biblioteket")).to_be_visible()
    for hidden in ("Legg inn filer", "Svarene"):
        expect(library.get_by_role("heading", name=hidden)).to_be_hidden()
    expect(library.get_by_role("button", name=re.compile("^Handlinger"))).to_have_count(0)

    page.get_by_role("button", name="Logg ut").click()
    for tab in (page, library):
        expect(tab.get_by_role("heading", name="Logg inn")).to_be_visible()
    assert page.evaluate("localStorage.getItem('kildesvar.history')") == "[]"
    assert not [c for c in page.context.cookies() if c.get("name") == "kildesvar_session"]

    for away in AWAY:
        page.goto(f"{url}/sign-in?{urlencode({'to': away})}")
        send_key(page, key)
        page.get_by_role("button", name="Logg ut").click()
        expect(page.get_by_role("heading", name="Logg inn")).to_be_visible()
        assert page.url.startswith(f"{url}/sign-in"), page.url
