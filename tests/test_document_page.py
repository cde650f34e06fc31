"""The document page in a real Chromium."""

import re
from urllib.parse import quote

import pytest
from playwright.sync_api import Page, Route, expect

from tests.browsing import (
    ANSWER,
    QUESTION,
    block,
    cited_document,
    open_first_document,
    question_field,
    serve_instead,
)


class TestDocument:
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
            for number, each in enumerate(document["blocks"], 1):
                each["page"] = number
            route.fulfill(response=response, json=document)

        phone_page.route(re.compile(r"/v1/documents/\w+$"), paged)
        open_first_document(phone_page, service_url)
        original = phone_page.get_by_role("link", name="Originalen")
        expect(original).to_have_attribute("href", re.compile(r"/original#page=[2-9]$"))
        phone_page.evaluate("location.hash = '#0-1'")
        expect(original).to_have_attribute("href", re.compile(r"/original#page=1$"))

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


class TestHits:
    def test_the_way_from_hit_to_hit(self, page: Page, service_url: str) -> None:
        document = cited_document(page, service_url)
        page.goto(f"{service_url}/documents/{document['id']}?q={quote('bransjen 2023')}")
        hits = page.request.get(
            f"{service_url}/v1/search",
            params={"q": "bransjen 2023", "document": document["id"], "limit": 100},
        ).json()["hits"]
        worded = sorted(hit["start"] for hit in hits if hit["highlights"])
        assert len(worded) > 1
        expect(page.get_by_text(f"Treff – av {len(worded)}")).to_be_visible()
        forward = page.get_by_role("button", name="Neste treff")
        forward.click()
        page.wait_for_url(re.compile(rf"#{worded[0]}-"))
        expect(page.locator("mark").first).to_be_in_viewport()
        expect(page.get_by_text(f"Treff 1 av {len(worded)}").first).to_be_visible()
        forward.click()
        page.wait_for_url(re.compile(rf"#{worded[1]}-"))
        page.get_by_role("button", name="Forrige treff").click()
        page.get_by_role("button", name="Forrige treff").click()
        page.wait_for_url(re.compile(rf"#{worded[-1]}-"))

    def test_searching_within(self, page: Page, service_url: str) -> None:
        document = cited_document(page, service_url)
        page.goto(f"{service_url}/documents/{document['id']}")
        expect(page.get_by_role("button", name="Neste treff")).to_be_hidden()
        page.get_by_role("searchbox", name="Søk i dokumentet").fill("likerklikk")
        page.keyboard.press("Enter")
        expect(page.get_by_role("status")).to_contain_text("Treff 1 av")
        expect(page.locator("mark", has_text="Likerklikk")).to_be_in_viewport()
        page.wait_for_url(re.compile(r"\?q=likerklikk#\d+-\d+$"))

    def test_an_answer_brings_its_hits_along(self, phone_page: Page, service_url: str) -> None:
        open_first_document(phone_page, service_url)
        expect(phone_page.get_by_text(re.compile(r"^Treff \d+ av \d+$")).first).to_be_visible()
        expect(phone_page.get_by_role("searchbox")).to_have_value(QUESTION)

    def test_a_search_that_fails_is_told(self, failing_page: Page, service_url: str) -> None:
        document = cited_document(failing_page, service_url)
        failing_page.route("**/v1/search*", lambda route: route.abort())
        failing_page.goto(f"{service_url}/documents/{document['id']}?q=bransjen")
        expect(failing_page.get_by_text("Får ikke kontakt med tjenesten")).to_be_visible()
        expect(failing_page.get_by_role("article")).to_contain_text(ANSWER)
