"""What can go wrong in the index, named by meaning.

Every message says what happened and what to do about it. Whoever stands above (the HTTP service,
the command line) turns the type into a status; the words are already fit for a person.
"""


class KildesvarError(Exception):
    """Any failure that Kildesvar foresees."""


class UnreadableDocumentError(KildesvarError):
    """One file cannot be read; the others go on. The message is its line in the report."""


class InaccessibleFileError(UnreadableDocumentError):
    """The file cannot be opened now, which says nothing of what is in it."""


class ReaderUnavailableError(KildesvarError):
    """The process that reads documents cannot start here; no document is to blame."""


class ModelNotPreparedError(KildesvarError):
    """The embedding model's folder is not there yet, or is incomplete."""


class ModelPreparationError(KildesvarError):
    """A model could not be prepared, or failed its check against sentence-transformers."""


class GenerationMismatchError(KildesvarError):
    """The published generation was made by another model, or by other settings."""


class NothingPublishedError(KildesvarError):
    """The library has no generation to search yet."""


class LibraryBusyError(KildesvarError):
    """Another process is writing to this library."""


class FollowedLaterError(LibraryBusyError):
    """What was to be published is stored, and another process is bringing it into the index."""


class LibraryError(KildesvarError):
    """The library cannot be opened or written (missing folder, read-only, disk full)."""


class LibraryUnavailableError(LibraryError):
    """The library's database cannot be reached now; nothing is known to be wrong with it."""


class IndexUnavailableError(KildesvarError):
    """The search cluster cannot be reached, or cannot answer now."""


class IndexConfigurationError(KildesvarError):
    """The search cluster is not one that can be used so: its password, its plugins, its indices."""


class DocumentRefusedError(IndexConfigurationError):
    """The search cluster will not take a document as it is, nor an index for it; it may others."""


class DiskFullError(LibraryError):
    """There is no room on the disk for what was to be stored."""


class DocumentNotFoundError(KildesvarError):
    """No document of the library has that id."""


class DeletedMeanwhileError(KildesvarError):
    """The document was deleted by a person while its file was being read."""


class CollectionNameError(KildesvarError):
    """No collection may have that name."""


class DocumentFromFolderError(KildesvarError):
    """The document's file lies in a folder that a person keeps; it is changed there."""


class JobNotFoundError(KildesvarError):
    """No job has that id, or it was finished long ago."""


class LeaseLostError(KildesvarError):
    """A job is another worker's now; whoever worked on it changes nothing more of it."""


class UploadsNotSharedError(KildesvarError):
    """This host's folder of uploaded files is not the one that the library's others use."""


class OriginalGoneError(KildesvarError):
    """No file that the document was read from is as it was then."""


class FileGoneError(KildesvarError):
    """No file that the document was read from is there, so that it cannot be read again."""


class AnswerNotFoundError(KildesvarError):
    """No answer that is kept has that id."""


class AnswersNotKeptError(KildesvarError):
    """The service keeps no record of its answers."""


class ConversationNotFoundError(KildesvarError):
    """No conversation that is kept has that id."""


class ConversationFullError(KildesvarError):
    """The conversation has as many questions as one may have."""


class IngestRefusedError(KildesvarError):
    """An ingest that would do nothing, or would do what was hardly meant; nothing was changed."""


class BackupError(KildesvarError):
    """A backup cannot be written, or is not one that can be restored."""
