"""Suggestions while a query is typed: what of a generation begins as the typed words do.

Whatever is suggested stands in a document that the library still has.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from index.analysis import Analyser
from index.generations import Generation
from index.library import Library
from index.norwegian.small_words import STOP_WORDS
from index.records import Filters, StoredPassage
from index.suggestions import Kind, SuggestionIndex, name_words
from index.text import normalise
from index.vocabulary import Vocabulary
from index.wording import edits_to_beginning

_ONE_EDIT, _TWO_EDITS = 4, 8
"""Letters of a word from which it may have so many errors."""
_MOST_WORDS = 10
"""Words that are typed, beyond which no title or heading is looked for."""
_NAMES, _TERMS, _NEAR, _NEARER = 200, 48, 150, 48
"""How many texts, words and near words are looked at; beyond them are less frequent ones."""
_NEAR_NAMES = 12
"""Near words whose titles and headings are looked at."""
_LEAST_FOR_TERMS = 2
"""Letters from which words are offered: with one alone, they would be any."""
_HOLDERS = 20
"""Passages of which one must still be there."""

_LAST_WORD = re.compile(r"[^\W\d_]+(?:-[^\W\d_]+)*-?$")
_FOLDED = str.maketrans("æøå", "eoa")
_KINDS = tuple(Kind)


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A title, a heading or words to search for. `start` and `end` are the heading's span in the
    first document that has it; a title has one where the document begins with it."""

    text: str
    kind: Kind
    document_id: str | None = None
    start: int | None = None
    end: int | None = None


@dataclass(frozen=True, slots=True)
class _Candidate:
    """`term` is the part of `text` that stands in a document; `edits` are what it took."""

    text: str
    kind: Kind
    count: int
    term: str
    edits: int = 0


class Suggester:
    """Suggests from one generation, and believes nothing that the library does not know."""

    def __init__(self, library: Library, analyser: Analyser) -> None:
        self._library = library
        self._analyser = analyser

    def suggest(
        self, generation: Generation, typed: str, limit: int, filters: Filters | None = None
    ) -> list[Suggestion]:
        """At most `limit` suggestions, best first: as typed before mended, titles before headings
        before words, frequent before rare ones."""
        documents = self._library.matching(filters) if filters else None
        search = _Search(generation.suggestions, generation.vocabulary, typed, documents)
        candidates = self._distinct(search.as_typed())
        if len(candidates) < limit:
            mended = search.mended(same_letter=bool(candidates))
            candidates = self._distinct([*candidates, *mended])
        return self._verified(candidates, search, limit)

    def _distinct(self, candidates: Iterable[_Candidate]) -> list[_Candidate]:
        """The candidates from best to worst, of each text and of each word's forms the best."""
        seen: set[str] = set()
        best = []
        for candidate in sorted(candidates, key=_rank):
            keys = {candidate.text.casefold()}
            if candidate.kind is Kind.TERM:
                keys.add(" ".join(self._analyser.words(candidate.term)[:1]) + "/")
            if not keys & seen:
                best.append(candidate)
                seen |= keys
        return best

    def _verified(
        self, candidates: Sequence[_Candidate], search: "_Search", limit: int
    ) -> list[Suggestion]:
        suggestions: list[Suggestion] = []
        for at in range(0, len(candidates), limit):
            suggestions += self._known(candidates[at : at + limit], search)
            if len(suggestions) >= limit:
                break
        return suggestions[:limit]

    def _known(self, candidates: Sequence[_Candidate], search: "_Search") -> Iterator[Suggestion]:
        """Those of the candidates that a passage of the library still has."""
        holders = [search.holders(candidate) for candidate in candidates]
        known = self._library.known(sorted({i for ids in holders for i in ids}))
        first = [min(known.intersection(ids), default=None) for ids in holders]
        named = [
            passage_id
            for passage_id, candidate in zip(first, candidates, strict=True)
            if passage_id is not None and candidate.kind is not Kind.TERM
        ]
        passages = self._library.passages(named)
        for passage_id, candidate in zip(first, candidates, strict=True):
            if passage_id is None:
                continue
            if candidate.kind is Kind.TERM:
                yield Suggestion(candidate.text, candidate.kind)
            elif passage_id in passages:
                yield from _placed(candidate, passages[passage_id])


