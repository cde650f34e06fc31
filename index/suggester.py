"""Suggestions while a query is typed: what of a generation begins as the typed words do.

Whatever is suggested stands in a document that the library still has.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from heapq import heapify, heappop, heappush
from itertools import islice

from index.analysis import Analyser
from index.library import Library
from index.norwegian.small_words import STOP_WORDS
from index.passages import Span
from index.records import Filters, PassageWording
from index.suggestions import (
    Asked,
    Counted,
    Held,
    Kind,
    Suggestions,
    beginning_key,
    name_words,
    word_key,
)
from index.text import normalise
from index.views import View, Within, Words
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
_MORE_HOLDERS = 1000
"""As many are looked at where none of the first is within the filters."""

_LAST_WORD = re.compile(r"[^\W\d_]+(?:-[^\W\d_]+)*-?$")
_FOLDED = str.maketrans("æøå", "eoa")
_FOLDS = frozenset("æøå")
_KINDS = tuple(Kind)
_NAMED = (Kind.TITLE, Kind.HEADING)


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
    """`term` is the part of `text` that stands in a document; `edits` are what it took.

    One with a `form`, the word that it was found by, is counted at most: `count` has removed
    passages and those of other documents too.
    """

    text: str
    kind: Kind
    count: int
    term: str
    edits: int = 0
    form: str = ""


class Suggester:
    """Suggests from one view, and believes nothing that the library does not know."""

    def __init__(self, library: Library, analyser: Analyser) -> None:
        self._library = library
        self._analyser = analyser

    def suggest(
        self, view: View, typed: str, limit: int, filters: Filters | None = None
    ) -> list[Suggestion]:
        """At most `limit` suggestions, best first: as typed before mended, titles before headings
        before words, frequent before rare ones."""
        within = view.within(filters) if filters else None
        search = _Search(view.suggestions, view.vocabulary, typed, within)
        candidates = self._candidates(search, limit)
        suggestions: list[Suggestion] = []
        while len(suggestions) < limit and (some := list(islice(candidates, limit))):
            suggestions += self._known(some, search)
        return suggestions[:limit]

    def _candidates(self, search: "_Search", limit: int) -> Iterator[_Candidate]:
        """From best to worst, of each text and of each word's forms the best.

        They are looked for as they are asked for: mended ones when fewer than `limit` are as typed.
        """
        seen: set[str] = set()
        count = 0
        for candidate in search.as_typed():
            if self._is_new(candidate, seen):
                count += 1
                yield candidate
        if count < limit:
            mended = search.mended(same_letter=bool(count))
            yield from (candidate for candidate in mended if self._is_new(candidate, seen))

    def _is_new(self, candidate: _Candidate, seen: set[str]) -> bool:
        """Whether nothing like it is in `seen`, to which it is added then."""
        keys = {candidate.text.casefold()}
        if candidate.kind is Kind.TERM:
            keys.add(" ".join(self._analyser.words(candidate.term)[:1]) + "/")
        if keys & seen:
            return False
        seen |= keys
        return True

    def _known(self, candidates: Sequence[_Candidate], search: "_Search") -> Iterator[Suggestion]:
        """Those of the candidates that a passage of the library still has."""
        first = self._first_holders(candidates, search)
        named = [
            passage_id
            for passage_id, candidate in zip(first, candidates, strict=True)
            if passage_id is not None and candidate.kind is not Kind.TERM
        ]
        passages = self._library.wordings(named)
        for passage_id, candidate in zip(first, candidates, strict=True):
            if passage_id is None:
                continue
            if candidate.kind is Kind.TERM:
                yield Suggestion(candidate.text, candidate.kind)
            elif passage_id in passages:
                yield from _placed(candidate, passages[passage_id])

    def _first_holders(
        self, candidates: Sequence[_Candidate], search: "_Search"
    ) -> list[int | None]:
        """Of each candidate a passage that has it, within the filters: of a title or heading the
        first one. None when the library has none any more."""
        holders = search.holders(candidates, _HOLDERS)
        found = self._inside(holders, search.filtered)
        if search.filtered is not None:
            unsure = [
                at
                for at, candidate in enumerate(candidates)
                # Of more holders than were looked at, others may be the first within the filters.
                if len(holders[at]) == _HOLDERS and not (found[at] and candidate.kind is Kind.TERM)
            ]
            # To look within them costs as much as they leave; most need not.
            for most, within in ((_MORE_HOLDERS, None), (_HOLDERS, search.filtered)):
                again = search.holders([candidates[at] for at in unsure], most, within)
                for at, own in zip(unsure, self._inside(again, search.filtered), strict=True):
                    found[at] = own
                unsure = [
                    at
                    for at, ids in zip(unsure, again, strict=True)
                    if len(ids) == _MORE_HOLDERS and not found[at]
                ]
        return [min(own, default=None) for own in found]

    def _inside(self, holders: Sequence[list[int]], within: Within | None) -> list[list[int]]:
        """Of each list of passages those that the library has, `within` the filters if given."""
        ids = sorted({i for some in holders for i in some})
        inside = within.holding(ids) if within else self._library.documents_of(ids).keys()
        return [[i for i in some if i in inside] for some in holders]


class _Search:
    """What was typed, against what one generation has."""

    def __init__(
        self,
        index: Suggestions,
        vocabulary: Words,
        typed: str,
        filtered: Within | None,
    ) -> None:
        self._index = index
        self._vocabulary = vocabulary
        typed = normalise(typed).strip()
        self._words = name_words(typed)
        last = _LAST_WORD.search(typed)
        self._start = last.group().lower() if last else ""
        self._before = typed[: last.start()] if last else ""
        self.filtered = filtered
        self._among = index.within(filtered)
        self._beside = [w for w in name_words(self._before) if w.isalpha() and w not in STOP_WORDS]
        self._among_beside = index.within(filtered, self._beside) if self._beside else self._among
        self._same_letter = False
        self._near: dict[tuple[str, bool], dict[str, int]] = {}
        self._found: dict[str, list[str]] = {}
        self._with_pivot: dict[Kind, Counted] = {}
        self._counts: dict[tuple[Kind, str], dict[str, int]] = {}

    def as_typed(self) -> Iterator[_Candidate]:
        """What begins as the typed words do, from best to worst."""
        of_names = [asked for kind in _NAMED if (asked := self._asked_of_names(kind))]
        self._index.prepare([*of_names, *self._asked_of_terms()])
        for kind in _NAMED:
            names = (_Candidate(name, kind, count, name) for name, count in self._names(kind))
            yield from sorted((name for name in names if self._is_as_typed(name.text)), key=_rank)
        for found in self._index.texts(self._asked_of_terms()):
            yield from sorted((self._term(term, count) for term, count in found), key=_rank)

    def mended(self, same_letter: bool) -> Iterator[_Candidate]:
        """What does so but for some edits, other than of æ, ø or å for another letter, from best to
        worst.

        With `same_letter`, the first one of a word is taken to be right: something begins so. Only
        what comes to be the best by the most that it may count is counted: each count takes as
        long as all else.
        """
        self._same_letter = same_letter
        waiting = [(_rank(candidate), candidate) for candidate in self._nearly_all()]
        heapify(waiting)
        self._index.prepare([self._asked_to_count(one) for _, one in waiting if one.form])
        while waiting:
            _, best = heappop(waiting)
            if best.form:
                for counted in self._counted(best):
                    heappush(waiting, (_rank(counted), counted))
            else:
                yield best

    def _nearly_all(self) -> Iterator[_Candidate]:
        for kind in _NAMED:
            for name, candidate in self._names_nearly(kind).items():
                edits = self._edits_to(self._words_of(name))
                if edits:
                    yield replace(candidate, edits=edits)
        near = self._nearly(self._start, named=False)
        self._index.prepare([Asked(Kind.TERM, word_key(form), None, 1) for form in near])
        for form, edits in near.items():
            for _, count in self._index.with_word(Kind.TERM, form, None, 1):
                yield _Candidate(form, Kind.TERM, count, form, edits, form)

    def _counted(self, candidate: _Candidate) -> Iterator[_Candidate]:
        """The same with its count; nothing when no passage is left that counts."""
        asked = self._asked_to_count(candidate)
        if candidate.kind is Kind.TERM:
            [found] = self._index.texts([asked])
            yield from (self._term(term, count, candidate.edits) for term, count in found)
            return
        key = (candidate.kind, candidate.form)
        if key not in self._counts:
            self._counts[key] = dict(*self._index.texts([asked]))
        count = self._counts[key].get(candidate.text)
        if count:
            yield replace(candidate, count=count, form="")

    def _asked_to_count(self, candidate: _Candidate) -> Asked:
        if candidate.kind is Kind.TERM:
            return Asked(Kind.TERM, word_key(candidate.form), self._among_beside, 1)
        return Asked(candidate.kind, word_key(candidate.form), self._among, _NAMES)

    def holders(
        self, candidates: Sequence[_Candidate], most: int, within: Within | None = None
    ) -> list[list[int]]:
        """Of each candidate ids of so many passages that have it, `within` filters if given."""
        everywhere = self._index.within(within)
        beside = self._index.within(within, self._beside) if self._beside else everywhere
        held = [
            Held(one.kind, one.term, beside if one.kind is Kind.TERM else everywhere)
            for one in candidates
        ]
        return self._index.holders(held, most)

    def _term(self, term: str, count: int, edits: int = 0) -> _Candidate:
        return _Candidate(self._before + term, Kind.TERM, count, term, edits)

    def _is_as_typed(self, name: str) -> bool:
        if len(self._words) == 1:
            return True  # by that word it was found
        words = self._words_of(name)
        return all(_begins(typed, words) for typed in self._words)

    def _words_of(self, name: str) -> list[str]:
        """The words of a title or heading, which may be found by several of them."""
        if name not in self._found:
            self._found[name] = name_words(name)
        return self._found[name]

    def _pivot(self) -> str:
        """The longest word typed, of which there are fewest."""
        return max(self._words, key=len)

    def _names(self, kind: Kind) -> Counted:
        """Titles or headings that have a word like the pivot."""
        if kind not in self._with_pivot:
            asked = self._asked_of_names(kind)
            self._with_pivot[kind] = self._index.texts([asked])[0] if asked else []
        return self._with_pivot[kind]

    def _asked_of_names(self, kind: Kind) -> Asked | None:
        if not self._words or len(self._words) > _MOST_WORDS:
            return None
        pivot = self._pivot()
        # By a letter alone they are many, and the one that is meant begins with it.
        start = pivot if len(pivot) > 1 else beginning_key(pivot)
        return Asked(kind, start, self._among, _NAMES)

    def _asked_of_terms(self) -> list[Asked]:
        if len(self._start) < _LEAST_FOR_TERMS:
            return []
        return [Asked(Kind.TERM, self._start, self._among_beside, _TERMS)]

    def _names_nearly(self, kind: Kind) -> dict[str, _Candidate]:
        """Titles or headings that have the pivot, or a word like it, by their text."""
        found: dict[str, _Candidate] = {}
        if len(self._words) > 1:  # the others may be the wrong ones
            for name, count in self._names(kind):
                found[name] = _Candidate(name, kind, count, name)
        if self._words and len(self._words) <= _MOST_WORDS:
            forms = list(self._nearly(self._pivot(), named=True))[:_NEAR_NAMES]
            self._index.prepare([Asked(kind, word_key(form), None, _NAMES) for form in forms])
            for form in forms:
                names = self._index.with_word(kind, form, None, _NAMES)
                is_counted = len(names) == _NAMES  # others may be among the most frequent ones left
                if is_counted:
                    names = self._index.with_word(kind, form, self._among, _NAMES)
                for name, count in names:
                    candidate = _Candidate(name, kind, count, name, form=form * (not is_counted))
                    found.setdefault(name, candidate)
        return found

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
        key = (typed, named)
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
    beginning = form[: len(typed) + edits]
    if _FOLDS.isdisjoint(typed) and _FOLDS.isdisjoint(beginning):
        return False
    return edits_to_beginning(typed.translate(_FOLDED), beginning.translate(_FOLDED)) < edits


def _begins(typed: str, words: Sequence[str]) -> bool:
    return any(word.startswith(typed) for word in words)


def _rank(candidate: _Candidate) -> tuple[int, int, int, bool, str, str]:
    """What is to come first has the smaller rank; what is still to be counted might come first."""
    return (
        candidate.edits,
        _KINDS.index(candidate.kind),
        -candidate.count,
        not candidate.form,
        candidate.text.casefold(),
        candidate.text.swapcase(),  # small letters first
    )


def _placed(candidate: _Candidate, passage: PassageWording) -> Iterator[Suggestion]:
    """A title or heading where it stands, unless it is another one by now."""
    is_title = candidate.kind is Kind.TITLE
    found = _span(candidate.text, passage.text, only_at_start=is_title)
    if passage.title == candidate.text if is_title else found:
        span = tuple(passage.start + at for at in found) if found else (None, None)
        yield Suggestion(candidate.text, candidate.kind, passage.document_id, *span)


def _span(name: str, text: str, only_at_start: bool) -> Span | None:
    """Where in `text` the name stands first, whatever white space is between its words."""
    at = text.find(name)
    if at == 0 or (at > 0 and not only_at_start):
        return at, at + len(name)
    pattern = r"\s+".join(map(re.escape, name.split()))
    found = (re.match if only_at_start else re.search)(pattern, text)
    return found.span() if found else None
