"""Reasons for those who are not to know the inside: what an error means, and what to do.

Names of generations tell how often documents change, and fingerprints which model it is that reads
them. Whoever runs the service finds both in its log.
"""

import logging
import threading

from cachetools import TTLCache

from index.errors import (
    GenerationMismatchError,
    IndexConfigurationError,
    IndexUnavailableError,
    KildesvarError,
    LibraryBusyError,
    LibraryError,
    LibraryUnavailableError,
    ModelNotPreparedError,
    NothingPublishedError,
    UploadsNotSharedError,
)

log = logging.getLogger("kildesvar")

_LOGS_EVERY = 60.0
"""Seconds until the same is logged again: some ask every few seconds."""
_OF_PLACES = (
    IndexConfigurationError,
    IndexUnavailableError,
    LibraryUnavailableError,
    UploadsNotSharedError,
)
"""Whose words name hosts, folders and nodes."""
_REASONS: dict[type[KildesvarError], str] = {
    NothingPublishedError: (
        "nothing is indexed yet; run `kildesvar ingest FOLDER` with some documents"
    ),
    GenerationMismatchError: (
        "the index was made by another model, or by other settings; run `kildesvar ingest` again "
        "to make it anew, or set them back as they were. The service's log names them."
    ),
    LibraryUnavailableError: (
        "the library's database cannot be reached now, and the service's log says why; try again "
        "in a while"
    ),
    IndexUnavailableError: (
        "the search cluster cannot be asked now, and the service's log says why; try again in a "
        "while"
    ),
    IndexConfigurationError: (
        "the search cluster cannot be used as it is set up, and the service's log says what to "
        "mend; `kildesvar config --check` looks whether it is mended"
    ),
    UploadsNotSharedError: (
        "the folder of uploaded files is not the one that the library's other hosts use, and the "
        "service's log says which that is; mount it here, and set KILDESVAR_UPLOADS_DIR to it"
    ),
    LibraryBusyError: (
        "another process is writing to the library; wait until it is done, then try again"
    ),
    ModelNotPreparedError: (
        "the embedding model is not prepared, and the service's log says which; run `kildesvar "
        "prepare`"
    ),
    LibraryError: (
        "the library or its index cannot be read, and the service's log says why; see that its "
        "folder is there, start `kildesvar serve` again or run `kildesvar ingest` to have the "
        "index made anew, or restore a backup (`kildesvar restore`)"
    ),
}


class Reasons:
    """Makes errors fit for everybody, and logs what they leave out."""

    def __init__(self) -> None:
        self._logged: TTLCache[str, bool] = TTLCache(64, _LOGS_EVERY)
        self._logging = threading.Lock()

    def without_details(self, error: KildesvarError) -> KildesvarError:
        """An error of the same meaning, whose words are the same for all of its kind."""
        told = _of_its_kind(error)
        if str(told) != str(error):
            self._log(str(error))
        return told

    def without_places(self, error: KildesvarError) -> KildesvarError:
        """The error itself, unless its words tell where servers and folders are, which whoever may
        not come in would be told too."""
        return self.without_details(error) if isinstance(error, _OF_PLACES) else error

    def _log(self, detail: str) -> None:
        with self._logging:
            if detail in self._logged:
                return
            self._logged[detail] = True
        log.warning("the service cannot answer: %s", detail)


def _of_its_kind(error: KildesvarError) -> KildesvarError:
    for kind, reason in _REASONS.items():
        if isinstance(error, kind):
            return kind(reason)
    return type(error)("the service cannot answer now; its log says why")
