"""What the library takes and gives: documents, passages and sources as plain values."""

from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from index.collection_names import DEFAULT
from index.documents import Block
from index.embedding.encoder import Matrix, Vector
from index.passages import Passage
from index.units import Unit

Ids = npt.NDArray[np.int64]
"""int64[n]: ids of passages, ascending."""


@dataclass(frozen=True, slots=True, eq=False)
class IdRanges:
    """Passages whose ids lie in any of `ranges`, or with `others` all that do not.

    `ranges` are int64[n, 2], each from its first id to before its second.
    """

    ranges: npt.NDArray[np.int64]
    others: bool = False


@dataclass(frozen=True, slots=True)
class Source:
    """A file that a document was read from, and what tells whether it is to be read again.

    `readers` says which readers read it, with which settings.
    """

    path: str
    size: int
    modified_ns: int
    file_hash: str
    readers: str = ""


DELETED = "*"
"""The `readers` of a file whose document a person deleted: no other readers bring it back."""


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A file that is not read as long as it is as it was, and why, in one line.

    `collection` is the one that it was for, or that its document was in.
    """

    source: Source
    reason: str
    collection: str = DEFAULT


@dataclass(frozen=True, slots=True)
class NewPassage:
    """A passage on its way in: its evidence units, and the key of its vector in the cache."""

    passage: Passage
    units: tuple[Unit, ...]
    vector_key: str


@dataclass(frozen=True, slots=True)
class Vectors:
    """What the embedding model made of a passage: float32[d], and float32[n, d] of its n units."""

    passage: Vector
    units: Matrix


class ChangeKind(StrEnum):
    """What happens to documents: a moved one comes into another collection. One that is queued is
    known by its job, the others by their id."""

    QUEUED = "queued"
    ADDED = "added"
    REPLACED = "replaced"
    MOVED = "moved"
    DELETED = "deleted"


@dataclass(frozen=True, slots=True)
class StoredDocument:
    """A document of the library. `source` is its web address, else the path of its file."""

    id: str
    title: str
    source: str
    media_type: str
    language: str
    pages: int | None
    content_hash: str
    updated_at: str
    passages: int
    author: str | None = None
    date: str | None = None
    notices: tuple[str, ...] = ()
    text: str = field(default="", repr=False)
    blocks: tuple[Block, ...] = field(default=(), repr=False)
    collection: str = DEFAULT


@dataclass(frozen=True, slots=True)
class StoredPassage:
    """A passage with all that a hit, an answer and a citation say of it.

    `start` and `end` are offsets in the document's text, and `text` is that very slice. The spans
    of `units` are offsets in the document too.
    """

    id: int
    document_id: str
    title: str
    source: str
    content_hash: str
    language: str
    media_type: str
    date: str | None
    updated_at: str
    heading_path: tuple[str, ...]
    page: int | None
    start: int
    end: int
    text: str
    lead_in: str
    lead_start: int | None
    units: tuple[Unit, ...]
    collection: str = DEFAULT


@dataclass(frozen=True, slots=True)
class PassageWording:
    """The words of a passage alone, and where they stand: all that a suggestion needs of it."""

    document_id: str
    title: str
    start: int
    text: str


@dataclass(frozen=True, slots=True)
class IndexedPassage:
    """What of a passage goes into a generation: its words in their context, and float32[d].

    `headings` are those that stand in it, and `opens` says that its document begins with it.
    """

    id: int
    document_id: str
    title: str
    heading_path: tuple[str, ...]
    lead_in: str
    text: str
    vector: Vector
    headings: tuple[str, ...] = ()
    opens: bool = False


@dataclass(frozen=True, slots=True)
class CollectionCount:
    """A collection, and how many documents it has."""

    name: str
    documents: int


@dataclass(frozen=True, slots=True)
class PartContents:
    """What a generation is to hold of one collection: its passages `ids`, of so many documents."""

    ids: Ids
    documents: int


@dataclass(frozen=True, slots=True)
class Version:
    """Which library, after how many changes to what is searched, and which edition of its passages.

    `identity` is drawn when a library is made, and anew when one is restored: numbers that are
    equal by chance must not pass for the same.
    """

    identity: str
    revision: int
    edition: int


@dataclass(frozen=True, slots=True)
class Told:
    """What answers tell: the version, and after how many changes to which files there are.

    A file that moves changes nothing that is searched, but where its document is said to be.
    """

    version: Version
    files: int


@dataclass(frozen=True, slots=True)
class Edition:
    """All passages that were cut and embedded by one recipe. Their ids are no other edition's."""

    number: int
    recipe: str | None


@dataclass(frozen=True, slots=True)
class Excerpt:
    """The words at a span of a document, the hash of the text that they were taken from, and the
    page on which they begin."""

    text: str
    content_hash: str
    page: int | None = None


@dataclass(frozen=True, slots=True)
class CitedSpan:
    """A place in a document's text, in code points, end exclusive, and the hash of that text."""

    document_id: str
    content_hash: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class CitedExcerpt:
    """The words at a cited span, and what a citation says of where they stand."""

    text: str
    title: str
    source: str
    page: int | None
    heading_path: tuple[str, ...]


class Sort(StrEnum):
    """What documents are listed by."""

    TITLE = "title"
    DATE = "date"
    UPDATED = "updated"
    PASSAGES = "passages"


@dataclass(frozen=True, slots=True)
class Listing:
    """Which documents are listed, and in which order; each of `words` is in its title or source."""

    words: tuple[str, ...] = ()
    sort: Sort = Sort.TITLE
    descending: bool = False


@dataclass(frozen=True, slots=True)
class Filters:
    """What a search is limited to; an empty field does not limit. Dates are ISO days, inclusive,
    and go by the day that the document states, or else the day on which it was updated."""

    document: tuple[str, ...] = ()
    language: tuple[str, ...] = ()
    media_type: tuple[str, ...] = ()
    folder: tuple[str, ...] = ()
    collection: tuple[str, ...] = ()
    dated_from: str | None = None
    dated_to: str | None = None

    def __bool__(self) -> bool:
        return self != Filters()


@dataclass(frozen=True, slots=True)
class Scope:
    """The documents that a search is limited to: those of `ids`, or with `others` all but those.

    Whichever are fewer: of a filter that most documents pass it costs less to know the others.
    """

    ids: frozenset[str]
    others: bool = False

    def __contains__(self, document_id: str) -> bool:
        return (document_id in self.ids) != self.others

    @property
    def is_empty(self) -> bool:
        return not self.ids and not self.others
