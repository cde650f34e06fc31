"""From bytes to text: every encoding that Norwegian files come in, and refusals that say why."""

import codecs

import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.errors import UnreadableDocumentError
from index.readers.encoding import decode, decode_html

TEXT = "Blåbærgrøt på Ås – «søtt»"


@pytest.mark.parametrize(
    "raw",
    [
        TEXT.encode(),
        TEXT.encode("utf-8-sig"),
        TEXT.encode("utf-16"),
        codecs.BOM_UTF16_LE + TEXT.encode("utf-16-le"),
        codecs.BOM_UTF16_BE + TEXT.encode("utf-16-be"),
        codecs.BOM_UTF32_LE + TEXT.encode("utf-32-le"),
        codecs.BOM_UTF32_BE + TEXT.encode("utf-32-be"),
        TEXT.encode("cp1252"),
    ],
)
def test_every_usual_encoding_gives_the_same_text(raw: bytes) -> None:
    assert decode(raw) == TEXT
    assert decode_html(raw) == TEXT


@pytest.mark.parametrize("raw", [b"", b" \r\n\t ", b"\n" * 1000])
def test_an_empty_file_is_refused(raw: bytes) -> None:
    with pytest.raises(UnreadableDocumentError, match="empty"):
        decode(raw)
    with pytest.raises(UnreadableDocumentError, match="empty"):
        decode_html(raw)


@pytest.mark.parametrize("read", [decode, decode_html])
def test_binary_data_is_refused_even_under_a_declaration(read: type) -> None:
    with pytest.raises(UnreadableDocumentError, match="binary"):
        read(b"PK\x03\x04\x00\x00tekst")
    with pytest.raises(UnreadableDocumentError, match="binary"):
        read(b"<meta charset=iso-8859-15>\xf8\x00\x00")


def test_what_no_encoding_can_read_whole_is_refused_with_the_place() -> None:
    with pytest.raises(UnreadableDocumentError, match=r"cp1252 \(byte 4\).*save the file again"):
        decode(b"f\xf8r \x81")
    with pytest.raises(UnreadableDocumentError, match="utf-16"):
        decode(codecs.BOM_UTF16_LE + b"a\x00b")


def page(charset: str, text: str, encoding: str) -> bytes:
    return f'<html><meta charset="{charset}"><p>{text}'.encode(encoding)


@pytest.mark.parametrize(
    ("charset", "encoding", "text"),
    [
        ("iso-8859-1", "latin-1", "ærlig øl på Ås"),
        ("ISO-8859-1", "cp1252", "«ærlig» – øl"),  # browsers read Latin-1 as Windows-1252
        ("windows-1252", "cp1252", "blå – grønn"),
        ("iso-8859-15", "iso-8859-15", "5 € på Ås"),
        ("macintosh", "mac-roman", "blåbærgrøt"),
        ("utf-8", "utf-8", "blåbærgrøt"),
        ("utf-16", "utf-8", "blåbærgrøt"),  # cannot be true: the declaration was readable
        ("iso-8859-1", "utf-8", "blåbærgrøt"),  # converted, with the old declaration left in
        ("utf-8", "cp1252", "blåbærgrøt"),  # declared wrong
        ("finnes-ikke", "cp1252", "blåbærgrøt"),
        ("iso-8859-99", "cp1252", "blåbærgrøt"),
    ],
)
def test_a_page_is_read_as_it_was_written(charset: str, encoding: str, text: str) -> None:
    assert decode_html(page(charset, text, encoding)).endswith(text)


def test_the_long_form_of_the_declaration_counts() -> None:
    raw = '<META http-equiv=Content-Type content="text/html; charset=ISO-8859-15">5 € på Ås'
    assert decode_html(raw.encode("iso-8859-15")).endswith("5 € på Ås")


@pytest.mark.parametrize(
    "codec", ["utf-7", "unicode_escape", "idna", "punycode", "undefined", "rot13", "hex", "mbcs"]
)
def test_a_declared_codec_that_is_no_character_set_is_ignored(codec: str) -> None:
    raw = page(codec, r"bl\u00e5 +AOU- blå", "utf-8")
    assert decode_html(raw).endswith(r"bl\u00e5 +AOU- blå")


def test_a_byte_order_mark_is_stronger_than_a_declaration() -> None:
    raw = codecs.BOM_UTF8 + page("iso-8859-15", "blå", "utf-8")
    assert decode_html(raw).endswith("blå")


@given(st.binary() | st.binary().map(lambda raw: b"<meta charset=shift_jis>" + raw))
def test_any_bytes_are_read_whole_or_refused(raw: bytes) -> None:
    for read in (decode, decode_html):
        try:
            text = read(raw)
        except UnreadableDocumentError as error:
            assert str(error)
        else:
            assert isinstance(text, str)


@given(st.text().filter(lambda text: text.strip() and "\0" not in text))
def test_utf8_comes_back_as_it_was(text: str) -> None:
    assert decode(text.encode()) == text.removeprefix("\ufeff")
