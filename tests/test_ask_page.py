"""The ask page in a real Chromium: what a reader sees, presses and hears."""

import json
import re
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page, Route, expect

from tests.browsing import (
    ANSWER,
    OFF_TOPIC,
    QUESTION,
    answer_to,
    ask,
    ask_address,
    change_answers,
    expect_no_sideways_scroll,
    first_citation,
    open_first_document,
    panel,
    question_field,
)

OTHER = "Hvilke to områder ble nye i 2023?"
OTHER_ANSWER = "arbeidsinkludering og digitalisering"


def put(page: Page, question: str) -> Locator:
    """Asks in the field, and gives the answer."""
    question_field(page).fill(question)
    page.keyboard.press("Enter")
    return answer_to(page, question)


def past(page: Page) -> Locator:
    return page.get_by_role("navigation", name="Tidligere spørsmål")


class TestAsking:
    def test_the_question_field_has_focus(self, page: Page, service_url: str) -> None:
        page.goto(service_url)
        expect(question_field(page)).to_be_focused()

    def test_answer_in_the_documents_words_with_its_source(
        self, page: Page, service_url: str
    ) -> None:
        page.goto(service_url)
        question_field(page).fill(QUESTION)
        page.keyboard.press("Enter")
        answer = page.get_by_role("article", name=QUESTION)
        expect(answer).to_contain_text(ANSWER)
        expect(first_citation(page)).to_be_visible()
        sources = answer.get_by_role("region", name="Kilder").get_by_role("listitem")
        expect(sources.first).to_contain_text(ANSWER)
        expect(answer).to_contain_text(re.compile(r"Svarte på \S+\s(ms|s)"))
        expect(page.get_by_role("status")).to_contain_text("kilde")

    def test_a_short_answer_comes_first_and_is_marked_where_it_is_quoted(
        self, page: Page, service_url: str
    ) -> None:
        def shorten(answer: dict[str, Any]) -> dict[str, Any]:
            first = answer["citations"][0]
            start = first["start"] + first["quote"].index(ANSWER)
            first["short_answer"] = [start, start + len(ANSWER)]
            return {**answer, "short_answer": ANSWER}

        change_answers(page, shorten)
        answer = ask(page, service_url)
        expect(answer.get_by_role("paragraph").first).to_have_text(f"Kort svar: {ANSWER}")
        expect(answer.locator("mark")).to_have_text(ANSWER)

    def test_a_documents_own_brackets_are_no_citation(self, page: Page, service_url: str) -> None:
        def bracket(answer: dict[str, Any]) -> dict[str, Any]:
            citation = answer["citations"][0]
            quotes = ["Punkt 1 [2]\n\nsom er vist [2]\n\ni notatet.", "Se [1]."]
            answer["citations"] = [
                {**citation, "number": number, "quote": quote}
                for number, quote in enumerate(quotes, 1)
            ]
            answer["answer"] = "\n\n".join(f"{q} [{n}]" for n, q in enumerate(quotes, 1))
            return answer

        change_answers(page, bracket)
        answer = ask(page, service_url)
        paragraphs = answer.locator(".prose").get_by_role("paragraph")
        expect(paragraphs).to_have_text(
            ["Punkt 1 [2]", "som er vist [2]", re.compile(r"^i notatet\.\W+1\]$"), re.compile("Se")]
        )
        expect(first_citation(page)).to_have_count(1)
        expect(page.get_by_role("link", name=re.compile(r"^Kilde 2:"))).to_have_count(1)

    def test_every_sentence_of_a_language_model_cites(self, page: Page, service_url: str) -> None:
        words = f"Det er {ANSWER} <b>ting</b>. [1] De er {ANSWER}. [1]\n\nDet andre. [1] [99]"
        written = {"answer": words, "short_answer": ANSWER, "composed_by": "model"}
        change_answers(page, lambda answer: {**answer, **written, "notice": "Noe er utelatt."})
        answer = ask(page, service_url)
        expect(answer.get_by_text("Skrevet av en språkmodell.")).to_contain_text("Noe er utelatt.")
        paragraphs = answer.locator(".prose").get_by_role("paragraph")
        expect(paragraphs).to_have_count(2)
        expect(paragraphs.nth(0)).to_contain_text(f"Det er {ANSWER} <b>ting</b>.")
        expect(paragraphs.nth(0).get_by_role("link")).to_have_count(2)
        expect(paragraphs.nth(0).locator("mark")).to_have_text(ANSWER)
        expect(paragraphs.nth(1).get_by_role("link")).to_have_count(1)
        expect(paragraphs.nth(1)).to_contain_text("[99]")

    def test_examples_come_from_the_library_and_are_answered(
        self, page: Page, service_url: str
    ) -> None:
        page.goto(service_url)
        examples = page.get_by_role("region", name="Prøv for eksempel").get_by_role("button")
        expect(examples).to_have_count(3, timeout=30_000)  # they are made after the start
        question = examples.first.inner_text()
        examples.first.click()
        expect(answer_to(page, question).get_by_role("link").first).to_be_visible()
        expect(question_field(page)).to_be_focused()
        expect(question_field(page)).to_have_value("")

    def test_an_empty_question_asks_nothing(self, page: Page, service_url: str) -> None:
        page.goto(service_url)
        question_field(page).fill("   ")
        page.keyboard.press("Enter")
        expect(question_field(page)).to_be_focused()
        expect(page.get_by_role("heading", name="Spør dokumentene")).to_be_visible()

    def test_abstains_honestly_and_offers_the_nearest_passages(
        self, page: Page, service_url: str
    ) -> None:
        answer = ask(page, service_url, OFF_TOPIC)
        expect(answer).to_contain_text("finner ikke svaret i dokumentene")
        expect(answer.get_by_role("link", name=re.compile("^Kilde"))).to_have_count(0)
        expect(answer.get_by_role("button", name="Kopier", exact=True)).to_have_count(0)
        nearest = answer.get_by_role("region", name="Kanskje relevant").get_by_role("link")
        expect(nearest.first).to_have_attribute("href", re.compile(r"^/documents/[^#]+#\d+-\d+$"))

    def test_the_words_of_an_answer_are_shown_as_they_come(
        self, page: Page, service_url: str
    ) -> None:
        # Chromium hands a fulfilled body over whole, so the page's own reading is fed by hand.
        page.add_init_script(
            """
            const send = window.fetch;
            window.fetch = (address, options) => {
              if (address !== "/v1/ask") return send(address, options);
              const start = (controller) => { window.stream = controller; };
              const body = new ReadableStream({ start });
              return Promise.resolve(new Response(body));
            };
            window.say = (text) => window.stream.enqueue(new TextEncoder().encode(text));
            """
        )
        page.goto(ask_address(service_url, QUESTION))
        page.wait_for_function("window.stream")
        page.evaluate('say(\'event: stage\\ndata: {"name": "read"}\\n\\n\')')
        expect(page.get_by_text("Leser det som ble funnet …")).to_be_visible()
        page.evaluate("say(': ping\\n\\nevent: token\\nda')")
        page.evaluate('say(\'ta: {"text": "Bransjen har"}\\r\\n\\r\\n\')')
        expect(page.get_by_text("Bransjen har", exact=True)).to_be_visible()
        page.evaluate("stream.close()")
        expect(page.get_by_role("alert")).to_contain_text("ikke forstår")


