"""The pages in a real Chromium, from the outside: what a reader sees, presses and hears."""

import re
from typing import Any
from urllib.parse import quote

import pytest
from playwright.sync_api import Locator, Page, Route, expect

QUESTION = "Hvor mange medlemmer har bransjen?"
ANSWER = "1369"
OFF_TOPIC = "Hva er hovedstaden i Frankrike?"

WIDE = {"width": 1280, "height": 800}
PHONE = {"width": 360, "height": 740}


def ask_address(service_url: str, question: str) -> str:
    return f"{service_url}/?q={quote(question)}"


def ask(page: Page, service_url: str, question: str = QUESTION) -> Locator:
    page.goto(ask_address(service_url, question))
    answer = page.get_by_role("article", name=question)
    expect(answer).to_be_visible()
    return answer


def question_field(page: Page) -> Locator:
    return page.get_by_role("textbox", name="Spørsmål")


def first_citation(page: Page) -> Locator:
    return page.get_by_role("link", name=re.compile(r"^Kilde 1:"))


def open_first_document(page: Page, service_url: str) -> None:
    """Follows the first citation to the document's own page, as a narrow screen does."""
    ask(page, service_url)
    first_citation(page).click()
    page.wait_for_url(re.compile(r"/documents/[^#]+#\d+-\d+$"))


def panel(page: Page) -> Locator:
    return page.get_by_role("complementary")


