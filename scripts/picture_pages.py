"""Takes the pictures of docs/pages.md: every page of a running service, in Debian's Chromium.

    .venv/bin/python -m scripts.picture_pages http://127.0.0.1:8080 docs/pictures

The service should hold the example documents, since the questions are about them.
"""

import argparse
import shutil
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

QUESTION = "Hvor mange medlemmer har bransjen?"
FOLLOW_UP = "Og hvor mange årsverk?"
UNANSWERED = "Hva er hovedstaden i Frankrike?"

DESK = (1280, 800)
PHONE = (390, 780)

Show = Callable[[Page, str], None]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("service", help="address of a running service")
    parser.add_argument("folder", type=Path, help="where the pictures go")
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"]
        )
        for name, (show, size, theme) in PICTURES.items():
            picture = arguments.folder / f"{name}.png"
            take(browser, arguments.service.rstrip("/"), show, size, theme, picture)
            print(picture)
        browser.close()
    return 0


def take(  # noqa: PLR0913, PLR0917 - what a picture is of
    browser: Browser, service: str, show: Show, size: tuple[int, int], theme: str, picture: Path
) -> None:
    page = browser.new_page(
        viewport={"width": size[0], "height": size[1]},
        color_scheme="dark" if theme == "dark" else "light",
        locale="nb-NO",
    )
    show(page, service)
    page.wait_for_timeout(800)
    page.screenshot(path=picture)
    page.close()


def begin(page: Page, service: str) -> None:
    page.goto(service)
    page.locator(".example").first.wait_for()


def answer(page: Page, service: str) -> None:
    put(page, service, QUESTION)


def follow_up(page: Page, service: str) -> None:
    put(page, service, QUESTION)
    page.fill("#question", FOLLOW_UP)
    page.keyboard.press("Enter")
    page.locator("article").nth(1).wait_for()


def cited(page: Page, service: str) -> None:
    put(page, service, QUESTION)
    page.locator(".citation").first.click()
    page.locator(".panel mark").first.wait_for()


def refusal(page: Page, service: str) -> None:
    put(page, service, UNANSWERED)


def document(page: Page, service: str) -> None:
    put(page, service, QUESTION)
    address = page.locator(".title").first.get_attribute("href")
    page.goto(f"{service}{address}")
    page.locator("mark").first.wait_for()


def search(page: Page, service: str) -> None:
    page.goto(f"{service}/search?q=helse+og+velferd")
    page.locator("mark").first.wait_for()


def suggestions(page: Page, service: str) -> None:
    page.goto(f"{service}/search")
    page.get_by_role("combobox").press_sequentially("vel", delay=60)
    page.get_by_role("option").first.wait_for()


def library(page: Page, service: str) -> None:
    page.goto(f"{service}/library")
    page.get_by_role("row").nth(1).wait_for()


def figures(page: Page, service: str) -> None:
    library(page, service)
    page.get_by_role("link", name="Tall for bibliotek og svar").click()


def put(page: Page, service: str, question: str) -> None:
    page.goto(service)
    page.fill("#question", question)
    page.keyboard.press("Enter")
    page.locator("article").first.wait_for()


PICTURES: dict[str, tuple[Show, tuple[int, int], str]] = {
    "ask": (begin, DESK, "light"),
    "answer": (answer, DESK, "light"),
    "answer-dark": (cited, DESK, "dark"),
    "answer-phone": (answer, PHONE, "light"),
    "citation": (cited, DESK, "light"),
    "follow-up": (follow_up, DESK, "light"),
    "refusal": (refusal, DESK, "light"),
    "document": (document, DESK, "light"),
    "search": (search, DESK, "light"),
    "search-dark": (search, DESK, "dark"),
    "search-phone": (search, PHONE, "light"),
    "suggestions": (suggestions, DESK, "light"),
    "library": (library, DESK, "light"),
    "figures": (figures, DESK, "light"),
    "library-dark": (library, DESK, "dark"),
    "library-phone": (library, PHONE, "light"),
}

if __name__ == "__main__":
    raise SystemExit(main())