class TestConversation:
    def test_a_follow_up_stands_beneath_and_knows_what_was_said(
        self, page: Page, service_url: str
    ) -> None:
        ask(page, service_url)
        with page.expect_request("**/v1/ask") as sent:
            put(page, OTHER)
        told = json.loads(sent.value.post_data or "")["messages"]
        assert [message["role"] for message in told] == ["user", "assistant"]
        assert told[0]["content"] == QUESTION
        assert ANSWER in told[1]["content"]
        expect(page.get_by_role("article")).to_have_count(2)
        expect(answer_to(page, QUESTION)).to_contain_text(ANSWER)
        expect(answer_to(page, OTHER)).to_contain_text(OTHER_ANSWER)
        expect(answer_to(page, OTHER).get_by_role("heading").first).to_be_in_viewport()
        expect(question_field(page)).to_be_focused()

    def test_a_new_one_begins_without_the_old(self, page: Page, service_url: str) -> None:
        ask(page, service_url)
        page.get_by_role("link", name="Ny samtale").click()
        expect(page.get_by_role("heading", name="Spør dokumentene")).to_be_visible()
        with page.expect_request("**/v1/ask") as sent:
            put(page, OTHER)
        assert "messages" not in json.loads(sent.value.post_data or "")
        expect(page.get_by_role("article")).to_have_count(1)

    def test_many_questions_at_once_are_answered_in_turn(
        self, page: Page, service_url: str
    ) -> None:
        page.goto(ask_address(service_url, QUESTION, OTHER, OFF_TOPIC))
        expect(page.get_by_role("article")).to_have_count(3)
        headings = page.locator("article h2")
        expect(headings).to_have_text([QUESTION, OTHER, OFF_TOPIC])

    def test_an_endless_conversation_still_has_an_address(
        self, page: Page, service_url: str
    ) -> None:
        long = [f"{number} {'ord ' * 400}" for number in range(4)]
        page.goto(service_url)
        for question in long:
            question_field(page).fill(question)
            page.keyboard.press("Enter")
        expect(page.locator("article h2").last).to_have_text(long[-1].strip())
        assert len(page.url) < 7000


