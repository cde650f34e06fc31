"""HTML: what a reader of the page sees, and nothing of what stands around it."""

from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.documents import BlockKind, assemble
from index.readers.html import read_html

HEADING, PARAGRAPH = BlockKind.HEADING, BlockKind.PARAGRAPH
ITEM, ROW = BlockKind.LIST_ITEM, BlockKind.TABLE_ROW


def outline(html: str) -> list[tuple[BlockKind, int, str, str]]:
    return [(p.kind, p.level, p.marker, p.text) for p in read_html(html).pieces]


def texts(html: str) -> list[str]:
    return [piece.text for piece in read_html(html).pieces]


def test_the_page_tells_its_title_language_and_address() -> None:
    page = read_html(
        '<html lang="nn-NO"><head><title> Året\n på Ås </title>'
        '<link rel="canonical" href="https://a.no/år"></head><body>x'
    )
    assert (page.stated.title, page.stated.language, page.stated.source_url) == (
        "Året på Ås",
        "nn",
        "https://a.no/år",
    )


@pytest.mark.parametrize(
    ("lang", "language"), [("nb", "nb"), ("EN-us", "en"), ("no", None), ("nob", None), ("", None)]
)
def test_the_language_that_a_page_declares(lang: str, language: str | None) -> None:
    assert read_html(f"<html lang='{lang}'><body>x").stated.language == language


def test_the_address_may_stand_in_open_graph_and_must_be_a_web_address() -> None:
    meta = "<meta property='og:url' content='https://b.no'>"
    assert (
        read_html(meta + "<link rel=canonical href='/relativ'>").stated.source_url == "https://b.no"
    )
    assert read_html("<link rel=canonical href='javascript:alert(1)'>").stated.source_url is None


def test_a_title_in_a_drawing_is_not_the_page_title() -> None:
    assert read_html("<body><svg><title>Ikon</title></svg><p>Hei").stated.title == ""


@pytest.mark.parametrize(
    "chrome",
    [
        "<nav>borte</nav>",
        "<nav><ul><li>borte<nav>borte</nav></ul></nav>",
        "<header><h1>borte</h1></header>",
        "<footer>borte</footer>",
        "<aside>borte</aside>",
        "<script>borte</script><style>borte</style><noscript>borte</noscript>",
        "<form><label>borte</label><button>borte</button></form>",
        "<button>borte</button><select><option>borte</select>",
        "<div role=navigation>borte</div><div role=search>borte</div><div role=banner>borte</div>",
        "<div hidden>borte</div><span aria-hidden=true>borte</span>",
        "<svg><text>borte</text></svg><template>borte</template><dialog open>borte</dialog>",
        "<!-- borte -->",
    ],
)
def test_chrome_is_left_out(chrome: str) -> None:
    assert texts(f"<body>{chrome}<p>Hei</p>{chrome}<p>på deg</p>") == ["Hei", "på deg"]


@pytest.mark.parametrize("tag", ["article", "main"])
def test_the_header_of_the_content_itself_is_kept(tag: str) -> None:
    own = "<header><h1>Søk nå</h1></header>Tekst<footer>Kilde</footer>"
    html = f"<header>Nettsted</header><{tag}>{own}</{tag}>"
    assert texts(html) == ["Søk nå", "Tekst", "Kilde"]


def test_a_form_around_the_whole_page_is_no_chrome() -> None:
    assert texts("<form id=aspnet><nav>meny</nav><h1>Tittel</h1><p>Tekst</p></form>") == [
        "Tittel",
        "Tekst",
    ]


def test_main_is_the_page_unless_it_is_empty() -> None:
    assert texts("<p>rundt</p><main><p>inni</p></main>") == ["inni"]
    assert texts("<p>rundt</p><main> <nav>meny</nav></main>") == ["rundt"]


def test_headings_and_paragraphs() -> None:
    html = "<h1>Én</h1>løs tekst<p>to</p><div>tre<div>fire</div>fem</div><h3>Seks</h3>"
    assert outline(html) == [
        (HEADING, 1, "", "Én"),
        *((PARAGRAPH, 0, "", text) for text in ("løs tekst", "to", "tre", "fire", "fem")),
        (HEADING, 3, "", "Seks"),
    ]


@pytest.mark.parametrize(
    "wrap", ["<p>{}</p>", "<h2>{}</h2>", "<ul><li>{}</ul>", "<table><td><p>{}</p></table>"]
)
def test_emphasis_inside_a_word_does_not_split_it(wrap: str) -> None:
    assert texts(wrap.format("bar<b>ne<i>ha</i></b>ge<wbr>plass og <em>øl</em>")) == [
        "barnehageplass og øl"
    ]


def test_a_break_parts_lines_in_a_paragraph_and_words_elsewhere() -> None:
    assert texts("<p>Postboks 5<br>0001\n  Oslo<br><br>Norge</p>") == [
        "Postboks 5\n0001 Oslo\nNorge"
    ]
    assert texts("<h1>Én<br>to</h1><ul><li>tre<br>fire</ul><table><td>fem<br>seks</table>") == [
        "Én to",
        "tre fire",
        "fem seks",
    ]


