"""The seam between the library and where its passages are searched.

There are two implementations: `index.generations` in files of the data folder, and
`index.opensearch.engine` in a cluster.
"""

from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

from index.analysis import ANALYSER_VERSION
from index.collection_names import Readable
from index.passages import PASSAGES_VERSION, PassageSettings
from index.records import PartContents, Version
from index.views import View

if TYPE_CHECKING:
    from index.library import Library
    from index.parts import Fetch


@dataclass(frozen=True, slots=True)
class Recipe:
    """What decides what is searched besides the documents: if it differs, vectors or words do."""

    fingerprint: str
    dimension: int
    max_tokens: int
    passages_version: int = PASSAGES_VERSION
    analyser_version: int = ANALYSER_VERSION

    @classmethod
    def of(cls, fingerprint: str, dimension: int, settings: PassageSettings) -> "Recipe":
        return cls(fingerprint, dimension, settings.max_tokens)

    @property
    def is_newer(self) -> bool:
        """Whether a newer version of this program analyses words so."""
        return self.analyser_version > ANALYSER_VERSION

    def of_passages(self) -> dict[str, Any]:
        """What of a recipe decides passages and vectors: not how words are analysed."""
        return {name: value for name, value in asdict(self).items() if name != "analyser_version"}

    def can_search(self, other: "Recipe") -> bool:
        """Whether a question that is embedded and analysed by this fits passages made by `other`.

        How those were cut does not matter.
        """
        return (self.fingerprint, self.dimension, self.analyser_version) == (
            other.fingerprint,
            other.dimension,
            other.analyser_version,
        )


@dataclass(frozen=True)
class Contents:
    """What is to be searched: the library at its `version`. `fetch` gives the entries of some of
    it; `read_parts` what each collection has, for who needs to know all of that at once."""

    read_parts: Callable[[], Mapping[str, PartContents]]
    version: Version
    fetch: "Fetch"

    @cached_property
    def parts(self) -> Mapping[str, PartContents]:
        return self.read_parts()


class Published(Protocol):
    """What is searched: the library at its `version`, by a recipe. A new name for all that changes
    it; `documents` and `passages` are how many there are."""

    @property
    def name(self) -> str: ...

    @property
    def version(self) -> Version: ...

    @property
    def recipe(self) -> Recipe: ...

    @property
    def is_newer(self) -> bool:
        """Whether a newer version of this program made it."""
        ...

    @property
    def documents(self) -> int: ...

    @property
    def passages(self) -> int: ...


class Searched(View):
    """What is searched now, held open, and the view of it for who may read all."""

    manifest: Published
    made_at: float
    """When it was published, in seconds since 1970."""

    @abstractmethod
    def view(self, collections: Readable) -> View:
        """What is searched for somebody who may read only those collections.

        Its name changes only when what they may read does: it is not this one's own, which would
        tell them how often others' documents change.
        """


class IndexEngine(Protocol):
    """Where passages are searched, and how what is searched comes to be what the library holds.

    What changes it is for who holds the library's writer lock alone.
    """

    @property
    def follows(self) -> bool:
        """Whether it learns of changes by the library's outbox."""
        ...

    def require_reachable(self) -> None:
        """Raises IndexUnavailableError while nobody answers where passages are searched."""
        ...

    def current_name(self) -> str | None:
        """Name of what is searched now; None when there is nothing. Asked for each question."""
        ...

    def manifest(self) -> Published | None:
        """What is searched now; None when there is nothing, or it is damaged."""
        ...

    def is_current(self, version: Version, recipe: Recipe) -> bool:
        """Whether what is searched is the library at that version, by that recipe."""
        ...

    def is_lost(self) -> bool:
        """Whether some of what is searched is no more, though all of it was published: who looks
        asks where it is. It has to be published anew then."""
        ...

    def open(self, recipe: Recipe | None = None) -> Searched:
        """What is searched now. Raises NothingPublishedError when there is none, and
        GenerationMismatchError when `recipe` cannot search it."""
        ...

    def publish(self, contents: Contents, recipe: Recipe) -> Published:
        """Has `contents` be searched, and nothing else."""
        ...

    def compact(self, contents: Contents, recipe: Recipe) -> Published:
        """The same made anew, in which nothing is left of what was removed."""
        ...

    def are_several(self) -> bool:
        """Whether there may be something for `collect`."""
        ...

    def collect(self) -> Sequence[Published]:
        """Removes what nobody needs any more; gives what remains."""
        ...

    def problems(self, library: "Library") -> Iterator[str]:
        """How what is searched differs from the library, a sentence each."""
        ...

    def close(self) -> None: ...


def difference(made_by: Recipe, wanted: Recipe) -> str:
    """What an index was made by and what it is wanted by, and how to bring them together."""
    old, new = asdict(made_by), asdict(wanted)
    changes = ", ".join(
        f"{name} {old[name]} -> {new[name]}" for name in old if old[name] != new[name]
    )
    return (
        f"the index was made by other settings ({changes}); run `kildesvar ingest` again to make "
        "it anew, or set them back as they were"
    )