def expect_no_sideways_scroll(page: Page) -> None:
    overflow = page.evaluate(
        "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    )
    assert overflow <= 0


@pytest.fixture
def wide_page(page: Page) -> Page:
    page.set_viewport_size({"width": WIDE["width"], "height": WIDE["height"]})
    return page


@pytest.fixture
def phone_page(page: Page) -> Page:
    page.set_viewport_size({"width": PHONE["width"], "height": PHONE["height"]})
    return page


@pytest.fixture
def failing_page(page: Page) -> Page:
    """A page for failures, which the browser itself logs as errors; `page` would fail on those."""
    return page.context.new_page()


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
        def shorten(route: Route) -> None:
            response = route.fetch()
            answer = response.json()
            first = answer["citations"][0]
            start = first["start"] + first["quote"].index(ANSWER)
            first["short_answer"] = [start, start + len(ANSWER)]
            route.fulfill(response=response, json={**answer, "short_answer": ANSWER})

        page.route("**/v1/ask", shorten)
        answer = ask(page, service_url)
        expect(answer.get_by_role("paragraph").first).to_have_text(f"Kort svar: {ANSWER}")
        expect(answer.locator("mark")).to_have_text(ANSWER)

    def test_a_documents_own_brackets_are_no_citation(self, page: Page, service_url: str) -> None:
        def bracket(route: Route) -> None:
            response = route.fetch()
            answer = response.json()
            citation = answer["citations"][0]
            quotes = ["Punkt 1 [2]\n\nsom er vist [2]\n\ni notatet.", "Se [1]."]
            answer["citations"] = [
                {**citation, "number": number, "quote": quote}
                for number, quote in enumerate(quotes, 1)
            ]
            answer["answer"] = "\n\n".join(f"{q} [{n}]" for n, q in enumerate(quotes, 1))
            route.fulfill(response=response, json=answer)

        page.route("**/v1/ask", bracket)
        answer = ask(page, service_url)
        paragraphs = answer.locator(".prose").get_by_role("paragraph")
        expect(paragraphs).to_have_text(
            ["Punkt 1 [2]", "som er vist [2]", re.compile(r"^i notatet\.\W+1\]$"), re.compile("Se")]
        )
        expect(first_citation(page)).to_have_count(1)
        expect(page.get_by_role("link", name=re.compile(r"^Kilde 2:"))).to_have_count(1)

    def test_only_the_end_of_a_written_paragraph_cites(self, page: Page, service_url: str) -> None:
        def write(route: Route) -> None:
            response = route.fetch()
            words = "Notatet [1] sier\nto ting. [1]\n\nDet andre. [1][99]"
            route.fulfill(response=response, json={**response.json(), "answer": words})

        page.route("**/v1/ask", write)
        answer = ask(page, service_url)
        paragraphs = answer.locator(".prose").get_by_role("paragraph")
        expect(paragraphs).to_have_count(3)
        expect(paragraphs.nth(0)).to_have_text("Notatet [1] sier")
        expect(paragraphs.nth(1).get_by_role("link")).to_have_count(1)
        expect(paragraphs.nth(2).get_by_role("link")).to_have_count(1)
        expect(paragraphs.nth(2)).to_contain_text("[99]")

    def test_examples_come_from_the_library_and_can_be_asked(
        self, page: Page, service_url: str
    ) -> None:
        documents = page.request.get(f"{service_url}/v1/documents?limit=3").json()["documents"]
        page.goto(service_url)
        examples = page.get_by_role("region", name="Prøv for eksempel").get_by_role("button")
        expect(examples).to_have_count(len(documents))
        for example in examples.all():
            title = re.search("«(.+)»", example.inner_text())
            assert title is not None
            assert any(document["title"].startswith(title[1]) for document in documents)
        question = examples.first.inner_text()
        examples.first.click()
        expect(page.get_by_role("article", name=question)).to_be_visible()
        expect(question_field(page)).to_have_value(question)

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
        nearest = answer.get_by_role("region", name="Kanskje relevant").get_by_role("link")
        expect(nearest.first).to_have_attribute("href", re.compile(r"^/documents/[^#]+#\d+-\d+$"))


class TestAddress:
    def test_reload_keeps_the_question_and_its_answer(self, page: Page, service_url: str) -> None:
        page.goto(service_url)
        question_field(page).fill(QUESTION)
        page.keyboard.press("Enter")
        expect(page.get_by_role("article")).to_contain_text(ANSWER)
        page.reload()
        expect(question_field(page)).to_have_value(QUESTION)
        expect(page.get_by_role("article", name=QUESTION)).to_contain_text(ANSWER)

    def test_back_and_forward_go_through_the_questions(self, page: Page, service_url: str) -> None:
        page.goto(service_url)
        for question in (QUESTION, OFF_TOPIC):
            question_field(page).fill(question)
            page.keyboard.press("Enter")
            expect(page.get_by_role("article", name=question)).to_be_visible()
        page.go_back()
        expect(page.get_by_role("article", name=QUESTION)).to_contain_text(ANSWER)
        page.go_back()
        expect(page.get_by_role("heading", name="Spør dokumentene")).to_be_visible()
        expect(question_field(page)).to_have_value("")
        page.go_forward()
        expect(page.get_by_role("article", name=QUESTION)).to_contain_text(ANSWER)

    def test_a_late_answer_does_not_replace_a_newer_one(self, page: Page, service_url: str) -> None:
        held: list[Route] = []

        def hold_first(route: Route) -> None:
            if OFF_TOPIC in (route.request.post_data or ""):
                held.append(route)
            else:
                route.continue_()

        page.route("**/v1/ask", hold_first)
        page.goto(ask_address(service_url, OFF_TOPIC))
        expect(page.get_by_role("status")).to_have_text("Leter i dokumentene …")
        question_field(page).fill(QUESTION)
        page.keyboard.press("Enter")
        expect(page.get_by_role("article", name=QUESTION)).to_contain_text(ANSWER)
        assert held
        for route in held:
            route.abort()
        expect(page.get_by_role("article", name=QUESTION)).to_be_visible()
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

    def test_the_document_page_hands_out_the_original(
        self, phone_page: Page, service_url: str
    ) -> None:
        open_first_document(phone_page, service_url)
        with phone_page.expect_download() as started:
            phone_page.get_by_role("link", name="Originalen").click()
        assert ANSWER in started.value.path().read_text(encoding="utf-8")

    def test_the_original_opens_at_the_page_of_the_passage(
        self, phone_page: Page, service_url: str
    ) -> None:
        def paged(route: Route) -> None:
            response = route.fetch()
            document = response.json()
            for number, block in enumerate(document["blocks"], 1):
                block["page"] = number
            route.fulfill(response=response, json=document)

        phone_page.route(re.compile(r"/v1/documents/\w+$"), paged)
        open_first_document(phone_page, service_url)
        original = phone_page.get_by_role("link", name="Originalen")
        expect(original).to_have_attribute("href", re.compile(r"/original#page=[2-9]$"))
        phone_page.evaluate("location.hash = '#0-1'")
        expect(original).to_have_attribute("href", re.compile(r"/original#page=1$"))

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
        wide_page.keyboard.press("Tab")
        expect(wide_page.get_by_role("button", name="Spør")).to_be_focused()
        wide_page.keyboard.press("Tab")
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


class TestLanguage:
    def test_the_switch_changes_the_page_and_follows_the_reader(
        self, phone_page: Page, service_url: str
    ) -> None:
        ask(phone_page, service_url)
        phone_page.get_by_role("link", name="Nynorsk").click()
        expect(phone_page.locator("html")).to_have_attribute("lang", "nn")
        expect(phone_page.get_by_role("region", name="Kjelder")).to_be_visible()
        expect(phone_page).to_have_url(re.compile(r"lang=nn"))
        phone_page.reload()
        expect(phone_page.get_by_role("article", name=QUESTION)).to_contain_text(ANSWER)
        phone_page.get_by_role("link", name="English").click()
        expect(phone_page.get_by_role("button", name="Ask")).to_be_visible()
        phone_page.get_by_role("link", name=re.compile("^Source 1:")).click()
        expect(phone_page.get_by_role("link", name="Back to the answer")).to_be_visible()
        phone_page.goto(service_url)
        expect(phone_page.get_by_role("heading", name="Ask the documents")).to_be_visible()

    def test_works_where_storage_is_blocked(self, phone_page: Page, service_url: str) -> None:
        phone_page.add_init_script(
            "Object.defineProperty(window, 'localStorage', "
            "{ get() { throw new DOMException('blocked', 'SecurityError'); } });"
        )
        ask(phone_page, service_url)
        phone_page.get_by_role("link", name="Nynorsk").click()
        phone_page.get_by_role("link", name=re.compile("^Kjelde 1:")).click()
        expect(phone_page.get_by_role("link", name="Tilbake til svaret")).to_be_visible()
        expect(phone_page.locator("html")).to_have_attribute("lang", "nn")

    @pytest.mark.parametrize("language", ["", "xx", "constructor"])
    def test_an_unknown_language_is_bokmaal(
        self, page: Page, service_url: str, language: str
    ) -> None:
        page.goto(f"{service_url}/?lang={language}")
        expect(page.get_by_role("heading", name="Spør dokumentene")).to_be_visible()


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


class TestDocument:
    def test_shows_the_passage_of_the_hash(self, page: Page, service_url: str) -> None:
        document = cited_document(page, service_url)
        start = document["text"].index(ANSWER)
        page.goto(f"{service_url}/documents/{document['id']}#{start}-{start + len(ANSWER)}")
        expect(page.get_by_role("heading", level=1)).to_have_text(document["title"])
        expect(page.locator("mark")).to_have_text(ANSWER)
        expect(page.locator("mark")).to_be_focused()

    def test_shows_all_of_the_text(self, page: Page, service_url: str) -> None:
        document = cited_document(page, service_url)
        page.goto(f"{service_url}/documents/{document['id']}")
        article = page.get_by_role("article")
        for span in document["blocks"]:
            words = document["text"][span["start"] : span["end"]].split(" | ")[0]
            expect(article).to_contain_text(re.sub(r"\s+", " ", words).strip())

    def test_says_who_wrote_it_and_when(self, page: Page, service_url: str) -> None:
        document = cited_document(page, service_url)
        told = {**document, "author": "Kari i rådet <b>", "date": "2024-03-05"}
        page.route(f"**/v1/documents/{document['id']}", lambda route: route.fulfill(json=told))
        page.goto(f"{service_url}/documents/{document['id']}")
        expect(page.locator(".facts")).to_contain_text("Kari i rådet <b>")
        expect(page.locator(".facts")).to_contain_text("5. mars 2024")
        page.goto(f"{service_url}/documents/{document['id']}?lang=nn")
        expect(page.locator(".facts")).to_contain_text("5. mars 2024")

    def test_a_new_hash_moves_the_highlight(self, page: Page, service_url: str) -> None:
        document = cited_document(page, service_url)
        page.goto(f"{service_url}/documents/{document['id']}#0-5")
        expect(page.locator("mark")).to_have_text(document["text"][0:5].strip())
        start = document["text"].index(ANSWER)
        page.evaluate(f"location.hash = '#{start}-{start + len(ANSWER)}'")
        expect(page.locator("mark")).to_have_text(ANSWER)

    @pytest.mark.parametrize(
        "address_hash",
        ["", "#", "#nei", "#9-3", "#5-5", "#-1-4", "#1.5-2", "#99999999-999999999", "#%E0%A4%A"],
    )
    def test_a_useless_hash_breaks_nothing(
        self, page: Page, service_url: str, address_hash: str
    ) -> None:
        document = cited_document(page, service_url)
        page.goto(f"{service_url}/documents/{document['id']}{address_hash}")
        expect(page.get_by_role("article")).to_contain_text(ANSWER)
        expect(page.locator("mark")).to_have_count(0)

    def test_says_so_when_the_passage_is_not_there(self, page: Page, service_url: str) -> None:
        document = cited_document(page, service_url)
        page.goto(f"{service_url}/documents/{document['id']}#99999999-99999999999")
        expect(page.get_by_text("finnes ikke i dokumentet").first).to_be_visible()

    def test_offsets_count_code_points(self, page: Page, service_url: str) -> None:
        document = cited_document(page, service_url)
        text = "Før 😀😀\n\nHer er 🎉 målet 🇳🇴, og så\n\nslutten."
        words = ["Før 😀😀", "Her er 🎉 målet 🇳🇴, og så", "slutten."]
        serve_instead(page, document, text=text, blocks=[block(text, each) for each in words])
        start = text.index("målet")
        page.goto(f"{service_url}/documents/{document['id']}#{start}-{start + len('målet 🇳🇴')}")
        expect(page.locator("mark")).to_have_text("målet 🇳🇴")
        paragraphs = page.get_by_role("article").get_by_role("paragraph")
        expect(paragraphs).to_have_text(words)

    def test_structure_is_shown_and_a_passage_may_span_it(
        self, page: Page, service_url: str
    ) -> None:
        document = cited_document(page, service_url)
        text = (
            "Tittel\n\n• punkt én\n  • under\n• punkt to\n\n1. nummer\n\n"
            "År | Antall\n2023 | 12\n\nSlutt"
        )
        blocks = [
            block(text, "Tittel", "heading", 1),
            block(text, "punkt én", "list_item", 1),
            block(text, "under", "list_item", 2),
            block(text, "punkt to", "list_item", 1),
            block(text, "1. nummer", "list_item", 1),
            block(text, "År | Antall", "table_row"),
            block(text, "2023 | 12", "table_row"),
            block(text, "Slutt"),
        ]
        serve_instead(page, document, text=text, blocks=blocks, title="Et annet navn")
        start, end = text.index("to\n"), text.index(" | 12")
        page.goto(f"{service_url}/documents/{document['id']}#{start}-{end}")
        article = page.get_by_role("article")
        expect(page.get_by_role("heading", name="Tittel", level=2)).to_be_visible()
        expect(article.get_by_role("list").first.get_by_role("list")).to_have_text("under")
        expect(article.get_by_role("columnheader")).to_have_text(["År", "Antall"])
        expect(article.get_by_role("cell")).to_have_text(["2023", "12"])
        expect(article.locator("mark")).to_have_text(["to", "1. nummer", "År", "Antall", "2023"])
        expect(article).to_contain_text("Slutt")

    def test_only_web_addresses_become_links(self, page: Page, service_url: str) -> None:
        document = cited_document(page, service_url)
        serve_instead(page, document, source="javascript:alert(1)")
        page.goto(f"{service_url}/documents/{document['id']}")
        expect(page.get_by_text("javascript:alert(1)")).to_be_visible()
        expect(page.get_by_role("link", name="javascript:alert(1)")).to_have_count(0)
        serve_instead(page, document, source="https://example.org/notat")
        page.reload()
        link = page.get_by_role("link", name="https://example.org/notat")
        expect(link).to_have_attribute("href", "https://example.org/notat")

    def test_an_unknown_document_is_told_in_plain_words(
        self, failing_page: Page, service_url: str
    ) -> None:
        failing_page.goto(f"{service_url}/documents/finnes-ikke")
        expect(failing_page.get_by_role("alert")).to_contain_text("Dokumentet finnes ikke")
        failing_page.get_by_role("link", name="Still et spørsmål").click()
        expect(question_field(failing_page)).to_be_focused()


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

    def test_an_answer_that_is_not_json(self, page: Page, service_url: str) -> None:
        page.route("**/v1/ask", lambda route: route.fulfill(body="<html>"))
        page.goto(ask_address(service_url, QUESTION))
        expect(page.get_by_role("alert")).to_contain_text("ikke forstår")


class TestEscaping:
    MARKUP = "<img src=x onerror=alert(1)>"

    def test_a_question_is_text(self, page: Page, service_url: str) -> None:
        ask(page, service_url, self.MARKUP)
        expect(question_field(page)).to_have_value(self.MARKUP)
        expect(page.locator("img")).to_have_count(0)

    def test_an_answer_is_text(self, page: Page, service_url: str) -> None:
        def add_markup(route: Route) -> None:
            response = route.fetch()
            answer = response.json()
            answer["answer"] = f"{self.MARKUP} [1] [99]"
            answer["short_answer"] = self.MARKUP
            answer["citations"][0] |= {
                "title": self.MARKUP,
                "quote": self.MARKUP,
                "heading_path": [self.MARKUP],
            }
            route.fulfill(response=response, json=answer)

        page.route("**/v1/ask", add_markup)
        answer = ask(page, service_url)
        expect(answer.locator("mark")).to_have_text(self.MARKUP)
        expect(answer.get_by_role("region", name="Kilder")).to_contain_text(self.MARKUP)
        expect(answer).to_contain_text("[99]")
        first_citation(page).hover()
        expect(page.get_by_role("tooltip")).to_contain_text(self.MARKUP)
        expect(page.locator("img")).to_have_count(0)

    def test_a_document_is_text(self, page: Page, service_url: str) -> None:
        document = cited_document(page, service_url)
        words = block(self.MARKUP, self.MARKUP)
        serve_instead(page, document, title=self.MARKUP, text=self.MARKUP, blocks=[words])
        page.goto(f"{service_url}/documents/{document['id']}#0-9")
        expect(page.get_by_role("article")).to_have_text(self.MARKUP)
        expect(page.get_by_role("heading", level=1)).to_have_text(self.MARKUP)
        expect(page.locator("img")).to_have_count(0)


class TestLayout:
    @pytest.mark.parametrize("path", ["/", f"/?q={quote(QUESTION)}", f"/?q={quote(OFF_TOPIC)}"])
    @pytest.mark.parametrize("language", ["nb", "nn", "en"])
    def test_a_phone_never_scrolls_sideways(
        self, phone_page: Page, service_url: str, path: str, language: str
    ) -> None:
        separator = "&" if "?" in path else "?"
        phone_page.goto(f"{service_url}{path}{separator}lang={language}")
        expect(phone_page.locator("article, .example").first).to_be_visible()
        expect_no_sideways_scroll(phone_page)

    def test_a_wide_table_scrolls_by_itself(self, phone_page: Page, service_url: str) -> None:
        document = cited_document(phone_page, service_url)
        rows = [" | ".join([word] * 12) for word in ("kolonneoverskrift", "celleinnhold")]
        text = "\n".join(rows)
        blocks = [block(text, row, "table_row") for row in rows]
        serve_instead(phone_page, document, text=text, blocks=blocks, source="x" * 90)
        phone_page.goto(f"{service_url}/documents/{document['id']}")
        expect(phone_page.get_by_role("table")).to_be_visible()
        expect_no_sideways_scroll(phone_page)

    @pytest.mark.parametrize("path", ["/", f"/?q={quote(QUESTION)}"])
    def test_nothing_moves_while_the_page_loads(
        self, page: Page, service_url: str, path: str
    ) -> None:
        page.add_init_script(
            "window.shift = 0; new PerformanceObserver((list) => {"
            " for (const entry of list.getEntries()) window.shift += entry.value;"
            "}).observe({ type: 'layout-shift', buffered: true });"
        )
        page.goto(service_url + path)
        expect(page.locator("article, .example").first).to_be_visible()
        page.wait_for_timeout(300)
        assert page.evaluate("window.shift") < 0.01
