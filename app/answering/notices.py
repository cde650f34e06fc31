"""What a reader is told of how an answer came about, in the language of the question."""

from typing import Literal

from index.language import detect_language

Notice = Literal[
    "unreachable", "slow", "busy", "failed", "declined", "unsupported", "shortened", "interrupted"
]

_QUOTED = {
    "nb": "Svaret er sitater fra dokumentene.",
    "nn": "Svaret er sitat frå dokumenta.",
    "en": "The answer is quoted from the documents.",
}
_INSTEAD_OF_MODEL: dict[Notice, dict[str, str]] = {
    "unreachable": {
        "nb": "Språkmodellen kan ikke nås.",
        "nn": "Språkmodellen kan ikkje nåast.",
        "en": "The language model cannot be reached.",
    },
    "slow": {
        "nb": "Språkmodellen brukte for lang tid.",
        "nn": "Språkmodellen brukte for lang tid.",
        "en": "The language model took too long.",
    },
    "busy": {
        "nb": "Språkmodellen er opptatt.",
        "nn": "Språkmodellen er oppteken.",
        "en": "The language model is busy.",
    },
    "failed": {
        "nb": "Språkmodellen ga ikke noe svar.",
        "nn": "Språkmodellen gav ikkje noko svar.",
        "en": "The language model gave no answer.",
    },
    "declined": {
        "nb": "Språkmodellen fant ikke svaret i kildene.",
        "nn": "Språkmodellen fann ikkje svaret i kjeldene.",
        "en": "The language model did not find the answer in the sources.",
    },
    "unsupported": {
        "nb": "Det språkmodellen skrev, står ikke i dokumentene.",
        "nn": "Det språkmodellen skreiv, står ikkje i dokumenta.",
        "en": "What the language model wrote is not in the documents.",
    },
}
_OF_MODEL: dict[Notice, dict[str, str]] = {
    "shortened": {
        "nb": "Setninger som ikke står i dokumentene, er utelatt.",
        "nn": "Setningar som ikkje står i dokumenta, er utelatne.",
        "en": "Sentences that are not in the documents have been left out.",
    },
    "interrupted": {
        "nb": "Språkmodellen ble avbrutt, så svaret kan mangle noe.",
        "nn": "Språkmodellen vart avbroten, så svaret kan mangle noko.",
        "en": "The language model was interrupted, so the answer may lack something.",
    },
}


def kind_of(said: str) -> Notice | None:
    """Of which kind a notice is, in whichever language; None for what is none."""
    for notices in (_INSTEAD_OF_MODEL, _OF_MODEL):
        for kind, sentences in notices.items():
            if said.startswith(tuple(sentences.values())):
                return kind
    return None


def notice(kind: Notice, question: str) -> str:
    """The sentence or two that go with an answer to `question`."""
    language = detect_language(question)
    if kind in _OF_MODEL:
        return _OF_MODEL[kind][language]
    return f"{_INSTEAD_OF_MODEL[kind][language]} {_QUOTED[language]}"
