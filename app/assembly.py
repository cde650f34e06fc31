"""Everything built once, at start-up, from the settings, and handed on by constructor."""

import threading
from dataclasses import replace
from typing import TYPE_CHECKING

from app.answering.abstention import THRESHOLDS
from app.answering.answerer import Answerer, AnsweringSettings
from app.answering.evidence import EvidenceSelector
from app.settings import Settings
from index.analysis import Analyser
from index.embedding import Encoder, open_encoder, prepared_folder
from index.generations import Generation, Generations, Recipe
from index.library import Library
from index.passages import PassageSettings
from index.reading.preparation import reader_folder
from index.reading.reader import Reader
from index.retriever import RetrievalSettings, Retriever
from index.wording import Wordings

if TYPE_CHECKING:
    from index.ingest import Ingester, OnProgress


class Kildesvar:
    """The parts of one running Kildesvar, over one data folder and one prepared model.

    Raises ModelNotPreparedError when the model has not been prepared, and LibraryError when the
    library cannot be opened.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.encoder: Encoder = open_encoder(
            prepared_folder(settings.model, settings.models_dir), settings.threads
        )
        self.library = Library.open(settings.library_path)
        self.generations = Generations(settings.generations_dir)
        self.analyser = Analyser()
        self._passage_settings = PassageSettings(
            min(settings.passage_tokens, self.encoder.max_tokens)
        )
        self.retriever = Retriever(
            self.library,
            self.encoder,
            self.analyser,
            Wordings(),
            RetrievalSettings(settings.candidates, settings.dense_weight),
        )
        self.reader = Reader(reader_folder(settings.models_dir), settings.threads)
        self.answerer = Answerer(
            self.library,
            self.retriever,
            self.reader,
            EvidenceSelector(self.library, self.analyser, self.encoder.fingerprint),
            AnsweringSettings(THRESHOLDS[settings.caution]),
        )
        self._opening = threading.Lock()
        self._generation: Generation | None = None

    def ingester(self, on_progress: "OnProgress | None" = None) -> "Ingester":
        """Writes to this library; hold `index.lock.writing` around its use."""
        # Imported here, with all the parsers, so that answering starts without them.
        from index.ingest import Ingester, ignore_progress  # noqa: PLC0415

        return Ingester(
            self.library,
            self.generations,
            self.encoder,
            self._passage_settings,
            on_progress or ignore_progress,
            ocr=self.settings.ocr == "on",
        )

    def generation(self) -> Generation:
        """The published generation. A newer one is opened here, once, for all threads.

        Raises NothingPublishedError, GenerationMismatchError or LibraryError.
        """
        held = self._generation
        if held is not None and held.name == self.generations.current_name():
            return held
        with self._opening:
            held = self._generation
            if held is None or held.name != self.generations.current_name():
                held = self._generation = self.generations.open(self._recipe())
            return held

    def publish_if_stale(self) -> None:
        """Publishes what a process that died had stored but not published, or what was damaged.

        So is one whose words an earlier version analysed, for that takes seconds. A generation of
        another model or other settings is left to `ingest`, which shows how far it has come.
        Raises LibraryBusyError when another process is writing: that one will publish.
        """
        manifest = self.generations.manifest()
        if manifest is None:
            stale = not self.library.is_empty()
        else:
            unpublished = manifest.revision != self.library.revision()
            recipe = self._recipe()
            other_words = manifest.recipe.analyser_version != recipe.analyser_version
            same_vectors = recipe == replace(
                manifest.recipe, analyser_version=recipe.analyser_version
            )
            stale = same_vectors and (unpublished or other_words)
        if stale:
            from index.lock import writing  # noqa: PLC0415

            with writing(self.settings.data_dir):
                self.ingester().publish()

    def close(self) -> None:
        self.reader.close()
        self.retriever.close()
        self.library.close()

    def _recipe(self) -> Recipe:
        return Recipe.of(self.encoder.fingerprint, self.encoder.dimension, self._passage_settings)