def test_entities_and_alternative_texts() -> None:
    assert texts(
        "<p>&aelig;&oslash;&aring; &lt;b&gt; 5&nbsp;000 a&shy;b <img alt='Kart over Ås'>"
    ) == ["æøå <b> 5 000 ab Kart over Ås"]


def test_nested_lists_have_depth_bullets_and_numbers() -> None:
    html = (
        "<ol start=3><li>søk<ul><li>skriftlig<li>signert</ul>og vent<li value=7>ring<li>møt</ol>"
        "<menu><li><p>ferdig</p><p>helt</p></menu>"
    )
    assert outline(html) == [
        (ITEM, 1, "", "3. søk"),
        (ITEM, 2, "- ", "skriftlig"),
        (ITEM, 2, "- ", "signert"),
        (ITEM, 1, "", "og vent"),
        (ITEM, 1, "", "7. ring"),
        (ITEM, 1, "", "8. møt"),
        (ITEM, 1, "- ", "ferdig"),
        (ITEM, 1, "", "helt"),
    ]


@pytest.mark.parametrize("start", ["²", "-3", "", "x", "9" * 5000, "1.5"])
def test_a_senseless_start_counts_from_one(start: str) -> None:
    assert texts(f"<ol start='{start}'><li>en") == ["1. en"]


def test_an_item_outside_any_list_ends_with_itself() -> None:
    assert outline("<div><li>løs</li></div><p>etter</p>") == [
        (ITEM, 1, "- ", "løs"),
        (PARAGRAPH, 0, "", "etter"),
    ]


def test_a_table_gives_a_row_for_each_line() -> None:
    html = (
        "<table><caption>Søkere</caption><thead><tr><th>År<th>Antall</thead>"
        "<tr><td>2023<td><p>1 369</p><p>ca.</p><tr><td><td> </table>"
    )
    assert outline(html) == [
        (PARAGRAPH, 0, "", "Søkere"),
        (ROW, 0, "", "År | Antall"),
        (ROW, 0, "", "2023 | 1 369 ca."),
    ]


def test_a_script_in_a_cell_or_heading_is_left_out_too() -> None:
    html = "<h1>Tittel<button>Del</button></h1><table><td>A<script>borte()</script></table>"
    assert texts(html) == ["Tittel", "A"]


def test_a_table_that_lays_out_the_page_is_no_row_and_says_nothing_twice() -> None:
    html = "<table><tr><td><h2>Nytt</h2><p>En</p><table><tr><td>i<td>j</table><td>To</table>"
    assert outline(html) == [
        (HEADING, 2, "", "Nytt"),
        (PARAGRAPH, 0, "", "En"),
        (ROW, 0, "", "i | j"),
        (PARAGRAPH, 0, "", "To"),
    ]


TAGS = """
    <p> </p> <div> </div> <ul> </ul> <ol> <ol&#32;start=4> </ol> <li> </li> <h1> </h1> <h3> <br>
    <table> </table> <tr> <td> <th> <b> </b> <nav> </nav> <form> </form> <main> </main> <header>
    </header> <article> <script> </script> <svg> <title> <!-- --> <![CDATA[ <frameset> <template>
    <select> <plaintext> <img&#32;alt=å> &aring; &#xD800; &#0; < > & å ord ø
"""
TAG = st.sampled_from(TAGS.split()).map(lambda tag: tag.replace("&#32;", " "))
MARKUP = st.lists(TAG, max_size=30).map("".join)


@given(MARKUP | st.text())
def test_any_markup_is_read(html: str) -> None:
    whole, blocks = assemble(read_html(html).pieces)
    assert all(whole[block.start : block.end] for block in blocks)


@given(st.lists(st.text(st.sampled_from("abæøåÆØÅ"), min_size=1, max_size=9), max_size=30))
def test_no_word_of_a_paragraph_is_lost(words: list[str]) -> None:
    assert texts("".join(f"<p>{word}" for word in words)) == words


@pytest.mark.parametrize(
    "tag",
    ["<div>", "<b>", "<ul><li>", "<table><tr><td>", "<h1><div>", "<article><header>", "<form><h1>"],
)
def test_nesting_deeper_than_the_stack_is_read_whole(tag: str) -> None:
    began = process_time()
    pieces = read_html("<p>topp</p>" + tag * 5_000 + "bunn").pieces
    assert pieces[0].text == "topp"
    assert pieces[-1].text.endswith("bunn")
    assert process_time() - began < 3


@pytest.mark.parametrize(
    "pattern", ["<", "<b", "&", "<!--", "<p>ord. ", "<td>", "</p>", "*", "[", "<br>"]
)
def test_a_file_full_of_one_mark_is_read_at_once(pattern: str) -> None:
    began = process_time()
    read_html((pattern * 200_000)[:200_000])
    assert process_time() - began < 3
