"""read(): one function for every format, and errors that fit one line of a report."""

import io
import os
import tempfile
import unicodedata
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import index.readers
from index.documents import BlockKind
from index.errors import UnreadableDocumentError
from index.readers import formats, require_readable
from index.readers.formats import read


def write(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def refusal(path: Path) -> str:
    with pytest.raises(UnreadableDocumentError) as caught:
        read(path)
    message = str(caught.value)
    assert message and "\n" not in message
    return message


@pytest.mark.parametrize(
    ("name", "content", "media_type"),
    [
        (
            "a.txt",
            "Blåbær på Ås\n\nDet finnes mer enn nok til alle som vil plukke i år.",
            "text/plain",
        ),
        (
            "a.TEXT",
            "Blåbær på Ås\n\nDet finnes mer enn nok til alle som vil plukke i år.",
            "text/plain",
        ),
        ("a.md", "# Blåbær på Ås\n\nDet finnes mer enn nok til alle.", "text/markdown"),
        ("a.Markdown", "# Blåbær på Ås\n\nDet finnes mer enn nok til alle.", "text/markdown"),
        ("a.html", "<h1>Blåbær på Ås</h1><p>Det finnes mer enn nok.", "text/html"),
        ("a.htm", "<h1>Blåbær på Ås</h1><p>Det finnes mer enn nok.", "text/html"),
        ("a.xhtml", "<h1>Blåbær på Ås</h1><p>Det finnes mer enn nok.", "text/html"),
    ],
)
def test_each_format_gives_title_heading_and_text(
    tmp_path: Path, name: str, content: str, media_type: str
) -> None:
    path = write(tmp_path, name, content)
    require_readable(path)
    document = read(path)
    assert (document.title, document.media_type, document.language) == (
        "Blåbær på Ås",
        media_type,
        "nb",
    )
    heading, body = document.blocks
    assert heading.kind is BlockKind.HEADING
    assert document.text[body.start : body.end].startswith("Det finnes mer enn nok")


def test_front_matter_and_page_head_describe_the_document(tmp_path: Path) -> None:
    markdown = read(
        write(tmp_path, "a.md", "---\ntitle: Årsplan\nlang: nn\nsource: https://a.no\n---\nikke")
    )
    assert (markdown.title, markdown.language, markdown.source_url) == (
        "Årsplan",
        "nn",
        "https://a.no",
    )
    html = read(
        write(tmp_path, "b.html", "<html lang=no><title>Årsplan</title><p>Eg veit ikkje kva")
    )
    assert (html.title, html.language, html.source_url) == ("Årsplan", "nn", None)


@pytest.mark.parametrize(
    ("field", "url"), [("url: http://b.no", "http://b.no"), ("source: Arkivet", None)]
)
def test_a_source_counts_only_as_a_web_address(tmp_path: Path, field: str, url: str | None) -> None:
    assert read(write(tmp_path, "a.md", f"---\n{field}\n---\nHei")).source_url == url


def test_an_unknown_declared_language_is_detected_instead(tmp_path: Path) -> None:
    assert (
        read(write(tmp_path, "a.md", "---\nlang: klingon\n---\nthe end of the line")).language
        == "en"
    )


@pytest.mark.parametrize("composed", [True, False])
def test_without_a_heading_the_file_name_is_the_title(tmp_path: Path, composed: bool) -> None:
    name = unicodedata.normalize("NFC" if composed else "NFD", "årsmøte på Ås.txt")
    assert read(write(tmp_path, name, "bare litt tekst.")).title == "årsmøte på Ås"


def test_a_file_name_that_is_no_text_still_gives_a_title_that_can_be_stored(tmp_path: Path) -> None:
    document = read(write(tmp_path, os.fsdecode(b"m\xf8te.txt"), "bare litt tekst."))
    document.title.encode()
    assert document.title.endswith("te")


@pytest.mark.parametrize("name", ["a.png", "a.ppt", "uten", "a.txt.zip"])
def test_an_unknown_type_is_refused_with_those_that_are_known(tmp_path: Path, name: str) -> None:
    path = write(tmp_path, name, "tekst")
    with pytest.raises(UnreadableDocumentError, match="cannot be read yet"):
        require_readable(path)
    assert ".html, .markdown, .md" in refusal(path)
    assert refusal(path).startswith(path.suffix or "files without an extension")


@pytest.mark.parametrize("name", ["a.txt", "a.md", "a.html"])
def test_empty_binary_and_missing_files_are_refused(tmp_path: Path, name: str) -> None:
    assert "empty" in refusal(write(tmp_path, name, b" \n"))
    assert "binary" in refusal(write(tmp_path, name, b"\x7fELF\0\0"))
    assert "cannot open" in refusal(tmp_path / f"borte-{name}")
    (tmp_path / f"mappe-{name}").mkdir()
    assert "cannot open" in refusal(tmp_path / f"mappe-{name}")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.txt", "\u200b\u00ad"),
        ("a.txt", "----\n\n***"),
        ("a.txt", b"\xef\xbb\xbf"),
        ("a.md", "---\ntitle: tom\n---\n"),
        ("a.html", "<title>tom</title><script>ikke tekst</script><nav>meny</nav>"),
    ],
)
def test_a_file_without_any_text_is_refused(
    tmp_path: Path, name: str, content: str | bytes
) -> None:
    assert refusal(write(tmp_path, name, content)) == "there is no text in the file"


