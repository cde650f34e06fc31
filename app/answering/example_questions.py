"""Questions that a document invites: its headings that ask, and what its other headings name."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from index.documents import Block, BlockKind
from index.records import StoredDocument

_PLAIN = {
    "nb": "Hva står det om {topic}?",
    "nn": "Kva står det om {topic}?",
    "en": "What is said about {topic}?",
}
_OF_DOCUMENT = {
    "nb": "Hva sier «{title}» om {topic}?",
    "nn": "Kva seier «{title}» om {topic}?",
    "en": "What does “{title}” say about {topic}?",
}
_QUOTED = {"nb": "«{}»", "nn": "«{}»", "en": "“{}”"}

_LEAST_BODY = 150
"""Letters that stand under a heading which is worth asking about."""
_MOST_LETTERS = 60
_MOST_WORDS = 8
_LEAST_LETTERS = 6
_MOST_OF_QUESTION = 100

_NUMBERING = re.compile(r"(?:\d+(?:\.\d+)*\.?|[IVX]+\.)\s+(?=[A-ZÆØÅ])")
_TOPIC = re.compile(r"[^\W\d_][\w-]*(?:,? (?:[^\W_][\w-]*|\d\.\d))*")
_SUBTITLE = re.compile(r": | [–—-] ")
_FILE_NAME = re.compile(r"_|\d{5}|\.\w{2,4}$")


def _words(listed: str) -> frozenset[str]:
    return frozenset(listed.split())


_NO_BEGINNING = _words(
    """
    slik slike dette her der når for til om med av på i ved etter fra frå mot mellom under over
    hvis dersom mens som så å at ikke ikkje les se sjå kontakt få finn hent last meld søk bruk husk
    gi gje ta klikk trykk kopi vår vårt våre din ditt dine figur tabell vedlegg kapittel kap del
    side hva hvem hvor hvordan hvorfor hvilke hvilken hvilket kva kven kvar kor korleis kvifor
    how what who where when why which this these here figure table appendix chapter part page see
    read contact get to in on for from with about our your if not
    """
)
"""What follows these is no name of a thing."""
_NO_ENDING = _words("av for fra frå i med mot om på til ved og eller of for in on to with")
_VERBS = _words(
    """
    er var har hadde skal skulle kan kunne må måtte vil ville bør burde får fikk fekk gir gav ga
    gjev går gikk gjekk står sto stod blir ble blei vert vart kommer kjem kom gjør gjer gjorde tar
    tek tok sier seier sa ser mener meiner ønsker ønskjer trenger treng krever krev viser fant fann
    finner finn betyr tyder skjer bruker brukar jobber jobbar arbeider arbeidar tolker tolkar
    styrker styrkjer øker aukar vokser veks faller fell stiger stig synker søkk haster
    hastar gjelder gjeld velger vel tror trur håper håpar vet veit omstiller omstillar bidrar
    bidreg presenteres satser satsar foreslår føreslår støtter støttar anbefaler tilrår inviterer
    jeg eg du vi me dere dykk
    is are was were has have had will would can could must should may does do did we you they it
    """
)
"""Forms of verbs, and pronouns: a heading that has one is a sentence."""
_GENERAL = _words(
    """
    innledning innleiing sammendrag samandrag oppsummering bakgrunn konklusjon konklusjoner
    avslutning avslutting forord formål føremål metode resultater resultat drøfting diskusjon
    referanser referansar litteratur litteraturliste kilder kjelder innhold innhald
    innholdsfortegnelse innhaldsliste kontakt kontaktinformasjon kapitlene kapitla dokumenter
    vedlegg definisjoner definisjonar informasjon mer meir generelt annet anna diverse merknader
    introduction summary background conclusion conclusions abstract contents references methods
    method results discussion contact information definitions preface foreword general other notes
    beslektede relaterte aktuelle lenker lenkjer links related
    """
)
"""Words that say nothing of what a document is about."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A question, and where its answer should stand: in the document, under the heading."""

    question: str
    document_id: str
    heading: str | None


@dataclass(frozen=True, slots=True)
class _Topic:
    heading: str | None
    words: str
    """As they stand within a sentence."""


