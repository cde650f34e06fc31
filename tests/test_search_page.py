"""The search page in a real Chromium, against the real service."""

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlencode, urlparse

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Locator, Page, Route, expect

from tests.browsing import expect_no_sideways_scroll
from tests.test_accessibility import RULES

QUERY = "samhandlingsbudsjett"
BROAD = "helse"


def open_search(page: Page, service_url: str, query: str = BROAD, /, **parameters: str) -> None:
    page.goto(f"{service_url}/search?{urlencode({'q': query, **parameters})}")
    expect(hits(page).first).to_be_visible()


def field(page: Page) -> Locator:
    return page.get_by_role("combobox", name=re.compile(r"^(Søk i dokument|Search the)"))


def hits(page: Page) -> Locator:
    return page.locator(".hit")


def titles(page: Page) -> Locator:
    return hits(page).get_by_role("heading").get_by_role("link")


def options(page: Page) -> Locator:
    return page.get_by_role("listbox", name="Forslag").get_by_role("option")


def box(page: Page, name: str) -> Locator:
    return page.get_by_role("checkbox", name=re.compile(f"^{name} "))


def in_address(page: Page, name: str) -> list[str]:
    return parse_qs(urlparse(page.url).query).get(name, [])


def expect_in_address(page: Page, /, **parameters: str) -> None:
    def says_so(url: str) -> bool:
        found = parse_qs(urlparse(url).query)
        return all(found.get(name) == [value] for name, value in parameters.items())

    page.wait_for_url(says_so)


def change_hits(page: Page, /, **changes: Any) -> None:
    """Lets the page read only the first hit, with `changes`."""

    def change(route: Route) -> None:
        response = route.fetch()
        result = response.json()
        hit = {**result["hits"][0], **changes}
        route.fulfill(response=response, json={**result, "hits": [hit], "total": 1})

    page.route("**/v1/search?*", change)


class TestTyping:
    def test_hits_come_while_one_types_and_are_one_step_of_the_history(
        self, page: Page, service_url: str
    ) -> None:
        page.goto(f"{service_url}/search")
        expect(field(page)).to_be_focused()
        expect(page.get_by_role("heading", name="Treffene kommer mens du skriver.")).to_be_visible()
        for part in ("sam", "handlings", "budsjett"):
            page.keyboard.type(part)
            expect_in_address(page, q=field(page).input_value())
        expect(titles(page).first).to_contain_text("samhandlingsplan")
        expect(page.get_by_role("status")).to_have_text(re.compile(r"^\d+ treff\. "))
        page.go_back()
        expect(page.get_by_role("heading", name="Treffene kommer mens du skriver.")).to_be_visible()
        expect(field(page)).to_have_value("")
        page.go_forward()
        expect(field(page)).to_have_value(QUERY)
        expect(hits(page).first).to_be_visible()

    def test_the_service_is_asked_when_the_fingers_rest(self, page: Page, service_url: str) -> None:
        asked: list[str] = []
        page.on("request", lambda r: asked.append(r.url) if "/v1/search" in r.url else None)
        page.goto(f"{service_url}/search")
        expect(field(page)).to_be_focused()
        # At once: on a slow machine, fingers may seem to rest between two letters.
        field(page).evaluate(
            """(field, query) => {
                for (const at of Array(query.length).keys()) {
                    field.value = query.slice(0, at + 1);
                    field.dispatchEvent(new InputEvent("input", { bubbles: true }));
                }
            }""",
            QUERY,
        )
        expect(hits(page).first).to_be_visible()
        assert len(asked) == 1

    def test_a_late_result_does_not_replace_a_newer_one(self, page: Page, service_url: str) -> None:
        held: list[Route] = []

        def hold(route: Route) -> None:
            held.append(route)

        page.route("**/v1/search?q=helse&*", hold)
        page.goto(f"{service_url}/search")
        with page.expect_event("requestfailed", lambda r: "q=helse&" in r.url) as aborted:
            with page.expect_request("**/v1/search?q=helse&*"):
                field(page).fill("helse")
            field(page).fill(QUERY)
        assert aborted.value.failure == "net::ERR_ABORTED"
        expect(page.locator(".hit mark").first).to_have_text(re.compile("^[Ss]amhandlings"))
        assert held
        expect(page.get_by_role("alert")).to_have_count(0)

    def test_nothing_moves_when_suggestions_and_new_hits_come(
        self, page: Page, service_url: str
    ) -> None:
        open_search(page, service_url)
        places = "['.search-form', '.toolbar', '.hit'].map(s => document.querySelector(s)"
        places += ".getBoundingClientRect().top)"
        before = page.evaluate(places)
        field(page).fill("samhand")
        expect(options(page).first).to_be_visible()
        expect_in_address(page, q="samhand")
        expect(page.locator("#results")).not_to_have_attribute("aria-busy", "true")
        assert page.evaluate(places) == before

    def test_slash_goes_to_the_field_but_can_be_written_in_it(
        self, page: Page, service_url: str
    ) -> None:
        open_search(page, service_url)
        expect(field(page)).not_to_be_focused()
        page.keyboard.press("/")
        expect(field(page)).to_be_focused()
        expect(field(page)).to_have_value(BROAD)
        field(page).fill("og")
        page.keyboard.type("/eller")
        expect(field(page)).to_have_value("og/eller")


