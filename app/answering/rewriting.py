"""Follow-up questions rewritten by a language model, as far as it keeps to what was said."""

import logging
import re
from collections.abc import Generator, Sequence
from contextlib import closing
from typing import TYPE_CHECKING

from app.answering.composing import Waiting
from app.answering.conversation import MAX_STANDALONE, Turn, standalone
from app.answering.drafting import without_thought
from app.answering.prompts import rewriting_prompt
from app.language_model_errors import LanguageModelError
from index.analysis import Analyser

if TYPE_CHECKING:
    from app.language_model import LanguageModel

log = logging.getLogger("kildesvar")

_MOST_TOKENS = 300
"""A model that thinks first needs more than its question."""
_LABEL = re.compile(r"^\s*(?:(?:omskrevet )?spørsmål|question)\s*:\s*", re.IGNORECASE)
_QUOTES = " \t«»\"“”'*"


class Rewriter:
    """Asks a language model what a follow-up stands for; where that fails, rules say it."""

    def __init__(self, model: "LanguageModel", analyser: Analyser) -> None:
        self._model = model
        self._analyser = analyser

    def rewritten(self, question: str, history: Sequence[Turn]) -> Generator[Waiting, None, str]:
        """The standalone question. A word of it that nobody said would search for something else:
        then, as when the model fails, the question is as `conversation.standalone` has it."""
        written = ""
        prompt, patience = rewriting_prompt(question, history), self._model.settings.patience
        try:
            with closing(self._model.stream(prompt, _MOST_TOKENS, patience)) as texts:
                for text in texts:
                    written += text
                    if not text:
                        yield Waiting()
        except LanguageModelError as error:
            log.warning("follow-ups are completed by rules: %s", error)
            return standalone(question, history)
        first_line = without_thought(written).strip().partition("\n")[0]
        rewritten = _LABEL.sub("", first_line).strip(_QUOTES)
        if self._keeps_to(rewritten, question, history):
            return rewritten
        log.info("the language model rewrote a follow-up in words that nobody said")
        return standalone(question, history)

    def _keeps_to(self, rewritten: str, question: str, history: Sequence[Turn]) -> bool:
        """Whether it is a question made of words that were said."""
        said = "\n".join((question, *(turn.content for turn in history)))
        telling = self._analyser.telling_words(rewritten)
        return 0 < len(rewritten) <= MAX_STANDALONE and telling <= set(self._analyser.words(said))
