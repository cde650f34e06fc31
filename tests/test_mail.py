"""Mails, made here by Python's `email`."""

from email.message import EmailMessage
from pathlib import Path

import pytest

from index.documents import BlockKind
from index.errors import UnreadableDocumentError
from index.readers.mail import read_mail
from tests.made_files import read_as

HEADER = (
    b"From: raadet@kommune.example\r\nSubject: Svar\r\nDate: Tue, 5 Mar 2024 23:30:00 +0100\r\n"
)


def letter(body: str = "Rådet støtter forslaget.\n") -> EmailMessage:
    message = EmailMessage()
    message["From"] = "Rådet for eldre <raadet@kommune.example>"
    message["To"] = "Postmottak <post@kommune.example>"
    message["Subject"] = "Høringssvar om blåbær"
    message["Date"] = "Tue, 05 Mar 2024 23:30:00 +0100"
    message.set_content(body)
    return message


def blocks(raw: bytes) -> list[tuple[BlockKind, str]]:
    return [(piece.kind, piece.text) for piece in read_mail(raw).pieces]


def body(raw: bytes) -> list[str]:
    return [piece.text for piece in read_mail(raw).pieces[2:]]


def test_a_mail_is_its_subject_its_fields_and_its_text() -> None:
    assert blocks(letter().as_bytes()) == [
        (BlockKind.HEADING, "Høringssvar om blåbær"),
        (
            BlockKind.PARAGRAPH,
            "From: Rådet for eldre <raadet@kommune.example>\n"
            "To: Postmottak <post@kommune.example>\nDate: Tue, 05 Mar 2024 23:30:00 +0100",
        ),
        (BlockKind.PARAGRAPH, "Rådet støtter forslaget."),
    ]


def test_author_and_date_are_those_of_its_fields(tmp_path: Path) -> None:
    found = read_as(tmp_path / "a.eml", letter().as_bytes())
    assert (found.title, found.author, found.date, found.media_type, found.language) == (
        "Høringssvar om blåbær",
        "Rådet for eldre",
        "2024-03-05",
        "message/rfc822",
        "nb",
    )
    nameless = read_mail(HEADER + b"\r\nHei.\r\n").stated
    assert nameless.author == "raadet@kommune.example"


def test_the_plain_text_goes_before_the_page_and_the_page_before_nothing() -> None:
    message = letter()
    message.add_alternative("<h1>Svar</h1><p>Rådet støtter det.</p>", subtype="html")
    assert body(message.as_bytes()) == ["Rådet støtter forslaget."]
    message = letter("\n")
    message.add_alternative("<h1>Svar</h1><p>Rådet støtter det.</p>", subtype="html")
    read = read_mail(message.as_bytes()).pieces[2:]
    assert [(p.kind, p.level, p.text) for p in read] == [
        (BlockKind.HEADING, 2, "Svar"),
        (BlockKind.PARAGRAPH, 0, "Rådet støtter det."),
    ]


def test_all_texts_are_read_and_attachments_named(tmp_path: Path) -> None:
    message = letter()
    message.add_attachment(b"%PDF-", maintype="application", subtype="pdf", filename="Årsplan.pdf")
    message.add_attachment(letter())
    message.add_attachment("Med hilsen rådet.\n", disposition="inline")
    found = read_as(tmp_path / "a.eml", message.as_bytes())
    assert found.text.endswith("Rådet støtter forslaget.\n\nMed hilsen rådet.")
    assert found.notices == (
        "attachments were not read: Årsplan.pdf, one without a name (message/rfc822)",
    )


def test_pictures_that_a_page_shows_are_no_attachments() -> None:
    message = letter()
    message.set_content('<p>Se bildet: <img src="cid:1" alt="kart"></p>', subtype="html")
    message.add_related(b"GIF89a", maintype="image", subtype="gif", cid="<1>")
    mail = read_mail(message.as_bytes())
    assert mail.pieces[2].text == "Se bildet: kart"
    assert mail.notices == ()


def test_an_older_mail_is_kept_and_marked(tmp_path: Path) -> None:
    text = "Ja, det går bra.\n\n> Kan møtet flyttes?\n>> Når er møtet?\n\nMvh rådet\n"
    found = read_as(tmp_path / "a.eml", letter(text).as_bytes())
    assert found.text.endswith(
        "Ja, det går bra.\n\n> Kan møtet flyttes?\n\n>> Når er møtet?\n\nMvh rådet"
    )
    quoted = [found.text[b.start : b.end] for b in found.blocks][-3:-1]
    assert quoted == ["Kan møtet flyttes?", "Når er møtet?"]


