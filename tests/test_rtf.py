"""RTF files, written here by hand as word processors write them."""

from pathlib import Path

import pytest

from index.documents import BlockKind, Piece
from index.errors import UnreadableDocumentError
from index.readers.rtf import read_rtf
from tests.made_files import read_as

HEAD = (
    r"{\rtf1\ansi\ansicpg1252\deff0{\fonttbl{\f0\fcharset0 Arial;}{\f1\fnil\fcharset2 Symbol;}}"
    r"{\stylesheet{\s0 Normal;}{\s1\sbasedon0\fs48\b{\*\keycode n} heading 1;}"
    r"{\s2\outlinelevel1 Kapittel;}{\s3 Overskrift 3;}{\*\cs4 heading 2 Char;}}"
)
INFO = (
    r"{\info{\title Svar p\'e5 h\u248\'f8ring}{\author R\'e5det}{\operator Noen}"
    r"{\creatim\yr2023\mo12\dy1\hr9\min3}{\revtim\yr2024\mo3\dy5\hr9\min3}}"
)
ROW = r"\trowd\cellx100\cellx200\pard\intbl %s\cell %s\cell\row "


def rtf(body: str) -> bytes:
    return f"{HEAD}{INFO}\n{body}}}".encode("cp1252")


def pieces(body: str) -> list[Piece]:
    return [piece for piece in read_rtf(rtf(body)).pieces if piece.text.strip()]


def texts(body: str) -> list[str]:
    return [piece.text.strip() for piece in pieces(body)]


def letter() -> bytes:
    bullet = r"{\listtext\pard\plain\f1 \'b7\tab}\ilvl0 "
    return rtf(
        r"{\header\pard Side 1\par}\pard\plain\s1 Svar p\u229\'e5 h\'f8ring\par"
        r"\pard\plain R\'e5det st\'f8tter forslaget.\par"
        rf"\pard\plain{bullet}kortere ventetid\par\pard\plain{bullet}flere fagfolk\par"
        + ROW % ("Rom", "Plasser")
        + ROW % ("Naustet", "12")
    )


def test_headings_lists_and_tables_are_kept() -> None:
    assert [(p.kind, p.level, p.text) for p in read_rtf(letter()).pieces if p.text] == [
        (BlockKind.HEADING, 1, "Svar på høring"),
        (BlockKind.PARAGRAPH, 0, "Rådet støtter forslaget."),
        (BlockKind.LIST_ITEM, 1, "kortere ventetid"),
        (BlockKind.LIST_ITEM, 1, "flere fagfolk"),
        (BlockKind.TABLE_ROW, 0, "Rom | Plasser"),
        (BlockKind.TABLE_ROW, 0, "Naustet | 12"),
    ]


def test_a_file_states_its_title_author_and_date(tmp_path: Path) -> None:
    found = read_as(tmp_path / "a.rtf", letter())
    assert (found.title, found.author, found.date, found.media_type, found.language) == (
        "Svar på høring",
        "Rådet",
        "2024-03-05",
        "application/rtf",
        "nb",
    )
    assert read_as(tmp_path / "notat.rtf", rtf("Noe helt annet.")).title == "notat"


@pytest.mark.parametrize(
    ("written", "read"),
    [
        (r"bl\'e5b\'e6r \'d8", "blåbær Ø"),
        (r"bl\u229?b\u230\'e6r", "blåbær"),
        (r"\uc0 bl\u229b\u230 r", "blåbær"),
        ("blåbær", "blåbær"),
        (r"\u-10179?\u-8704?", "😀"),
        (r"helse- og omsorg \endash  \ldblquote ja\rdblquote", "helse- og omsorg – “ja”"),
        (r"e\_post", "e\u2011post"),
        (r"\{klammer\} og \\skr\'e5strek\\cell", r"{klammer} og \skråstrek\cell"),
        (r"f\'f8r{\*\ukjent bort}etter{\deleted str\'f8ket}", "føretter"),
        (r'Se {\field{\*\fldinst{HYPERLINK "https://a.no"}}{\fldrslt det}} her', "Se det her"),
        (r"{\pict\pngblip " + "0123456789abcdef\n" * 30 + "}bilde", "bilde"),
        (r"\u99999999 a\uc b", None),
    ],
)
def test_letters_and_signs_are_read_as_they_show(written: str, read: str | None) -> None:
    found = texts(rf"\pard\plain\s3 Tittel\par\pard\plain {written}\par")
    assert read is None or found == ["Tittel", read]