class TestSuggestions:
    def test_arrows_choose_and_leave_what_was_typed(self, page: Page, service_url: str) -> None:
        page.goto(f"{service_url}/search")
        page.keyboard.type("samhand")
        expect(options(page).first).to_be_visible()
        expect(field(page)).to_have_attribute("aria-expanded", "true")
        page.keyboard.press("ArrowUp")
        expect(options(page).last).to_have_attribute("aria-selected", "true")
        name = options(page).last.get_attribute("id") or "?"
        expect(field(page)).to_have_attribute("aria-activedescendant", name)
        expect(field(page)).to_have_value("samhand")
        page.keyboard.press("Escape")
        expect(page.get_by_role("listbox")).to_be_hidden()
        expect(field(page)).to_have_attribute("aria-expanded", "false")
        expect(field(page)).to_have_value("samhand")
        expect(field(page)).to_be_focused()

    def test_a_word_is_searched_for(self, page: Page, service_url: str) -> None:
        page.goto(f"{service_url}/search")
        page.keyboard.type("samhand")
        expect(options(page).filter(has_text=re.compile("^samhandlingsplan$"))).to_be_visible()
        while (
            page.get_by_role("option", name="samhandlingsplan", exact=True)
            .and_(page.get_by_role("option", selected=True))
            .count()
            == 0
        ):
            page.keyboard.press("ArrowDown")
        page.keyboard.press("Enter")
        expect(field(page)).to_have_value("samhandlingsplan")
        expect_in_address(page, q="samhandlingsplan")
        expect(page.get_by_role("listbox")).to_be_hidden()

    def test_a_heading_opens_its_place(self, page: Page, service_url: str) -> None:
        page.goto(f"{service_url}/search")
        page.keyboard.type("samhandlingsbu")
        options(page).filter(has_text="overskrift").first.click()
        page.wait_for_url("**/documents/*?q=samhandlingsbu#*")
        expect(page.locator("mark").first).to_have_text("Samhandlingsbudsjettet")

    def test_enter_searches_for_what_is_typed(self, page: Page, service_url: str) -> None:
        page.goto(f"{service_url}/search")
        page.keyboard.type("samhand")
        expect(options(page).first).to_be_visible()
        page.keyboard.press("Enter")
        expect(page.get_by_role("listbox")).to_be_hidden()
        expect(field(page)).to_have_value("samhand")
        expect(hits(page).first).to_be_visible()

    def test_down_goes_on_into_the_hits_and_up_comes_back(
        self, page: Page, service_url: str
    ) -> None:
        page.goto(f"{service_url}/search")
        page.keyboard.type("samhand")
        expect(options(page).first).to_be_visible()
        expect(hits(page).first).to_be_visible()
        for _ in range(options(page).count() + 1):
            page.keyboard.press("ArrowDown")
        expect(titles(page).first).to_be_focused()
        expect(page.get_by_role("listbox")).to_be_hidden()
        page.keyboard.press("ArrowDown")
        expect(titles(page).nth(1)).to_be_focused()
        page.keyboard.press("ArrowUp")
        page.keyboard.press("ArrowUp")
        expect(field(page)).to_be_focused()

    def test_tab_goes_to_the_hits(self, wide_page: Page, service_url: str) -> None:
        open_search(wide_page, service_url)
        field(wide_page).focus()
        stops = [wide_page.get_by_role("button", name="Søk")]
        stops += wide_page.get_by_role("navigation", name="Sorter etter").get_by_role("link").all()
        for stop in [*stops, titles(wide_page).first]:
            wide_page.keyboard.press("Tab")
            expect(stop).to_be_focused()

    def test_search_goes_on_without_them(self, page: Page, service_url: str) -> None:
        page = page.context.new_page()  # which may log errors
        page.route("**/v1/suggest?*", lambda route: route.abort())
        page.goto(f"{service_url}/search")
        field(page).fill(QUERY)
        expect(hits(page).first).to_be_visible()
        expect(page.get_by_role("alert")).to_have_count(0)