class TestHistory:
    def test_earlier_conversations_are_kept_and_opened_anew(
        self, wide_page: Page, service_url: str
    ) -> None:
        ask(wide_page, service_url)
        put(wide_page, OTHER)
        wide_page.goto(service_url)
        earlier = past(wide_page).get_by_role("link")
        expect(earlier).to_have_text([f"{QUESTION} +1"])
        earlier.click()
        expect(answer_to(wide_page, OTHER)).to_contain_text(OTHER_ANSWER)
        assert ANSWER not in wide_page.evaluate("JSON.stringify({...localStorage})")

    def test_one_is_forgotten_or_all_and_a_slip_is_undone(
        self, wide_page: Page, service_url: str
    ) -> None:
        for question in (QUESTION, OTHER):
            ask(wide_page, service_url, question)
        earlier = past(wide_page).get_by_role("link")
        expect(earlier).to_have_text([OTHER, QUESTION])
        past(wide_page).get_by_role("button", name=f"Fjern «{OTHER}»").click()
        expect(earlier).to_have_text([QUESTION])
        expect(earlier).to_be_focused()
        past(wide_page).get_by_role("button", name="Tøm listen").click()
        expect(earlier).to_have_count(0)
        wide_page.keyboard.press("Enter")  # «Angre» has focus
        expect(earlier).to_have_text([QUESTION])
        past(wide_page).get_by_role("button", name="Tøm listen").click()
        wide_page.goto(service_url)  # the address of a question would ask it again
        expect(past(wide_page)).to_be_hidden()

    def test_a_phone_opens_it_with_a_button(self, phone_page: Page, service_url: str) -> None:
        phone_page.goto(service_url)
        opener = phone_page.get_by_role("button", name="Tidligere spørsmål")
        expect(opener).to_be_hidden()
        put(phone_page, QUESTION)
        phone_page.get_by_role("link", name="Ny samtale").click()
        expect(past(phone_page)).to_be_hidden()
        opener.click()
        past(phone_page).get_by_role("link").click()
        expect(past(phone_page)).to_be_hidden()
        expect(answer_to(phone_page, QUESTION)).to_be_visible()

    @pytest.mark.parametrize("kept", ["{", "7", '[1, [], ["a", 2], {}]'])
    def test_what_is_not_a_history_is_none(self, page: Page, service_url: str, kept: str) -> None:
        page.add_init_script(f"localStorage.setItem('kildesvar.history', {json.dumps(kept)})")
        page.goto(service_url)
        expect(past(page)).to_be_hidden()
        expect(question_field(page)).to_be_focused()