def test_a_greeting_is_no_heading_and_lists_are_lists() -> None:
    text = "Hei Rådet\n\nVi ønsker oss to ting:\n- kortere ventetid\n- flere fagfolk\n"
    assert blocks(letter(text).as_bytes())[2:] == [
        (BlockKind.PARAGRAPH, "Hei Rådet"),
        (BlockKind.PARAGRAPH, "Vi ønsker oss to ting:"),
        (BlockKind.LIST_ITEM, "kortere ventetid"),
        (BlockKind.LIST_ITEM, "flere fagfolk"),
    ]


def test_lines_that_a_program_broke_are_whole_again() -> None:
    head = HEADER + b"Content-Type: text/plain; format=flowed\r\n\r\n"
    text = b"Planen gjelder \r\nfra mai. \r\n> Hva gjelder \r\n> planen?\r\nHilsen\r\n-- \r\nBo\r\n"
    assert body(head + text) == [
        "Planen gjelder fra mai.",
        "Hva gjelder planen?",
        "Hilsen",
        "Bo",
    ]


@pytest.mark.parametrize("encoding", ["iso-8859-1", "utf-8", "iso-8859-15", "windows-1252"])
@pytest.mark.parametrize("transfer", ["8bit", "base64", "quoted-printable"])
def test_norwegian_letters_survive_every_encoding(encoding: str, transfer: str) -> None:
    message = letter()
    message.set_content("Ærlige Øystein åt blåbær.\n", charset=encoding, cte=transfer)
    assert body(message.as_bytes()) == ["Ærlige Øystein åt blåbær."]


@pytest.mark.parametrize("declared", [b"", b"; charset=us-ascii", b"; charset=finnes-ikke"])
@pytest.mark.parametrize("encoding", ["utf-8", "cp1252"])
def test_a_missing_or_wrong_charset_is_mended(declared: bytes, encoding: str) -> None:
    head = HEADER + b"Content-Type: text/plain" + declared + b"\r\n\r\n"
    assert body(head + "Blåbær på Ås.".encode(encoding)) == ["Blåbær på Ås."]


@pytest.mark.parametrize("encoding", ["utf-8", "cp1252"])
def test_letters_typed_into_a_field_are_read(encoding: str) -> None:
    raw = "From: Bjørg <b@a.example>\nSubject: Blåbær\n\nHei.\n".encode(encoding)
    stated = read_mail(raw).stated
    assert (stated.title, stated.author, stated.date) == ("Blåbær", "Bjørg", None)


@pytest.mark.parametrize(
    "field",
    [
        b'From: @@<;:,>"',
        b'From: =?utf-8?q??=:"',
        b"From: 9@>\\w6U=,.=C3@[ ",
        b"From: .a?=@[a",
        b"Date: i morgen",
        b"Subject: =?utf-8?q?=C3?= =?x?b?!?=",
    ],
)
def test_a_broken_field_costs_no_more_than_itself(field: bytes) -> None:
    mail = read_mail(field + b"\nTo: a@b.example\n\nHei.\n")
    assert mail.pieces[-1].text == "Hei."
    assert mail.stated.date is None


def only_an_attachment() -> bytes:
    message = EmailMessage()
    message["Subject"] = "Vedlegg"
    message.add_attachment(b"%PDF-", maintype="application", subtype="pdf", filename="plan.pdf")
    return message.as_bytes()


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b" \n", "empty"),
        (b"Bare en tekst.\n\nUten felter.", "no mail in the file"),
        (HEADER, "no text in the mail"),
        (only_an_attachment(), r"only attachments: save them \(plan.pdf\)"),
        (HEADER + b"Content-Transfer-Encoding: base64\r\n\r\nSGVpI\r\n", "damaged"),
        (HEADER + b"\r\nHei\x00\x01", "binary"),
    ],
)
def test_what_cannot_be_read_is_refused_with_a_reason(
    tmp_path: Path, raw: bytes, reason: str
) -> None:
    with pytest.raises(UnreadableDocumentError, match=reason):
        read_as(tmp_path / "a.eml", raw)


def nested() -> bytes:
    return HEADER + b"".join(
        b'Content-Type: multipart/mixed; boundary="%d"\r\n\r\n--%d\r\n' % (depth, depth)
        for depth in range(100_000)
    )


def test_parts_nested_without_end_are_refused() -> None:
    with pytest.raises(UnreadableDocumentError, match="nested too deeply"):
        read_mail(nested())


def test_parts_without_number_are_read() -> None:
    part = b"--x\r\nContent-Type: image/png; name=kart.png\r\n\r\n\r\n"
    many = HEADER + b'Content-Type: multipart/mixed; boundary="x"\r\n\r\n' + part * 500
    mail = read_mail(many + b"--x\r\n\r\nHei.\r\n--x--\r\n")
    assert mail.pieces[-1].text == "Hei."
    assert mail.notices[0].endswith("kart.png and 480 more")
