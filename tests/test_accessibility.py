"""Every page in every state against axe-core's rules for WCAG 2.2 AA, in the light and the dark."""

from collections.abc import Callable

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.browsing import (
    OFF_TOPIC,
    QUESTION,
    ask,
    cited_document,
    first_citation,
    open_first_document,
    panel,
    question_field,
)

RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]

Show = Callable[[Page, str], object]


def intro(page: Page, service_url: str) -> None:
    page.goto(service_url)
    expect(page.locator(".example").first).to_be_visible(timeout=30_000)


def answered(page: Page, service_url: str) -> None:
    answer = ask(page, service_url)
    answer.get_by_role("button", name="Dårlig svar").click()
    expect(answer.get_by_role("textbox")).to_be_visible()


def refused(page: Page, service_url: str) -> None:
    ask(page, service_url, OFF_TOPIC)


def cited(page: Page, service_url: str) -> None:
    ask(page, service_url)
    first_citation(page).click()
    expect(panel(page).locator("mark").first).to_be_visible()
    first_citation(page).hover()
    expect(page.get_by_role("tooltip")).to_be_visible()


def earlier(page: Page, service_url: str) -> None:
    ask(page, service_url)
    page.set_viewport_size({"width": 360, "height": 740})
    page.get_by_role("button", name="Tidligere spørsmål").click()


def offline(page: Page, service_url: str) -> None:
    page.goto(service_url)
    page.route("**/v1/ask", lambda route: route.fulfill(body=""))
    question_field(page).fill(QUESTION)
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_be_visible()


def at_a_hit(page: Page, service_url: str) -> None:
    page.set_viewport_size({"width": 360, "height": 740})
    open_first_document(page, service_url)
    expect(page.locator("mark").first).to_be_visible()


def whole_document(page: Page, service_url: str) -> None:
    page.goto(f"{service_url}/documents/{cited_document(page, service_url)['id']}")
    expect(page.get_by_role("article")).to_be_visible()


STATES = [intro, answered, refused, cited, earlier, offline, at_a_hit, whole_document]


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("show", STATES, ids=lambda show: show.__name__)
def test_axe_finds_nothing(wide_page: Page, service_url: str, show: Show, theme: str) -> None:
    wide_page.emulate_media(color_scheme="dark" if theme == "dark" else "light")
    show(wide_page, service_url)
    wide_page.wait_for_timeout(300)  # axe takes a colour that fades in for too pale
    found = Axe().run(wide_page, options={"runOnly": RULES})
    assert found.violations_count == 0, found.generate_report()