class TestFeedback:
    def test_a_thumb_and_a_reason_are_stored(self, page: Page, service_url: str) -> None:
        answer = ask(page, service_url)
        down = answer.get_by_role("button", name="Dårlig svar")
        expect(down).to_have_attribute("aria-pressed", "false")
        down.click()
        expect(down).to_have_attribute("aria-pressed", "true")
        answer.get_by_role("textbox", name="Hva var galt?").fill("Tallet er gammelt")
        page.keyboard.press("Enter")
        expect(answer).to_contain_text("Takk for tilbakemeldingen.")
        kept = page.request.get(f"{service_url}/v1/feedback?limit=1").json()["feedback"][0]
        assert (kept["verdict"], kept["reason"]) == ("down", "Tallet er gammelt")
        assert kept["question"] == QUESTION
        answer.get_by_role("button", name="Nyttig svar").click()
        expect(down).to_have_attribute("aria-pressed", "false")

    def test_one_that_is_lost_is_told_and_can_be_given_again(
        self, failing_page: Page, service_url: str
    ) -> None:
        failing_page.route("**/v1/feedback", lambda route: route.abort())
        answer = ask(failing_page, service_url)
        up = answer.get_by_role("button", name="Nyttig svar")
        up.click()
        expect(answer.get_by_role("alert")).to_contain_text("kom ikke fram")
        expect(up).to_have_attribute("aria-pressed", "false")
        failing_page.unroute("**/v1/feedback")
        up.click()
        expect(up).to_have_attribute("aria-pressed", "true")
        expect(answer.get_by_role("alert")).to_have_count(0)

    def test_a_service_that_keeps_nothing_is_not_asked_to(
        self, page: Page, service_url: str
    ) -> None:
        change_answers(page, lambda answer: {**answer, "answer_id": None})
        answer = ask(page, service_url)
        expect(answer.get_by_role("button", name="Kopier", exact=True)).to_be_visible()
        expect(answer.get_by_role("group", name="Var svaret nyttig?")).to_have_count(0)


@pytest.fixture
def copying_page(browser: Browser, service_url: str) -> Any:
    context = browser.new_context(permissions=["clipboard-read", "clipboard-write"])
    context.set_default_timeout(10_000)
    yield context.new_page()
    context.close()


class TestCopying:
    def test_plain_with_sources_that_open_the_passage(
        self, copying_page: Page, service_url: str
    ) -> None:
        ask(copying_page, service_url)
        copying_page.get_by_role("button", name="Kopier", exact=True).click()
        expect(copying_page.get_by_role("button", name="Kopiert")).to_be_visible()
        copied = copying_page.evaluate("navigator.clipboard.readText()")
        assert copied.startswith(f"{QUESTION}\n\n")
        assert "Kilder:\n[1] " in copied
        address = re.search(r"http\S+", copied)
        assert address
        copying_page.goto(address[0])
        expect(copying_page.locator("mark").first).to_contain_text(ANSWER)

    def test_markdown_that_the_documents_cannot_break(
        self, copying_page: Page, service_url: str
    ) -> None:
        def trick(answer: dict[str, Any]) -> dict[str, Any]:
            answer["citations"][0]["title"] = "Notat](https://example.org) <b>"
            return answer

        change_answers(copying_page, trick)
        ask(copying_page, service_url)
        copying_page.get_by_role("button", name="Kopier som Markdown").click()
        copied = copying_page.evaluate("navigator.clipboard.readText()")
        assert copied.startswith(f"**{QUESTION}**\n\n> ")
        assert r"1. [Notat\](https://example.org) \<b\>" in copied

    def test_where_the_page_is_not_secure(self, copying_page: Page, service_url: str) -> None:
        copying_page.add_init_script(
            "const clipboard = navigator.clipboard; window.read = () => clipboard.readText();"
            "Object.defineProperty(navigator, 'clipboard', { value: undefined });"
        )
        ask(copying_page, service_url)
        copying_page.get_by_role("button", name="Kopier", exact=True).click()
        expect(copying_page.get_by_role("button", name="Kopiert")).to_be_focused()
        assert ANSWER in copying_page.evaluate("read()")


