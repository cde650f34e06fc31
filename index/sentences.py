"""Norwegian sentence boundaries.

Rules and a list of abbreviations, because general splitters stumble on what this field is full of:
«m. fl,», «18.4.», «Meld. St. 9», «§ 2-1. Formål».
"""

import re

Span = tuple[int, int]

# Possessive, and only from the first mark of a run: a line of a million full stops stays linear.
_CANDIDATE = re.compile(
    r"(?<![.!?…])(?P<stop>[.!?…]++)(?P<close>[»\"”’')\]]*+)(?P<space>\s++)(?=\S)|\n+"
)
_OPENING = "«\"“‘'([–—-•"
_WINDOW = 60
"""How many letters around a full stop may decide what it is."""

# «f.eks.», or spelled apart: «f. eks.», «t. o. m.».
_LAST_WORD = re.compile(r"(?P<apart>(?:(?<!\w)[^\W\d_]{1,2}\. )*)(?P<word>[\w./§-]*\w)$")
# Never end a sentence by themselves: what they announce still follows.
_ANNOUNCING = frozenset(
    "adm ang avd bl bl.a ca cand d d.v.s dipl dir dr dvs e.g eks ekskl ev evt f f.eks f.o.m ff fr "  # noqa: SIM905
    "frk gj.sn gnr hhv hr i.e ifm iflg inkl innst jf jfr kap kgl kl kst m.a m.a.o maks medl meld "
    "mht nr ordf pga pkt pr prof prop ref resp s saksnr saml siv.ing spes st st.meld st.mld st.prp "
    "stk str stud t.d t.o.m tlf vedk vedr vs årg".split()
)
# End one or not: a number that follows still belongs to them, a capital letter begins the next.
_BEFORE_NUMBER = frozenset(
    "a.s apr art as aug bd d.d des dok e.a e.f e.kr e.l etc f.kr feb febr fig fl i.f jan kr lør "  # noqa: SIM905
    "m.fl m.m m.v mill min mm mnd mrd mv nou nov o.a o.fl o.l o.s.v okt ons osb ost osv ot ot.prp "
    "postb pst res sek sep sept søn tab tir tirs tors utg vg vol".split()
)
MONTH = (
    r"(?:januar|februar|mars|april|mai|juni|juli|august|september|oktober|november|desember|"
    r"jan|febr?|mar|apr|jun|jul|aug|sept?|okt|nov|des)\b"
)
_MONTH = re.compile(MONTH, re.IGNORECASE)
_INITIAL = re.compile(r"(?:^|[\s(«.-])[A-ZÆØÅ]$")
# «vitamin D. Det …» ends a sentence, «Henrik D. Moe …» does not: no one is called Det.
_SENTENCE_WORD = re.compile(
    r"(?:alle|at|da|de|dei|den|denne|der|derfor|desse|det|dette|difor|disse|du|eg|ein|en|et|etter|"
    r"for|fra|frå|han|her|ho|hun|hvis|i|ifølge|ifølgje|ikke|ikkje|ingen|jeg|kan|man|me|med|men|når|"
    r"og|også|om|på|siden|som|så|til|under|ved|vi|vår|våre)\b(?!\.)",
    re.IGNORECASE,
)
# A day or a rank («8. april»), and a day with its month («18.4. 2024»).
_ORDINAL = re.compile(r"(?:^|[\s(«§/–-])\d{1,3}(?:\.\d{1,2})?$")
# «1. Formål», «a. Formål», «§ 2-1. Formål», «Kapittel 3. Formål», at the start of a line.
_ENUMERATION = re.compile(
    r"(?:^|\n)\s*(?:(?:§+|(?:kapittel|kap\.|del|artikkel|punkt|pkt\.|vedlegg|figur|tabell))\s?)?"
    r"(?:\d{1,3}(?:[.-]\d{1,3})*(?:\s?[a-z])?|[a-zæøå])$",
    re.IGNORECASE,
)


def split_sentences(text: str) -> list[Span]:
    """Spans of the sentences of `text`, without the white space between them.

    Together they cover every character of `text` that is not white space, in order.
    """
    starts = [0]
    starts.extend(found.end() for found in _CANDIDATE.finditer(text) if _is_boundary(text, found))
    ends = [*starts[1:], len(text)]
    spans = (_stripped(text, start, end) for start, end in zip(starts, ends, strict=True))
    return [span for span in spans if span[0] < span[1]]


def _stripped(text: str, start: int, end: int) -> Span:
    part = text[start:end]
    return start + len(part) - len(part.lstrip()), start + len(part.rstrip())


def _is_boundary(text: str, found: re.Match[str]) -> bool:
    if "\n" in found.group():
        return True  # a line break inside a block was put there by the author
    after = text[found.end() : found.end() + _WINDOW].lstrip(_OPENING + " ")
    if after[:1].islower():
        return False
    if found.group("stop") != "." or found.group("close"):
        return True
    before = text[max(0, found.start() - _WINDOW) : found.start()]
    return not _continues(before, after)


def _continues(before: str, after: str) -> bool:
    """Whether the full stop after `before` belongs to an abbreviation, an initial or an ordinal."""
    if _INITIAL.search(before):
        return not _SENTENCE_WORD.match(after)
    before_number = after[:1].isdigit()
    words = _last_words(before)
    if words & _ANNOUNCING or (before_number and words & _BEFORE_NUMBER):
        return True
    if _ORDINAL.search(before) and (before_number or _MONTH.match(after)):
        return True
    return bool(_ENUMERATION.search(before))


def _last_words(before: str) -> set[str]:
    """The abbreviation that `before` ends in: its last word, and that with those it belongs to."""
    found = _LAST_WORD.search(before)
    if not found:
        return set()
    word = found.group("word").lower()
    return {word, found.group("apart").lower().replace(" ", "") + word, word.rpartition(".")[2]}