class TestHits:
    def test_say_what_and_where_and_lead_to_the_place(self, page: Page, service_url: str) -> None:
        open_search(page, service_url, QUERY)
        first = hits(page).first
        expect(first.locator(".where")).to_have_text("Samhandlingsbudsjettet")
        expect(first.locator(".where mark")).to_have_text("Samhandlingsbudsjettet")
        expect(first.locator(".text")).to_have_text(re.compile("^Et nasjonalt samhandlingsbud"))
        expect(first.locator(".text mark").first).to_have_text("samhandlingsbudsjett")
        expect(first.locator(".facts")).to_contain_text("Nettside")
        expect(first.locator(".facts")).to_contain_text("norsk bokmål")
        expect(first.locator(".facts")).to_contain_text(re.compile(r"\d\. \w+ 20\d\d"))
        titles(page).first.click()
        page.wait_for_url(f"**/documents/*?q={QUERY}#*-*")
        expect(page.locator("mark").first).to_be_in_viewport()
        page.go_back()
        expect(hits(page).first).to_be_visible()
        expect(field(page)).to_have_value(QUERY)

    def test_offsets_count_code_points_and_markup_stays_text(
        self, page: Page, service_url: str
    ) -> None:
        text = "😀 <b>Før</b> målet 🎉 etter"
        start = text.index("målet")
        change_hits(page, text=text, highlights=[[start, start + 5]], title="<i>Navn</i>", page=7)
        open_search(page, service_url)
        expect(hits(page).locator(".text")).to_have_text(text)
        expect(hits(page).locator("mark")).to_have_text("målet")
        expect(titles(page)).to_have_text("<i>Navn</i>")
        expect(hits(page).locator(".where")).to_contain_text("side 7")

    def test_a_long_text_is_clipped_around_the_first_word_that_says_something(
        self, page: Page, service_url: str
    ) -> None:
        before, after = "Noe annet står her først. " * 40, " Resten handler om noe helt annet." * 40
        text = f"{before}Her er det i målet av alt.{after}"
        marks = [text.index(" i ") + 1, text.index("målet")]
        change_hits(
            page, text=text, highlights=[[marks[0], marks[0] + 1], [marks[1], marks[1] + 5]]
        )
        open_search(page, service_url)
        shown = hits(page).locator(".text")
        expect(shown).to_have_text(re.compile(r"^… \S.*Her er det i målet av alt\. .* …$"))
        expect(shown.locator("mark")).to_have_text(["i", "målet"])
        assert len(shown.inner_text()) < 450

    def test_words_that_no_hit_has_are_said_so(self, page: Page, service_url: str) -> None:
        change_hits(page, highlights=[])
        open_search(page, service_url)
        expect(page.get_by_role("heading", name="1 sted som ligner")).to_be_visible()
        expect(page.get_by_text("ikke ordene du skrev")).to_be_visible()

    def test_can_be_turned_a_page_at_a_time(self, page: Page, service_url: str) -> None:
        open_search(page, service_url)
        first = titles(page).first.get_attribute("href")
        page.get_by_role("link", name="Neste", exact=True).click()
        expect_in_address(page, page="2")
        expect(page.get_by_text(re.compile(r"^Side 2 av \d+$"))).to_be_visible()
        expect(titles(page).first).not_to_have_attribute("href", first or "")
        expect(page.get_by_role("heading", name=re.compile(r"^\d+ treff$"))).to_be_focused()
        page.reload()
        expect(page.get_by_text(re.compile(r"^Side 2 av \d+$"))).to_be_visible()
        page.go_back()
        expect(titles(page).first).to_have_attribute("href", first or "")
        page.goto(f"{service_url}/search?q={BROAD}&page=150")
        page.get_by_role("link", name="Gå til de første treffene").click()
        expect(titles(page).first).to_have_attribute("href", first or "")

    def test_can_be_sorted_by_date(self, page: Page, service_url: str) -> None:
        open_search(page, service_url)
        with page.expect_response("**/v1/search?*sort=date*") as response:
            page.get_by_role("link", name="Dato", exact=True).click()
        expect_in_address(page, sort="date")
        expect(page.get_by_role("link", name="Dato", exact=True)).to_be_focused()
        expect(page.get_by_role("link", name="Dato", exact=True)).to_have_attribute(
            "aria-current", "true"
        )
        found = response.value.json()["hits"]
        days = [hit["date"] or hit["updated_at"][:10] for hit in found]
        assert days == sorted(days, reverse=True)
        expect(titles(page).first).to_have_attribute("href", re.compile(f"#{found[0]['start']}-"))


