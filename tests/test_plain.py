"""Plain text: the structure that a reader sees, recovered from lines."""

from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.documents import BlockKind, Piece, assemble
from index.readers.plain import read_plain

HEADING, PARAGRAPH = BlockKind.HEADING, BlockKind.PARAGRAPH
ITEM, ROW = BlockKind.LIST_ITEM, BlockKind.TABLE_ROW

BODY = (
    "Kommunen har fått flere lærlinger i år, og alle som søkte før fristen, fikk plass til høsten."
)


def outline(text: str) -> list[tuple[BlockKind, int, str]]:
    return [(piece.kind, piece.level, piece.text) for piece in read_plain(text)]


def texts(text: str) -> list[str]:
    return [piece.text for piece in read_plain(text)]


# Lists ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("bullet", [*"-*•‣◦▪●○·", "\uf0b7"])
def test_every_usual_bullet_makes_a_list_item(bullet: str) -> None:
    pieces = read_plain(f"Vi kan hjelpe med:\n{bullet} søknaden\n{bullet} økonomien\n")
    assert [(piece.kind, piece.text) for piece in pieces] == [
        (PARAGRAPH, "Vi kan hjelpe med:"),
        (ITEM, "søknaden"),
        (ITEM, "økonomien"),
    ]
    assert all(piece.marker.strip() for piece in pieces[1:])


def test_indentation_gives_depth_and_gives_it_back() -> None:
    text = "- helse\n  - sykehus\n    - poliklinikk\n  - fastlege\n- skole\n"
    assert [level for _, level, _ in outline(text)] == [1, 2, 3, 2, 1]


def test_bullets_under_a_number_at_the_same_margin_are_its_points() -> None:
    text = "1. Rekruttere\n- flere lærlinger\n- flere menn\n2. Beholde\n- hele stillinger\n"
    assert outline(text) == [
        (ITEM, 1, "1. Rekruttere"),
        (ITEM, 2, "flere lærlinger"),
        (ITEM, 2, "flere menn"),
        (ITEM, 1, "2. Beholde"),
        (ITEM, 2, "hele stillinger"),
    ]


@pytest.mark.parametrize("number", ["1.", "12.", "3)", "a)", "å.", "b."])
def test_numbers_and_letters_number_a_list(number: str) -> None:
    assert outline(f"{BODY}\n\n{number} Søk i god tid")[1] == (ITEM, 1, f"{number} Søk i god tid")


@pytest.mark.parametrize(
    "line",
    [
        "18. april møttes partene for andre gang, og da ble de enige om det meste i avtalen.",
        "3. Mai ble datoen til slutt, etter at to andre var foreslått og forkastet av partene.",
        "f. eks. kan en lærling få dekket reisen når skolen ligger langt unna der hun bor.",
        "m. m. er ikke nok i en avtale, der det må stå hva partene faktisk har blitt enige om.",
        "-5 grader er ikke kaldt nok til å stenge barnehagen, og det er det heller ikke om natten.",
        "2024 ble et godt år for dem som hadde søkt tidlig, men et dårlig for alle de andre.",
    ],
)
def test_a_line_that_begins_with_a_date_or_abbreviation_is_no_list(line: str) -> None:
    assert outline(line) == [(PARAGRAPH, 0, line)]


def test_an_indented_paragraph_under_an_item_goes_with_it() -> None:
    text = (
        f" • Pensjon\n\n   {BODY}\n\nVidere arbeid er ikke planlagt, men styret vil ta det opp.\n"
    )
    assert [(kind, level) for kind, level, _ in outline(text)] == [
        (ITEM, 1),
        (ITEM, 1),
        (PARAGRAPH, 0),
    ]


def test_a_ruler_is_no_item_and_no_text() -> None:
    assert texts(f"{BODY}\n\n* * *\n---\n=====\n\n{BODY}") == [BODY, BODY]


# Headings ------------------------------------------------------------------------------------