def test_headings_are_known_by_their_styles_names_and_levels() -> None:
    body = (
        r"\pard\s2 To\par\pard\s3 Tre\par\pard\outlinelevel0 En\par"
        r"\pard\s0 Tekst\par\pard\s4 Og\par"
    )
    assert [(p.kind, p.level) for p in pieces(body)] == [
        (BlockKind.HEADING, 2),
        (BlockKind.HEADING, 3),
        (BlockKind.HEADING, 1),
        (BlockKind.PARAGRAPH, 0),
        (BlockKind.PARAGRAPH, 0),
    ]


def test_numbers_and_depths_of_lists_are_kept() -> None:
    body = (
        r"\pard{\listtext 1.\tab}\ilvl0 M\'e5l\par"
        r"\pard{\listtext o\tab}\ilvl1 for barn\par"
        r"\pard{\pntext\f1\'b7\tab}eldre program\par"
    )
    assert [(p.text, p.level, p.marker) for p in pieces(body)] == [
        ("1. Mål", 1, ""),
        ("for barn", 2, "- "),
        ("eldre program", 1, "- "),
    ]


def test_a_cell_keeps_its_paragraphs_breaks_and_inner_tables() -> None:
    inner = r"{\pard\intbl\itap2 indre A\nestcell indre B\nestcell{\*\nesttableprops\nestrow}}"
    body = ROW % (r"Rom\par med\line utsikt", "1|2") + ROW % (inner, "") + r"\pard Etter\par"
    assert texts(body) == ["Rom med utsikt | 1|2", "indre A indre B", "Etter"]


def test_rows_that_are_never_closed_are_paragraphs() -> None:
    assert texts(r"\pard\intbl Rom\cell Plasser\par\pard Etter\par") == ["RomPlasser", "Etter"]


def test_footnotes_come_last() -> None:
    body = (
        r"\pard\s1 Svar\par\pard R\'e5det st\'f8tter"
        r"{\super\chftn}{\*\footnote\chftn\pard Se {\i sak} 7.}"
        r" dette.\line Enstemmig.\par\pard Slutt.\par"
    )
    assert texts(body) == ["Svar", "Rådet støtter dette.\nEnstemmig.", "Slutt.", "Se sak 7."]


def test_a_text_without_any_structure_is_read_as_plain_text() -> None:
    body = (
        r"\pard Frist\par\par Fristen for \'e5 s\'f8ke er 1. mai hvert \'e5r.\par- en\par- to\par"
    )
    assert [piece.kind for piece in pieces(body)] == [
        BlockKind.HEADING,
        BlockKind.PARAGRAPH,
        BlockKind.LIST_ITEM,
        BlockKind.LIST_ITEM,
    ]


def test_what_was_not_read_is_noticed(tmp_path: Path) -> None:
    assert read_rtf(letter()).notices == ()
    cut = read_as(tmp_path / "a.rtf", letter()[:-1])
    assert "not closed" in cut.notices[0]
    box = rtf(r"Tekst{\shp{\*\shpinst{\shptxt I en boks.\par}}}")
    assert "text boxes were not read" in read_rtf(box).notices[0]


def test_rtf_is_known_by_its_content(tmp_path: Path) -> None:
    for name in ("a.rtf", "a.doc", "a.txt", "a.docx"):
        assert read_as(tmp_path / name, letter()).media_type == "application/rtf"
    for name, reason in (("b.rtf", "named as RTF"), ("b.doc", "named as Word's")):
        with pytest.raises(UnreadableDocumentError, match=reason):
            read_as(tmp_path / name, b"bare tekst")


@pytest.mark.parametrize(
    "raw", [b"{\\rtf1 " + b"{" * 1_000_000, b"{\\rtf1 " + b"{\\field{\\*\\fldinst{" * 50_000]
)
def test_braces_without_end_are_refused(tmp_path: Path, raw: bytes) -> None:
    with pytest.raises(UnreadableDocumentError, match="no text in the file"):
        read_as(tmp_path / "a.rtf", raw)