class TestFilters:
    def test_narrow_the_hits_and_stay_to_be_chosen_from(
        self, wide_page: Page, service_url: str
    ) -> None:
        open_search(wide_page, service_url)
        box(wide_page, "Markdown").check()
        expect_in_address(wide_page, media_type="text/markdown")
        expect(hits(wide_page).filter(has_text="Nettside")).to_have_count(0)
        expect(box(wide_page, "Markdown")).to_be_focused()
        box(wide_page, "Nettside").check()
        expect(hits(wide_page).filter(has_text="Nettside").first).to_be_visible()
        expect(box(wide_page, "Markdown")).to_be_checked()
        assert in_address(wide_page, "media_type") == ["text/markdown", "text/html"]
        wide_page.reload()
        expect(box(wide_page, "Markdown")).to_be_checked()
        wide_page.get_by_role("link", name="Fjern filteret Markdown").click()
        expect(box(wide_page, "Markdown")).not_to_be_checked()
        expect(hits(wide_page).filter(has_text="Markdown")).to_have_count(0)
        wide_page.go_back()
        expect(box(wide_page, "Markdown")).to_be_checked()
        wide_page.get_by_role("link", name="Fjern alle filtre").click()
        expect(wide_page.get_by_role("list", name="Valgte filtre")).to_have_count(0)
        assert in_address(wide_page, "media_type") == []

    def test_counts_are_those_of_the_hits(self, wide_page: Page, service_url: str) -> None:
        open_search(wide_page, service_url)
        group = wide_page.get_by_role("group", name="Type")
        counts = [int(each) for each in group.locator(".count").all_inner_texts()]
        assert len(counts) > 1
        found = wide_page.locator("#found").inner_text()
        assert found == f"{sum(counts)} treff"

    def test_a_document_goes_by_its_title(self, wide_page: Page, service_url: str) -> None:
        open_search(wide_page, service_url)
        label = wide_page.get_by_role("group", name="Dokument").locator("label").first
        title = label.locator(".label").inner_text()
        label.click()
        expect(wide_page.get_by_role("link", name=f"Fjern filteret {title}")).to_be_visible()
        expect(titles(wide_page)).to_have_text([title] * titles(wide_page).count())

    def test_a_year_sets_the_days_and_more_years_make_a_stretch(
        self, wide_page: Page, service_url: str
    ) -> None:
        def with_years(route: Route) -> None:
            response = route.fetch()
            years = [{"value": year, "count": 3} for year in ("2022", "2024", "2023")]
            result = response.json()
            facets = {**result["facets"], "year": years}
            route.fulfill(response=response, json={**result, "facets": facets})

        wide_page.route("**/v1/search?*", with_years)
        open_search(wide_page, service_url)
        boxes = wide_page.get_by_role("group", name="Dato").get_by_role("checkbox")
        expect(boxes).to_have_count(3)
        box(wide_page, "2024").check()
        expect_in_address(wide_page, **{"from": "2024-01-01", "to": "2024-12-31"})
        expect(wide_page.get_by_label("Fra og med")).to_have_value("2024-01-01")
        box(wide_page, "2022").check()
        expect(box(wide_page, "2023")).to_be_checked()
        expect_in_address(wide_page, **{"from": "2022-01-01", "to": "2024-12-31"})
        expect(wide_page.get_by_role("link", name="Fjern filteret 2022–2024")).to_be_visible()
        box(wide_page, "2024").uncheck()
        expect_in_address(wide_page, **{"from": "2022-01-01", "to": "2023-12-31"})
        wide_page.unroute_all(behavior="wait")

    def test_days_can_be_given(self, wide_page: Page, service_url: str) -> None:
        open_search(wide_page, service_url)
        wide_page.get_by_label("Fra og med").fill("2020-02-29")
        wide_page.get_by_label("Fra og med").blur()
        expect_in_address(wide_page, **{"from": "2020-02-29"})
        chip = wide_page.get_by_role("link", name="Fjern filteret Fra 29. februar 2020")
        expect(chip).to_be_visible()
        wide_page.get_by_label("Til og med").fill("2019-01-01")
        wide_page.get_by_label("Til og med").blur()
        expect(wide_page.get_by_text("Den første datoen er etter den siste.")).to_be_visible()
        expect(wide_page.get_by_text(f"Ingen treff på «{BROAD}»")).to_be_visible()

    def test_no_hits_say_what_to_do(self, wide_page: Page, service_url: str) -> None:
        wide_page.goto(f"{service_url}/search?q={BROAD}&language=sv")
        expect(wide_page.get_by_text("Ingenting passer med alt du har valgt.")).to_be_visible()
        expect(wide_page.get_by_role("status")).to_have_text("0 treff.")
        ask_instead = wide_page.get_by_role("link", name="Spør i stedet")
        expect(ask_instead).to_have_attribute("href", f"/?q={BROAD}")
        wide_page.get_by_role("link", name="Fjern alle filtre").click()
        expect(hits(wide_page).first).to_be_visible()

    def test_useless_values_in_the_address_break_nothing(
        self, page: Page, service_url: str
    ) -> None:
        wrong = {"page": "-3", "from": "2024-02-31", "to": "i går", "sort": "xx", "folder": ""}
        open_search(page, service_url, **wrong)
        expect(page.get_by_role("list", name="Valgte filtre")).to_have_count(0)

    def test_stand_beside_the_hits_where_there_is_room(
        self, wide_page: Page, service_url: str
    ) -> None:
        open_search(wide_page, service_url)
        panel = wide_page.get_by_role("complementary", name="Avgrens")
        beside, found = panel.bounding_box(), hits(wide_page).first.bounding_box()
        assert beside and found
        assert beside["x"] >= found["x"] + found["width"]
        expect_no_sideways_scroll(wide_page)

    def test_are_folded_away_on_a_narrow_screen(self, phone_page: Page, service_url: str) -> None:
        open_search(phone_page, service_url)
        expect(box(phone_page, "Markdown")).to_be_hidden()
        phone_page.locator("summary").click()
        box(phone_page, "Markdown").check()
        expect(phone_page.get_by_text("Avgrens (1 valgt)")).to_be_visible()
        expect(hits(phone_page).filter(has_text="Nettside")).to_have_count(0)
        expect_no_sideways_scroll(phone_page)