def test_a_short_line_over_a_body_is_a_heading() -> None:
    assert outline(f"Årsmelding 2023\n\n{BODY}\n\nØkonomi\n\n{BODY}\n") == [
        (HEADING, 1, "Årsmelding 2023"),
        (PARAGRAPH, 0, BODY),
        (HEADING, 2, "Økonomi"),
        (PARAGRAPH, 0, BODY),
    ]


def test_two_headings_in_a_row_are_section_and_subsection() -> None:
    kinds = [(kind, level) for kind, level, _ in outline(f"{BODY}\n\nHelse\n\nSykehus\n\n{BODY}")]
    assert kinds == [(PARAGRAPH, 0), (HEADING, 2), (HEADING, 3), (PARAGRAPH, 0)]


def test_a_heading_loses_its_colon_over_a_paragraph() -> None:
    assert outline(f"{BODY}\n\nØkonomi:\n\n{BODY}")[1] == (HEADING, 2, "Økonomi")


def test_a_line_with_a_colon_over_a_list_leads_into_it() -> None:
    assert outline(f"{BODY}\n\nStyret ber om:\n\n- råd\n- penger\n")[1] == (
        PARAGRAPH,
        0,
        "Styret ber om:",
    )


def test_a_line_with_a_colon_over_a_table_leads_into_it() -> None:
    assert outline(f"{BODY}\n\nTall for året:\n\n| A | B |\n")[1][0] is PARAGRAPH


@pytest.mark.parametrize(
    "line",
    [
        "Styret sa ja.",
        "ikke en overskrift",
        "22/8920",
        "03.10.2022",
        "https://www.eksempel.no/side",
        "www.eksempel.no",
        "Er det greit?",
        "Denne linjen har så mange ord at den ikke kan være en overskrift over noe",
    ],
)
def test_what_is_no_heading(line: str) -> None:
    assert outline(f"{BODY}\n\n{line}\n\n{BODY}")[1] == (PARAGRAPH, 0, line)


def test_the_last_line_has_no_body_and_is_no_heading() -> None:
    assert outline(f"{BODY}\n\nOslo, mai 2024\n")[-1] == (PARAGRAPH, 0, "Oslo, mai 2024")


# Marks, links, chrome ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("raw", "seen"),
    [
        ("Vi har **tre** mål", "Vi har tre mål"),
        ("Vi har **tre mål", "Vi har tre mål"),
        ("**Vi** har **tre** mål**", "Vi har tre mål"),
        ("***Viktig*** for alle", "Viktig for alle"),
        ("Les *hele* planen", "Les hele planen"),
        ("Les __hele__ planen", "Les hele planen"),
        ("2 * 3 = 6 og 4 * 5 = 20", "2 * 3 = 6 og 4 * 5 = 20"),
        ("filen min__gode__fil ligger der", "filen min__gode__fil ligger der"),
        ("Navn: ________ Dato: ________", "Navn: ________ Dato: ________"),
        ("Se [planen](https://a.no/plan) nå", "Se planen nå"),
        ("Se [helse](#) og [skole](/skole)", "Se helse og skole"),
        ("Se [1] og (2)", "Se [1] og (2)"),
    ],
)
def test_stray_marks_go_and_words_stay(raw: str, seen: str) -> None:
    assert texts(f"- {raw}") == [seen]


@pytest.mark.parametrize(
    "phrase", ["Les mer", "Les mer her", "TIL TOPPEN", "Skriv ut", "Se alle >"]
)
def test_a_navigation_phrase_goes_only_when_it_stands_alone(phrase: str) -> None:
    assert texts(f"{BODY}\n\n{phrase}\n\n{BODY}") == [BODY, BODY]
    assert texts(f"{BODY}\n\n- {phrase} om lærlinger i kommunen")[1].startswith(phrase)


def test_a_table_drawn_with_bars_becomes_rows() -> None:
    text = "| År | **Søkere** |\n|:---|---:|\n| 2023 | 1 369 |\n"
    assert outline(text) == [(ROW, 0, "År | Søkere"), (ROW, 0, "2023 | 1 369")]


