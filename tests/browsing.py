"""How the browser tests ask, point and look: the words of the pages, in one place."""

import json
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

from playwright.sync_api import Locator, Page, Route, expect

QUESTION = "Hvor mange medlemmer har bransjen?"
ANSWER = "1369"
OFF_TOPIC = "Hva er hovedstaden i Frankrike?"


def ask_address(service_url: str, *questions: str) -> str:
    return f"{service_url}/?{urlencode([('q', question) for question in questions])}"


def ask(page: Page, service_url: str, question: str = QUESTION) -> Locator:
    page.goto(ask_address(service_url, question))
    return answer_to(page, question)


def answer_to(page: Page, question: str) -> Locator:
    answer = page.get_by_role("article", name=question)
    expect(answer).to_be_visible()
    return answer


def question_field(page: Page) -> Locator:
    return page.get_by_role("textbox", name="Spørsmål")


def first_citation(page: Page) -> Locator:
    return page.get_by_role("link", name=re.compile(r"^Kilde 1:"))


def panel(page: Page) -> Locator:
    return page.get_by_role("complementary")


def open_first_document(page: Page, service_url: str) -> None:
    """Follows the first citation to the document's own page, as a narrow screen does."""
    ask(page, service_url)
    first_citation(page).click()
    page.wait_for_url(re.compile(r"/documents/[^#]+#\d+-\d+$"))


def change_answers(page: Page, change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    """Lets the page read the service's answers as `change` makes them."""

    def changed(route: Route) -> None:
        asked = {**json.loads(route.request.post_data or ""), "stream": False}
        answer = change(route.fetch(post_data=json.dumps(asked)).json())
        body = f"event: answer\ndata: {json.dumps(answer)}\n\n"
        route.fulfill(body=body, content_type="text/event-stream")

    page.route("**/v1/ask", changed)


def expect_no_sideways_scroll(page: Page) -> None:
    overflow = page.evaluate(
        "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    )
    assert overflow <= 0


def cited_document(page: Page, service_url: str) -> dict[str, Any]:
    """The document that answers QUESTION, as the service gives it."""
    answer = page.request.post(f"{service_url}/v1/ask", data={"question": QUESTION}).json()
    document_id = answer["citations"][0]["document_id"]
    document: dict[str, Any] = page.request.get(f"{service_url}/v1/documents/{document_id}").json()
    return document


def serve_instead(page: Page, document: dict[str, Any], **changes: Any) -> None:
    """Lets the page read `document` with `changes`, at the address of the real one."""
    page.route(
        f"**/v1/documents/{document['id']}", lambda route: route.fulfill(json=document | changes)
    )


def block(text: str, words: str, kind: str = "paragraph", level: int = 0) -> dict[str, Any]:
    """A block around `words`. Python's indices count code points, as the contract does."""
    start = text.index(words)
    return {"kind": kind, "start": start, "end": start + len(words), "page": None, "level": level}