class TestLanguage:
    def test_the_switch_keeps_the_search(self, wide_page: Page, service_url: str) -> None:
        open_search(wide_page, service_url, media_type="text/markdown")
        wide_page.get_by_role("link", name="Nynorsk").click()
        expect(wide_page.get_by_role("heading", name="Søk i dokumenta", exact=True)).to_be_visible()
        expect(wide_page.get_by_role("link", name="Fjern filteret Markdown")).to_be_visible()
        expect(box(wide_page, "Markdown")).to_be_checked()
        wide_page.get_by_role("link", name="English").click()
        expect(wide_page.get_by_role("heading", name=re.compile(r"^\d+ results?$"))).to_be_visible()
        field(wide_page).fill(QUERY)
        expect_in_address(wide_page, q=QUERY, lang="en", media_type="text/markdown")


class TestErrors:
    def test_no_contact_and_then_contact_again(self, failing_page: Page, service_url: str) -> None:
        failing_page.route("**/v1/search?*", lambda route: route.abort())
        failing_page.goto(f"{service_url}/search?q={BROAD}")
        alert = failing_page.get_by_role("alert")
        expect(alert).to_contain_text("Får ikke kontakt med tjenesten")
        failing_page.unroute("**/v1/search?*")
        alert.get_by_role("button", name="Prøv igjen").click()
        expect(hits(failing_page).first).to_be_visible()

    def test_a_problem_goes_when_one_types_on(self, failing_page: Page, service_url: str) -> None:
        problem = {"title": "Problem", "status": 503, "detail": "Fordi."}
        failing_page.route(
            "**/v1/search?q=helse&*", lambda route: route.fulfill(status=503, json=problem)
        )
        failing_page.goto(f"{service_url}/search?q={BROAD}")
        expect(failing_page.get_by_role("alert")).to_contain_text("Fordi.")
        field(failing_page).fill(QUERY)
        expect(hits(failing_page).first).to_be_visible()
        expect(failing_page.get_by_role("alert")).to_have_count(0)

    def test_suggestions_do_not_lie_over_a_problem(
        self, failing_page: Page, service_url: str
    ) -> None:
        failing_page.route("**/v1/search?*", lambda route: route.abort())
        failing_page.goto(f"{service_url}/search")
        with failing_page.expect_response("**/v1/suggest?*"):
            field(failing_page).fill("samhand")
        expect(failing_page.get_by_role("alert")).to_be_visible()
        expect(failing_page.get_by_role("listbox")).to_be_hidden()