def candidates_of(document: StoredDocument, language: str) -> Iterator[Candidate]:
    """Questions in `language` that `document` invites, the best first.

    A heading that asks is as its author wrote it. What else is named is asked about by its name
    alone first, then by that and the document's title.
    """
    if document.language == language:
        for heading in _headings(document):
            if heading.endswith("?") and _LEAST_LETTERS < len(heading) <= _MOST_LETTERS:
                yield Candidate(heading, document.id, heading)
    title = _name_of(document.title)
    for topic in _topics(document):
        # Words of another language are quoted.
        words = topic.words
        if document.language != language:
            words = _QUOTED[language].format(words)
        phrased = [_PLAIN[language].format(topic=words)]
        if title and topic.words.lower() not in title.lower():
            phrased.append(_OF_DOCUMENT[language].format(title=title, topic=words))
        for question in phrased:
            if len(question) <= _MOST_OF_QUESTION:
                yield Candidate(question, document.id, topic.heading)


def _topics(document: StoredDocument) -> Iterator[_Topic]:
    """What the headings name, and last what the title does."""
    title = _name_of(document.title)
    seen = {title.lower()} if title else set()
    for heading in _headings(document):
        topic = _named(_NUMBERING.sub("", heading, count=1))
        if topic and topic.lower() not in seen:
            seen.add(topic.lower())
            yield _Topic(heading, _within_sentence(topic, document.text))
    if title and (topic := _named(title)):
        yield _Topic(None, _within_sentence(topic, document.text))


def _headings(document: StoredDocument) -> Iterator[str]:
    """Headings that something stands under, and that stand once: others are labels."""
    blocks, text = document.blocks, document.text
    headings = {
        at: text[block.start : block.end].strip()
        for at, block in enumerate(blocks)
        if block.kind is BlockKind.HEADING
    }
    times = Counter(headings.values())
    for at, heading in headings.items():
        if times[heading] == 1 and _has_body(blocks, at):
            yield heading


def _has_body(blocks: Sequence[Block], at: int) -> bool:
    """Whether there are enough letters in the paragraphs between that heading and the next."""
    letters = 0
    for place in range(at + 1, len(blocks)):
        block = blocks[place]
        if block.kind is BlockKind.HEADING or letters >= _LEAST_BODY:
            break
        if block.kind is BlockKind.PARAGRAPH:
            letters += block.end - block.start
    return letters >= _LEAST_BODY


def _named(heading: str) -> str | None:
    """What the heading names, if it is a name of a thing and not a sentence, a number or a label.

    There is no grammar here: what is not known to be a sentence passes, and the answerer has the
    last word.
    """
    heading = heading.rstrip(": ")
    if not _LEAST_LETTERS <= len(heading) <= _MOST_LETTERS or not _TOPIC.fullmatch(heading):
        return None
    words = heading.lower().replace(",", "").split()
    is_sentence = words[0] in _NO_BEGINNING or words[-1] in _NO_ENDING or set(words) & _VERBS
    is_shouted = heading.isupper()
    if is_sentence or is_shouted or len(words) > _MOST_WORDS or set(words) & _GENERAL:
        return None
    return heading


def _name_of(title: str) -> str | None:
    """What a title calls the document: «Vann og avløp: året i korte trekk» is «Vann og avløp».

    None for what is rather the name of a file, or the address of a letter.
    """
    name = _SUBTITLE.split(title.strip())[0].strip()
    words = name.lower().split()
    if not words or _FILE_NAME.search(name) or name.isupper() or words[0] in _NO_BEGINNING:
        return None
    return name if _LEAST_LETTERS <= len(name) <= _MOST_LETTERS else None


def _within_sentence(heading: str, text: str) -> str:
    """The heading with a small first letter, unless its first word has a capital in sentences."""
    first = heading.split(maxsplit=1)[0].rstrip(",")
    is_name = first[1:] != first[1:].lower() or any(letter.isdigit() for letter in first)
    if is_name or re.search(rf"[a-zæøå,] {re.escape(first)}\b", text):
        return heading
    return heading[0].lower() + heading[1:]
