"""Mails (EML), parsed by Python's own `email`."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from email import message_from_bytes
from email.errors import InvalidBase64LengthDefect
from email.headerregistry import AddressHeader, BaseHeader, DateHeader
from email.message import EmailMessage
from email.policy import default as policy
from itertools import groupby

from index.documents import BlockKind, Piece
from index.errors import UnreadableDocumentError
from index.language import detect_language
from index.readers.encoding import decode_declared
from index.readers.html import read_html
from index.readers.plain import read_plain
from index.readers.stated import Stated, author_of, day_of
from index.text import normalise_line

_SHOWN = ("From", "To", "Cc", "Date")
_TELLING = frozenset({"from", "to", "subject", "date", "received", "message-id"})
"""A text with none of these fields above it is no mail."""
_QUOTED = re.compile(r"(?:> ?)*")
_SIGNATURE = "-- "
_MOST_NAMED = 20
# The parser of fields has holes that broken ones fall into.
_BROKEN_FIELD = (ValueError, IndexError, AttributeError, TypeError, LookupError)


@dataclass(frozen=True, slots=True)
class Mail:
    """What a mail says of itself, its blocks, and what of it was not read."""

    stated: Stated
    pieces: list[Piece]
    notices: tuple[str, ...]


def read_mail(raw: bytes) -> Mail:
    """A mail: its subject as a heading, who wrote to whom and when, and its text.

    Where the text is there twice, the plain one is read. Attachments are named, not read. Raises
    UnreadableDocumentError when there is no mail, no text in it, or its parts nest too deeply.
    """
    if not raw.strip():
        raise UnreadableDocumentError("the file is empty")
    try:
        message = message_from_bytes(raw, _class=EmailMessage, policy=policy)
        contents = _Contents()
        contents.gather(message)
    except RecursionError as error:
        raise UnreadableDocumentError(
            "the mail's parts are nested too deeply; save what is in it as files"
        ) from error
    fields = _Fields(message)
    if not fields.tell():
        raise UnreadableDocumentError(
            "there is no mail in the file: a mail begins with fields such as From and Subject"
        )
    if not contents.pieces:
        raise UnreadableDocumentError(_nothing_to_read(contents.attachments))
    subject = fields.line("Subject")
    # The names of the fields are English in every mail.
    words = " ".join([subject, *(piece.text for piece in contents.pieces)])
    return Mail(
        Stated(subject, fields.author(), fields.day(), detect_language(words)),
        [*fields.pieces(), *contents.pieces],
        _notices(contents.attachments),
    )


def _nothing_to_read(attachments: list[str]) -> str:
    if not attachments:
        return "there is no text in the mail"
    return f"there is no text in the mail, only attachments: save them ({_listed(attachments)})"


def _notices(attachments: list[str]) -> tuple[str, ...]:
    return (f"attachments were not read: {_listed(attachments)}",) if attachments else ()


def _listed(names: list[str]) -> str:
    more = len(names) - _MOST_NAMED
    return ", ".join(names[:_MOST_NAMED]) + (f" and {more} more" if more > 0 else "")


class _Fields:
    """The fields that stand above a mail's text; of several of one name the first counts."""

    def __init__(self, message: EmailMessage) -> None:
        self._raw: dict[str, str] = {}
        for name, value in message.raw_items():
            self._raw.setdefault(name.lower(), str(value))

    def tell(self) -> bool:
        return not _TELLING.isdisjoint(self._raw)

    def line(self, name: str) -> str:
        """The field on one line; empty where there is none."""
        return normalise_line(str(self._parsed(name)))

    def author(self) -> str | None:
        """Who wrote the mail, by name, or by address where no name is given."""
        header = self._parsed("From")
        if not isinstance(header, AddressHeader):
            return author_of(str(header))
        names = (address.display_name or address.addr_spec for address in header.addresses)
        return author_of(", ".join(filter(None, names)))

    def day(self) -> str | None:
        header = self._parsed("Date")
        moment = header.datetime if isinstance(header, DateHeader) else None
        return day_of(moment.isoformat()) if moment else None

    def pieces(self) -> Iterator[Piece]:
        yield Piece(BlockKind.HEADING, self.line("Subject"), 1)
        shown = [f"{name}: {line}" for name in _SHOWN if (line := self.line(name))]
        yield Piece(BlockKind.PARAGRAPH, "\n".join(shown))

    def _parsed(self, name: str) -> BaseHeader | str:
        """The field with its encoded words decoded; as it stands where that cannot be done."""
        raw = self._raw.get(name.lower(), "")
        if not raw.strip():
            return ""
        if not raw.isascii():  # letters as they were typed, which mails are not allowed
            raw = decode_declared(raw.encode("utf-8", "surrogateescape"), "")
        value = " ".join(raw.split())
        try:
            header: BaseHeader = policy.header_factory(name, value)
        except _BROKEN_FIELD:
            return value
        return header


