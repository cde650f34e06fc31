"""The small words that questions are made with, in Bokmål, Nynorsk and English."""

from enum import Enum, auto


class Kind(Enum):
    """What a word does in a question."""

    QUESTION = auto()
    VERB = auto()
    PREPOSITION = auto()
    DETERMINER = auto()
    PRONOUN = auto()
    AND = auto()
    CLAUSE = auto()
    """Begins a subordinate clause."""
    PARTICLE = auto()
    NUMBER = auto()
    NAMING = auto()
    """A noun, an adjective, a name."""


def word_set(words: str) -> frozenset[str]:
    return frozenset(words.split())


# A word of two kinds is of the one that stands first: «at» of a clause, «to» the number.
_WORDS = {
    Kind.QUESTION: "hva hvem hvor hvordan hvorfor når hvilken hvilket hvilke kva kven kvar kor "
    "korleis kvifor kvens who whom what where when why how which whose",
    Kind.CLAUSE: "at som da då når hvis viss dersom fordi mens medan enn than if because",
    Kind.PREPOSITION: "i på av til for fra frå med om under over ved mot mellom hos hjå etter før "
    "bak siden sidan gjennom uten utan per blant rundt innen innan innenfor innanfor ifølge "
    "ifølgje of in on from with by about between",
    Kind.DETERMINER: "en et ei ein eit den det de dei denne dette disse desse alle noen nokon "
    "nokre noe noko hver kvart ingen inga begge the a an this these that those any",
    Kind.PRONOUN: "jeg eg vi me du dere dykk meg oss han hun ho ham honom henne man seg selv "
    "sjølv dem hans hennes hennar deres deira sin sitt sine dens dets it they them he she him her "
    "his its their theirs hers you i we us",
    Kind.AND: "og eller samt and or",
    Kind.NUMBER: "to tre fire fem seks sju syv åtte ni ti elleve tolv januar februar mars april "
    "mai juni juli august september oktober november desember",
    Kind.PARTICLE: "å flere fleire færre mindre ikke ikkje nå no så også òg bare berre egentlig "
    "eigentleg fortsatt framleis ennå enno enda allerede allereie jo vel nok slik slikt sånn sånt "
    "her der dit hit mer meir mest mange mye mykje få lenge ofte lite til sammen ellers elles "
    "først sist ut inn opp ned bort fram frem then there here not many much also still now so out "
    "up",
}
KINDS: dict[str, Kind] = {}
for _kind, _words in _WORDS.items():
    for _word in _words.split():
        KINDS.setdefault(_word, _kind)

WHO = word_set("hvem kven who")
WHAT = word_set("hva kva what")
WHERE = word_set("hvor kvar where")
WHY = word_set("hvorfor kvifor why")
HOW = word_set("hvordan korleis how")
ADVERBIAL = WHERE | WHY | HOW | word_set("når when kor")
"""What asks for no thing: when, where, why and how."""
WHICH = word_set("hvilken hvilket hvilke which")
QUANTIFYING = WHICH | word_set("whose mange mye mykje many much for slags")
"""What the name of a thing follows right after."""
MEASURES = word_set(
    "stor store stort høy høyt høye høg høgt lang langt gammel gammal gammelt gamle liten tidlig "
    "viktig long old far big"
)
"""What «hvor» may ask the degree of."""

BEING = word_set("er var blir ble vart vert blei bli være vere is are was were")
MODAL = word_set("har hadde skal skulle vil ville kan kunne må måtte bør burde får fikk fekk")
AUXILIARIES = (
    BEING
    | MODAL
    | word_set("have has had do does did can could will would shall should must been be")
)
DOING = word_set("gjøre gjør gjorde gjort gjere gjer do does did done")
HAPPENING = word_set("skjedde hendte skjer hender happened")

PLACES = word_set("i på ved hos hjå in at on")
"""Prepositions of a place."""
POINTING = word_set("denne dette disse desse this these")
DEMONSTRATIVES = POINTING | word_set("det den de dei that those")
ANYTHING = word_set("det dette it that this")
"""What may point to all that was said."""
NOUN_LIKE = word_set(
    "ansatte tilsette eldre unge blå grå små rå neste første siste beste fleste andre"
)
"""What «de» belongs to, though it looks like a verb or an indefinite noun."""
