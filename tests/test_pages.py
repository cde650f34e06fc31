"""What holds on every page in a real Chromium: language, escaping, layout."""

import re
from typing import Any
from urllib.parse import quote

import pytest
from playwright.sync_api import Page, expect

from tests.browsing import (
    ANSWER,
    OFF_TOPIC,
    QUESTION,
    ask,
    block,
    change_answers,
    cited_document,
    expect_no_sideways_scroll,
    first_citation,
    serve_instead,
)


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

    def test_every_text_is_there_in_every_language(self, page: Page, service_url: str) -> None:
        page.goto(service_url)
        names = """
            async (code) => {
              const { default: texts } = await import(`/static/shared/texts/${code}.js`);
              const paths = (group, before) => Object.entries(group).flatMap(([name, text]) => {
                const nested = typeof text === "object" && !Array.isArray(text);
                return nested ? paths(text, `${before}${name}.`) : `${before}${name}`;
              });
              return paths(texts, "").sort();
            }
        """
        bokmaal = page.evaluate(names, "nb")
        assert bokmaal
        for code in ("nn", "en"):
            assert page.evaluate(names, code) == bokmaal

    @pytest.mark.parametrize("language", ["", "xx", "constructor"])
    def test_an_unknown_language_is_bokmaal(
        self, page: Page, service_url: str, language: str
    ) -> None:
        page.goto(f"{service_url}/?lang={language}")
        expect(page.get_by_role("heading", name="Spør dokumentene")).to_be_visible()


class TestEscaping:
    MARKUP = "<img src=x onerror=alert(1)>"

    def test_a_question_is_text(self, page: Page, service_url: str) -> None:
        ask(page, service_url, self.MARKUP)
        expect(page.get_by_role("navigation", name="Tidligere spørsmål")).to_contain_text(
            self.MARKUP
        )
        expect(page.locator("img")).to_have_count(0)

    def test_an_answer_is_text(self, page: Page, service_url: str) -> None:
        def add_markup(answer: dict[str, Any]) -> dict[str, Any]:
            answer["answer"] = f"{self.MARKUP} [1] [99]"
            answer["short_answer"] = self.MARKUP
            answer["composed_by"] = "model"
            answer["citations"][0] |= {
                "title": self.MARKUP,
                "quote": self.MARKUP,
                "heading_path": [self.MARKUP],
            }
            return answer

        change_answers(page, add_markup)
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

    @pytest.mark.parametrize("path", ["/", "/search", "/library", f"/?q={quote(QUESTION)}"])
    def test_a_first_visit_is_light(self, page: Page, service_url: str, path: str) -> None:
        """Under 60 kB over the wire, with the answers; nothing that names another origin."""
        page.goto(service_url + path, wait_until="networkidle")
        sizes = page.evaluate(
            "performance.getEntries().filter((entry) => 'encodedBodySize' in entry)"
            ".map(({ name, encodedBodySize }) => [name, encodedBodySize])"
        )
        assert all(name.startswith(service_url) for name, _ in sizes)
        assert 5_000 < sum(size for _, size in sizes) < 60_000, sizes