def test_address_lines_stay_together_line_by_line() -> None:
    text = f"{BODY}\n\nVår ref.\n22/8920\nDeres ref.\nSaksnr. 22/6258\n\n{BODY}"
    assert texts(text) == [BODY, "Vår ref.\n22/8920\nDeres ref.\nSaksnr. 22/6258", BODY]


# Hard-wrapped text ---------------------------------------------------------------------------

WRAPPED = """\
Kommunen vil gjøre det lettere å få lærlingplass, og den har satt av
penger til reiser for dem som bor langt unna. Ordningen gjelder helse-
og omsorgsfag, og den skal etter planen vare i tre år fra og med høs-
ten. Søkere fra hele fylket kan melde seg, men de som kommer fra NHO-
bedrifter, må gå veien om opplæringskontoret sitt, som i tiden 2024-
2027 har egne midler til formålet.

- Reisen betales etterpå, og da må billettene legges ved søknaden som
  dokumentasjon på beløpet.
- Hybel dekkes ikke.
"""


def test_hard_wrapped_text_is_joined_again() -> None:
    paragraph, first, second = texts(WRAPPED)
    assert paragraph.startswith(
        "Kommunen vil gjøre det lettere å få lærlingplass, og den har satt av penger"
    )
    assert first == (
        "Reisen betales etterpå, og da må billettene legges ved søknaden som "
        "dokumentasjon på beløpet."
    )
    assert second == "Hybel dekkes ikke."


@pytest.mark.parametrize(
    "joined", ["helse- og omsorgsfag", "fra og med høsten.", "NHO-bedrifter", "2024-2027 har"]
)
def test_a_hyphen_at_the_margin_goes_only_if_it_broke_a_word(joined: str) -> None:
    assert joined in texts(WRAPPED)[0]


def test_a_date_at_the_margin_does_not_break_the_paragraph() -> None:
    text = WRAPPED.replace("penger til reiser", "18. april 2024 penger til reiser")
    assert "satt av 18. april 2024 penger til reiser" in texts(text)[0]


def test_long_lines_are_not_taken_for_wrapped_ones() -> None:
    assert texts(f"{BODY} {BODY}\n{BODY} {BODY}") == [f"{BODY} {BODY}", f"{BODY} {BODY}"]


# Whatever comes ------------------------------------------------------------------------------

LINES = st.lists(
    st.text(st.sampled_from("aåÆø.:-*_|[]()1 \t•"), max_size=40) | st.text(max_size=20), max_size=15
)


@given(LINES.map("\n".join))
def test_any_text_is_read_and_keeps_its_letters(text: str) -> None:
    pieces = read_plain(text)
    whole, blocks = assemble(pieces)
    assert len(blocks) == len(pieces)
    assert all(whole[block.start : block.end].strip() for block in blocks)


@given(st.lists(st.text(st.sampled_from("abcæøåÆØÅ \n"), max_size=60), max_size=8))
def test_no_letter_is_lost_or_changed(lines: list[str]) -> None:
    text = "\n".join(lines)
    assert "".join("".join(texts(text)).split()) == "".join(text.split())


@pytest.mark.parametrize(
    "pattern",
    [
        "*",
        "**a ",
        "__a ",
        "_",
        "[",
        "[a](/",
        "[a](",
        "|",
        "| ",
        "1 234 ",
        ".",
        ".)",
        "- ",
        "\n",
        "a\n",
        "* ",
    ],
)
def test_a_file_full_of_one_mark_is_read_at_once(pattern: str) -> None:
    began = process_time()
    read_plain((pattern * 200_000)[:200_000] + "x")
    assert process_time() - began < 4


def test_a_megabyte_is_read_at_once_wrapped_or_in_one_line() -> None:
    began = process_time()
    [one] = read_plain("Et ord til og en setning om økonomi. " * 27_000)
    assert isinstance(one, Piece) and len(one.text) > 990_000
    wrapped = "linjen er omtrent så lang som en linje på en skrivemaskin bør være\n" * 15_000
    assert len(read_plain(wrapped)) == 1
    assert process_time() - began < 6