def test_a_file_over_the_limit_is_refused_before_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(index.readers, "MAX_FILE_BYTES", 2 * 1024 * 1024)
    path = tmp_path / "stor.txt"
    with path.open("wb") as file:
        file.truncate(5 * 1024 * 1024)
    assert "5 MB; the limit is 2 MB" in refusal(path)


@pytest.mark.parametrize("suffix", [".txt", ".md", ".html"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_norwegian_letters_survive_every_encoding_and_format(
    tmp_path: Path, suffix: str, encoding: str
) -> None:
    text = "Ærlige Øystein åt blåbær – «søtt»."
    assert read(write(tmp_path, f"a{suffix}", text.encode(encoding))).text == text


def archive(name: str = "notat.txt") -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as made:
        made.writestr(name, "Noe i en mappe.")
    return buffer.getvalue()


def old(part: str) -> bytes:
    return b"\xd0\xcf\x11\xe0" + bytes(600) + part.encode("utf-16-le") + bytes(100)


@pytest.mark.parametrize(
    "suffix", [".txt", ".md", ".html", ".docx", ".odt", ".doc", ".eml", ".rtf"]
)
@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (archive(), "an archive"),
        (archive("META-INF/container.xml"), "an archive"),
        (archive()[:-30], "cut off"),
        (old("EncryptedPackage"), "has a password; save"),
        (old("WordDocument"), "Word's format before 2007"),
        (old("Workbook"), "Excel's format before 2007"),
        (old("PowerPoint Document"), "PowerPoint's format before 2007"),
        (old("__substg1.0_1000001F"), "Outlook's own format"),
        (old("noe annet"), "has a password or is of"),
    ],
)
def test_what_is_no_text_is_refused_by_its_content(
    tmp_path: Path, suffix: str, raw: bytes, reason: str
) -> None:
    assert reason in refusal(write(tmp_path, f"a{suffix}", raw))


BYTES = st.binary(max_size=200) | st.lists(
    st.sampled_from(
        [
            b"<div>",
            b"<ol start=9>",
            b"<li>",
            b"# ",
            b"---\n",
            b"|",
            b"\xf8",
            b"\xc3\xa5",
            b"\0",
            b"\xff\xfe",
            b"\xef\xbb\xbf",
            b"<meta charset=idna>",
            b"\n",
            b"a",
            b"\x81",
        ]
    ),
    max_size=30,
).map(b"".join)


@pytest.mark.parametrize("suffix", [".txt", ".md", ".html"])
@given(raw=BYTES)
def test_any_bytes_are_read_into_true_spans_or_refused(suffix: str, raw: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = write(Path(folder), f"a{suffix}", raw)
        try:
            document = read(path)
        except UnreadableDocumentError as error:
            assert "\n" not in str(error)
            return
    assert document.text and document.title and document.content_hash
    ends = [0, *(block.end for block in document.blocks)]
    assert all(e <= b.start < b.end for e, b in zip(ends, document.blocks, strict=False))
    assert ends[-1] <= len(document.text)
    for block in document.blocks:
        part = document.text[block.start : block.end]
        assert part == part.strip() != ""


def test_every_known_extension_has_a_reader() -> None:
    assert set(formats._READERS) == index.readers.EXTENSIONS