class TestAddress:
    def test_reload_keeps_the_conversation(self, page: Page, service_url: str) -> None:
        page.goto(service_url)
        put(page, QUESTION)
        put(page, OTHER)
        page.reload()
        expect(answer_to(page, QUESTION)).to_contain_text(ANSWER)
        expect(answer_to(page, OTHER)).to_contain_text(OTHER_ANSWER)

    def test_back_and_forward_go_through_the_questions(self, page: Page, service_url: str) -> None:
        page.goto(service_url)
        for question in (QUESTION, OFF_TOPIC):
            put(page, question)
        page.go_back()
        expect(page.get_by_role("article")).to_have_count(1)
        expect(answer_to(page, QUESTION)).to_contain_text(ANSWER)
        page.go_back()
        expect(page.get_by_role("heading", name="Spør dokumentene")).to_be_visible()
        expect(page.get_by_role("article")).to_have_count(0)
        page.go_forward()
        expect(answer_to(page, QUESTION)).to_contain_text(ANSWER)

    def test_a_late_answer_does_not_come_into_another_conversation(
        self, page: Page, service_url: str
    ) -> None:
        held: list[Route] = []

        def hold_first(route: Route) -> None:
            if OFF_TOPIC in (route.request.post_data or ""):
                held.append(route)
            else:
                route.continue_()

        page.route("**/v1/ask", hold_first)
        page.goto(ask_address(service_url, OFF_TOPIC))
        expect(page.get_by_role("status")).to_have_text("Leter i dokumentene …")
        page.get_by_role("link", name="Ny samtale").click()
        expect(put(page, QUESTION)).to_contain_text(ANSWER)
        assert held
        for route in held:
            route.abort()
        expect(page.get_by_role("article")).to_have_count(1)
        expect(page.get_by_role("alert")).to_have_count(0)


class TestCitation:
    def test_opens_the_document_beside_the_answer_at_the_passage(
        self, wide_page: Page, service_url: str
    ) -> None:
        answer = ask(wide_page, service_url)
        first_citation(wide_page).click()
        passage = panel(wide_page).locator("mark").first
        expect(passage).to_contain_text(ANSWER)
        expect(passage).to_be_in_viewport()
        expect(passage).to_be_focused()
        expect(answer).to_be_in_viewport()
        expect(first_citation(wide_page)).to_have_attribute("aria-current", "true")
        expect_no_sideways_scroll(wide_page)

    def test_an_open_passage_survives_reload_and_back_closes_it(
        self, wide_page: Page, service_url: str
    ) -> None:
        ask(wide_page, service_url)
        first_citation(wide_page).click()
        expect(panel(wide_page).locator("mark").first).to_contain_text(ANSWER)
        wide_page.reload()
        expect(panel(wide_page).locator("mark").first).to_contain_text(ANSWER)
        wide_page.go_back()
        expect(panel(wide_page)).to_be_hidden()
        expect(wide_page.get_by_role("article", name=QUESTION)).to_be_visible()

    def test_goes_to_the_document_page_on_a_narrow_screen(
        self, phone_page: Page, service_url: str
    ) -> None:
        open_first_document(phone_page, service_url)
        passage = phone_page.locator("mark").first
        expect(passage).to_contain_text(ANSWER)
        expect(passage).to_be_in_viewport()
        phone_page.get_by_role("link", name="Tilbake til svaret").click()
        expect(phone_page.get_by_role("article", name=QUESTION)).to_contain_text(ANSWER)

    def test_previews_its_quote_under_the_pointer(self, page: Page, service_url: str) -> None:
        ask(page, service_url)
        first_citation(page).hover()
        preview = page.get_by_role("tooltip")
        expect(preview).to_contain_text(ANSWER)
        expect(preview).to_be_in_viewport(ratio=1)
        preview.hover()
        expect(preview).to_be_visible()
        page.keyboard.press("Escape")
        expect(preview).to_be_hidden()

    def test_keyboard_all_the_way(self, wide_page: Page, service_url: str) -> None:
        wide_page.goto(service_url)
        expect(question_field(wide_page)).to_be_focused()
        wide_page.keyboard.type(QUESTION)
        wide_page.keyboard.press("Enter")
        citation = first_citation(wide_page)
        expect(citation).to_be_visible()
        for _ in range(20):
            wide_page.keyboard.press("Shift+Tab")
            if citation.evaluate("node => node === document.activeElement"):
                break
        expect(citation).to_be_focused()
        expect(citation).to_have_accessible_description(re.compile(ANSWER))
        wide_page.keyboard.press("Enter")
        passage = panel(wide_page).locator("mark").first
        expect(passage).to_be_focused()
        wide_page.keyboard.press("Shift+Tab")
        wide_page.keyboard.press("Shift+Tab")
        expect(panel(wide_page).get_by_role("button", name="Lukk")).to_be_focused()
        wide_page.keyboard.press("Escape")
        expect(panel(wide_page)).to_be_hidden()
        expect(citation).to_be_focused()