@dataclass
class _Contents:
    """What is in a mail's parts: the blocks of those that are its text, the others' names."""

    pieces: list[Piece] = field(default_factory=list)
    attachments: list[str] = field(default_factory=list)

    def gather(self, part: EmailMessage) -> None:
        kind = part.get_content_type()
        if part.is_attachment() or kind == "message/rfc822":
            self.attachments.append(_name(part))
        elif kind == "multipart/alternative":
            self._alternative(part)
        elif kind == "multipart/related":
            self._related(part)
        elif part.is_multipart():
            for child in _children(part):
                self.gather(child)
        elif kind == "text/html":
            self.pieces += _lowered(read_html(_text(part)).pieces)
        elif kind == "text/plain":
            self.pieces += list(_plain_pieces(part))
        else:
            self.attachments.append(_name(part))

    def _alternative(self, part: EmailMessage) -> None:
        """The first of the same text's forms that has any, the plain one before the others."""
        forms = sorted(_children(part), key=lambda form: form.get_content_type() != "text/plain")
        for form in forms:
            tried = _Contents()
            tried.gather(form)
            if tried.pieces:
                self.pieces += tried.pieces
                self.attachments += tried.attachments
                return

    def _related(self, part: EmailMessage) -> None:
        """A page, without the pictures that it shows."""
        page, *shown = _children(part) or [EmailMessage(policy)]
        self.gather(page)
        self.attachments += [_name(child) for child in shown if child.is_attachment()]


def _children(part: EmailMessage) -> list[EmailMessage]:
    return [child for child in part.iter_parts() if isinstance(child, EmailMessage)]


def _name(part: EmailMessage) -> str:
    try:
        name = normalise_line(part.get_filename() or "")
    except _BROKEN_FIELD:
        name = ""
    return name or f"one without a name ({part.get_content_type()})"


def _text(part: EmailMessage) -> str:
    raw = part.get_payload(decode=True)
    if any(isinstance(defect, InvalidBase64LengthDefect) for defect in part.defects):
        raise UnreadableDocumentError("the mail's text is damaged; save the mail again")
    if not isinstance(raw, bytes) or not raw.strip():
        return ""
    return decode_declared(raw, part.get_content_charset() or "")


def _plain_pieces(part: EmailMessage) -> Iterator[Piece]:
    """The paragraphs and lists of a plain text; an older mail's have «>» as their marker.

    No line is guessed to be a heading: «Hei Kari» stands above what follows like one.
    """
    lines = _text(part).splitlines()
    if part.get_param("format") == "flowed":
        lines = list(_unflowed(lines))
    for depth, group in groupby(lines, key=_depth):
        bare = (_QUOTED.sub("", line, count=1) for line in group)
        text = "\n".join("" if line == _SIGNATURE else line for line in bare)
        for piece in read_plain(text):
            is_heading = piece.kind is BlockKind.HEADING
            yield replace(
                piece,
                kind=BlockKind.PARAGRAPH if is_heading else piece.kind,
                level=0 if is_heading else piece.level,
                marker=">" * depth + " " * bool(depth) + piece.marker,
            )


def _depth(line: str) -> int:
    quoted = _QUOTED.match(line)
    return quoted.group().count(">") if quoted else 0


def _unflowed(lines: list[str]) -> Iterator[str]:
    """Lines as they were before they were broken: one that ends in a space goes on (RFC 3676)."""
    begun = ""
    for line in lines:
        if begun and _depth(line) != _depth(begun):
            yield begun
            begun = ""
        begun += _QUOTED.sub("", line, count=1) if begun else line
        if not line.endswith(" ") or line == _SIGNATURE:
            yield begun
            begun = ""
    if begun:
        yield begun


def _lowered(pieces: list[Piece]) -> list[Piece]:
    """The blocks of a page below the mail's subject."""
    return [
        replace(piece, level=min(piece.level + 1, 6)) if piece.kind is BlockKind.HEADING else piece
        for piece in pieces
    ]