class _Search:
    """What was typed, against what one generation has."""

    def __init__(
        self,
        index: SuggestionIndex,
        vocabulary: Vocabulary,
        typed: str,
        documents: set[str] | None,
    ) -> None:
        self._index = index
        self._vocabulary = vocabulary
        typed = normalise(typed).strip()
        self._words = name_words(typed)
        last = _LAST_WORD.search(typed)
        self._start = last.group().lower() if last else ""
        self._before = typed[: last.start()] if last else ""
        self._among = index.within(documents)
        beside = [w for w in name_words(self._before) if w.isalpha() and w not in STOP_WORDS]
        self._among_beside = index.within(documents, beside) if beside else self._among
        self._same_letter = False
        self._near: dict[str, dict[str, int]] = {}

    def as_typed(self) -> Iterator[_Candidate]:
        """What begins as the typed words do."""
        for kind in (Kind.TITLE, Kind.HEADING):
            for name, count in self._names(kind):
                if all(_begins(word, name_words(name)) for word in self._words):
                    yield _Candidate(name, kind, count, name)
        if len(self._start) >= _LEAST_FOR_TERMS:
            found = self._index.starting(Kind.TERM, self._start, self._among_beside, _TERMS)
            yield from (self._term(term, count) for term, count in found)

    def mended(self, same_letter: bool) -> Iterator[_Candidate]:
        """What does so but for some edits, other than of æ, ø or å for another letter.

        With `same_letter`, the first one of a word is taken to be right: something begins so.
        """
        self._same_letter = same_letter
        for kind in (Kind.TITLE, Kind.HEADING):
            for name, count in self._names_nearly(kind):
                edits = self._edits_to(name_words(name))
                if edits:
                    yield _Candidate(name, kind, count, name, edits)
        for form, edits in self._nearly(self._start, named=False).items():
            found = self._index.with_word(Kind.TERM, form, self._among_beside, 1)
            yield from (self._term(term, count, edits) for term, count in found)

    def holders(self, candidate: _Candidate) -> list[int]:
        """Ids of some passages that have what is suggested."""
        among = self._among_beside if candidate.kind is Kind.TERM else self._among
        return self._index.passages_with(candidate.kind, candidate.term, among, _HOLDERS)

    def _term(self, term: str, count: int, edits: int = 0) -> _Candidate:
        return _Candidate(self._before + term, Kind.TERM, count, term, edits)

    def _pivot(self) -> str:
        """The longest word typed, of which there are fewest."""
        return max(self._words, key=len)

    def _names(self, kind: Kind) -> list[tuple[str, int]]:
        """Titles or headings that have a word like the pivot."""
        if not self._words or len(self._words) > _MOST_WORDS:
            return []
        pivot = self._pivot()
        look = self._index.starting if len(pivot) > 1 else self._index.beginning
        return look(kind, pivot, self._among, _NAMES)

    def _names_nearly(self, kind: Kind) -> Iterator[tuple[str, int]]:
        yield from self._names(kind)
        if self._words and len(self._words) <= _MOST_WORDS:
            for form in list(self._nearly(self._pivot(), named=True))[:_NEAR_NAMES]:
                yield from self._index.with_word(kind, form, self._among, _NAMES)

    def _edits_to(self, words: Sequence[str]) -> int | None:
        """Edits from the typed words to beginnings of `words`; None when these are too many."""
        total = 0
        for typed in self._words:
            if not _begins(typed, words):
                near = self._nearly(typed, named=True)
                edits = [near[word] for word in words if word in near]
                if not edits:
                    return None
                total += min(edits)
        return total

    def _nearly(self, typed: str, named: bool) -> dict[str, int]:
        """Words that nearly begin as is typed, with the edits that it takes, fewest first."""
        allowed = _allowed(typed)
        if not allowed:
            return {}
        key = f"{typed}/{named}"
        if key not in self._near:
            forms = self._vocabulary.starting_near(typed, allowed, _NEAR, named)
            others = [f for f in forms if f not in STOP_WORDS and not f.startswith(typed)]
            if self._same_letter:
                others = [form for form in others if form[0] == typed[0]]
            edits = {
                form: edits_to_beginning(typed, form[: len(typed) + allowed])
                for form in others[:_NEARER]
            }
            self._near[key] = {
                form: count
                for form, count in sorted(edits.items(), key=lambda found: found[1])
                if count <= allowed and not _mistakes_letters(typed, form, count)
            }
        return self._near[key]


def _allowed(typed: str) -> int:
    """Edits that what is typed of a word may need."""
    return 2 if len(typed) >= _TWO_EDITS else 1 if len(typed) >= _ONE_EDIT else 0


def _mistakes_letters(typed: str, form: str, edits: int) -> bool:
    """Whether the edits take æ, ø or å for another letter: they are letters of their own."""
    folded = form.translate(_FOLDED)[: len(typed) + edits]
    return edits_to_beginning(typed.translate(_FOLDED), folded) < edits


def _begins(typed: str, words: Sequence[str]) -> bool:
    return any(word.startswith(typed) for word in words)


def _rank(candidate: _Candidate) -> tuple[int, int, int, str, str]:
    """What is to come first has the smaller rank."""
    return (
        candidate.edits,
        _KINDS.index(candidate.kind),
        -candidate.count,
        candidate.text.casefold(),
        candidate.text.swapcase(),  # small letters first
    )


def _placed(candidate: _Candidate, passage: StoredPassage) -> Iterator[Suggestion]:
    """A title or heading where it stands, unless it is another one by now."""
    pattern = r"\s+".join(map(re.escape, candidate.text.split()))
    is_title = candidate.kind is Kind.TITLE
    found = (re.match if is_title else re.search)(pattern, passage.text)
    if passage.title == candidate.text if is_title else found:
        span = tuple(passage.start + at for at in found.span()) if found else (None, None)
        yield Suggestion(candidate.text, candidate.kind, passage.document_id, *span)