class TestErrors:
    def test_no_contact_and_then_contact_again(self, failing_page: Page, service_url: str) -> None:
        failing_page.route("**/v1/ask", lambda route: route.abort())
        failing_page.goto(ask_address(service_url, QUESTION))
        alert = failing_page.get_by_role("alert")
        expect(alert).to_contain_text("Får ikke kontakt med tjenesten")
        failing_page.unroute("**/v1/ask")
        alert.get_by_role("button", name="Prøv igjen").click()
        expect(failing_page.get_by_role("article", name=QUESTION)).to_contain_text(ANSWER)

    @pytest.mark.parametrize(
        ("status", "title"),
        [
            (422, "Spørsmålet kunne ikke besvares slik det står"),
            (429, "Mange spør akkurat nå"),
            (500, "Noe gikk galt i tjenesten"),
            (503, "Tjenesten er ikke klar ennå"),
        ],
    )
    def test_a_problem_is_told_with_its_detail(
        self, failing_page: Page, service_url: str, status: int, title: str
    ) -> None:
        problem = {"type": "about:blank", "title": "Problem", "status": status, "detail": "Fordi."}
        failing_page.route(
            "**/v1/ask",
            lambda route: route.fulfill(
                status=status, json=problem, content_type="application/problem+json"
            ),
        )
        failing_page.goto(ask_address(service_url, QUESTION))
        expect(failing_page.get_by_role("alert")).to_contain_text(title)
        expect(failing_page.get_by_role("alert")).to_contain_text("Fordi.")

    @pytest.mark.parametrize("body", ["", "<html>", "event: answer\ndata: {\n\n"])
    def test_an_answer_that_is_none(self, page: Page, service_url: str, body: str) -> None:
        page.route("**/v1/ask", lambda route: route.fulfill(body=body))
        page.goto(ask_address(service_url, QUESTION))
        expect(page.get_by_role("alert")).to_contain_text("ikke forstår")

    def test_a_problem_in_the_middle_of_the_stream(self, page: Page, service_url: str) -> None:
        problem = {"status": 503, "detail": "Dokumentene ble byttet ut."}
        body = f"event: stage\ndata: {{}}\n\nevent: error\ndata: {json.dumps(problem)}\n\n"
        page.route("**/v1/ask", lambda route: route.fulfill(body=body))
        page.goto(ask_address(service_url, QUESTION))
        expect(page.get_by_role("alert")).to_contain_text("Tjenesten er ikke klar ennå")
        expect(page.get_by_role("alert")).to_contain_text("Dokumentene ble byttet ut.")

    def test_questions_after_one_that_failed_wait_for_it(
        self, failing_page: Page, service_url: str
    ) -> None:
        failing_page.route("**/v1/ask", lambda route: route.abort())
        failing_page.goto(ask_address(service_url, QUESTION, OTHER))
        again = failing_page.get_by_role("button", name="Prøv igjen")
        expect(again).to_have_count(1)
        failing_page.unroute("**/v1/ask")
        again.click()
        expect(failing_page.get_by_role("article")).to_have_count(2)
