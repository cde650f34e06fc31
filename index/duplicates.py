"""Near-duplicates: passages that say the same in nearly the same words, as yearly reports do."""

from collections.abc import Sequence

_WORDS = 3
SAME = 0.7
"""Share of common word triples (of all that either has) from which two texts say the same."""

Shingles = frozenset[tuple[str, ...]]


def near_duplicates(texts: Sequence[str]) -> list[bool]:
    """For each of `texts`, best first, whether it nearly repeats one before it.

    Texts are compared by their sets of three consecutive words (w-shingling, Broder 1997).
    """
    kept: list[Shingles] = []
    seen: set[tuple[str, ...]] = set()
    repeats = []
    for text in texts:
        own = _shingles(text)
        # What has too few triples in common with all others has so with each of them.
        is_like_some = len(own & seen) / len(own) >= SAME
        repeated = is_like_some and any(_resemblance(own, other) >= SAME for other in kept)
        if not repeated:
            kept.append(own)
            seen |= own
        repeats.append(repeated)
    return repeats


def _shingles(text: str) -> Shingles:
    words = text.casefold().split()
    if len(words) < _WORDS:
        return frozenset([tuple(words)])
    return frozenset(zip(*(words[at:] for at in range(_WORDS)), strict=False))


def _resemblance(left: Shingles, right: Shingles) -> float:
    smaller, larger = sorted((len(left), len(right)))
    if smaller < SAME * larger:
        return 0.0  # too different in length to reach it
    return len(left & right) / len(left | right)
