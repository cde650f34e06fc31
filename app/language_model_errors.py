"""What a language model may fail with, named by meaning. The messages are for whoever runs the
service; what the reader is told stands in `app.answering.notices`."""

from index.errors import KildesvarError


class LanguageModelError(KildesvarError):
    """The language model gave no whole answer."""


class LanguageModelUnreachableError(LanguageModelError):
    """There is no server at the address, or none that answers."""


class LanguageModelSlowError(LanguageModelError):
    """It has not answered in the time that a reader is to wait."""


class LanguageModelBusyError(LanguageModelError):
    """It has as much to do as it takes."""


class LanguageModelRefusedError(LanguageModelError):
    """The server does not take the key, the model's name or the request, or the model declines."""


class PromptTooLongError(LanguageModelRefusedError):
    """The prompt does not fit into the model's context."""


class LanguageModelBrokenError(LanguageModelError):
    """The answer broke off, or was none."""