def test_print_shows_the_query_and_the_hits_with_their_addresses(
    wide_page: Page, service_url: str
) -> None:
    open_search(wide_page, service_url)
    wide_page.emulate_media(media="print")
    expect(field(wide_page)).to_be_visible()
    expect(hits(wide_page).first).to_be_visible()
    expect(wide_page.get_by_role("complementary")).to_be_hidden()
    expect(wide_page.get_by_role("navigation", name="Sorter etter")).to_be_hidden()
    after = "getComputedStyle(document.querySelector('.hit h3 a'), '::after').content"
    assert "/documents/" in wide_page.evaluate(after)


def empty(page: Page, service_url: str) -> None:
    page.goto(f"{service_url}/search")


def typing(page: Page, service_url: str) -> None:
    page.goto(f"{service_url}/search")
    page.keyboard.type("samhand")
    expect(options(page).first).to_be_visible()
    expect(hits(page).first).to_be_visible()
    page.keyboard.press("ArrowDown")


def narrowed(page: Page, service_url: str) -> None:
    open_search(page, service_url, media_type="text/markdown", **{"from": "2000-01-01"})


def folded_out(page: Page, service_url: str) -> None:
    page.set_viewport_size({"width": 360, "height": 740})
    open_search(page, service_url)
    page.locator("summary").click()


def without_hits(page: Page, service_url: str) -> None:
    page.goto(f"{service_url}/search?q={BROAD}&language=sv")
    expect(page.get_by_role("link", name="Spør i stedet")).to_be_visible()


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize(
    "show", [empty, typing, narrowed, folded_out, without_hits], ids=lambda show: show.__name__
)
def test_axe_finds_nothing(
    wide_page: Page, service_url: str, show: Callable[[Page, str], None], theme: str
) -> None:
    wide_page.emulate_media(color_scheme="dark" if theme == "dark" else "light")
    show(wide_page, service_url)
    wide_page.wait_for_timeout(700)  # axe takes a colour that fades in for too pale
    found = Axe().run(wide_page, options={"runOnly": RULES})
    assert found.violations_count == 0, found.generate_report()
