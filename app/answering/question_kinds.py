"""What a question asks for, by its words: a number, a name, several things, or an account."""

import re


def wants_number(question: str) -> bool:
    """Whether it asks how many, how much or when."""
    return bool(_NUMBER.search(question))


def wants_name(question: str) -> bool:
    """Whether it asks who, where or which."""
    return not wants_number(question) and bool(_NAME.search(question))


def wants_list(question: str) -> bool:
    """Whether it asks for several things."""
    return bool(_LIST.search(question))


def wants_account(question: str) -> bool:
    """Whether one fact seldom answers it: why and how, yes or no, requests, and mere keywords."""
    if wants_number(question):
        return False
    return bool(_REASON_OR_MANNER.search(question)) or not _QUESTION_WORD.search(question)


_NUMBER = re.compile(
    r"\b(?:hvor (?:mange|mye|stor|store|stort|høy|høyt|lenge|gammel|gamle|langt?)|når|hvilket år|"
    r"kor (?:mange|mykje|stor|store|stort|høg|høgt|lenge|gammal|gamle|langt?)|kva år|"
    r"how (?:many|much|long|old|far)|when|what year|årstall|årstal|prosent|andel|dato)\b",
    re.IGNORECASE,
)
_NAME = re.compile(
    r"\b(?:hvem|kven|who|hvor|kvar|where|hvilke[nt]?|kva for|which)\b", re.IGNORECASE
)
_LIST = re.compile(
    r"\b(?:hvilke|kva for|hva er de|kva er dei|hva slags|list|nevn|nemn|which|what are)\b",
    re.IGNORECASE,
)
_REASON_OR_MANNER = re.compile(r"\b(?:hvorfor|kvifor|why|hvordan|korleis|how)\b", re.IGNORECASE)
_QUESTION_WORD = re.compile(
    r"\b(?:hv(?:a|em|or|ilke[nt]?|ems)|kv(?:a|en|ar|ens)|kor|når|"
    r"who|whose|what|where|when|which)\b",
    re.IGNORECASE,
)
