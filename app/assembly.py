"""Everything built once, at start-up, from the settings, and handed on by constructor."""

import logging
import threading
from contextlib import AbstractContextManager, suppress
from typing import TYPE_CHECKING

from app.answering.abstention import THRESHOLDS
from app.answering.answerer import Answerer, AnsweringSettings
from app.answering.composing import Composer
from app.answering.evidence import EvidenceSelector
from app.answering.generating import GeneratingComposer
from app.answering.quoting import QuotingComposer
from app.answering.readers_examples import ReadersExamples
from app.answering.rewriting import Rewriter
from app.answering.support import Supporter
from app.engines import engine_of
from app.reasons import Reasons
from app.settings import Settings
from app.sight.audit import Audit
from app.uploads import Uploads
from app.uploads_mark import UploadsMark
from index.analysis import Analyser
from index.collection_names import Readable
from index.embedding import Encoder, open_encoder, prepared_folder
from index.embedding.remembering import RememberingEncoder
from index.engine import Recipe, Searched, difference
from index.errors import (
    IndexUnavailableError,
    KildesvarError,
    LibraryBusyError,
    NothingPublishedError,
)
from index.generations import nothing_for
from index.jobs import Jobs
from index.library import Guard, Library
from index.lock import WAITS_TO_BE_ALONE
from index.passages import PassageSettings
from index.reading.preparation import reader_folder
from index.reading.reader import Reader
from index.retriever import RetrievalSettings, Retriever
from index.suggester import Suggester
from index.views import View
from index.wording import Wordings

if TYPE_CHECKING:
    from app.language_model import LanguageModel
    from index.ingest import Ingester, OnProgress


log = logging.getLogger("kildesvar")


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
        # For what is searched for alone: what else is embedded, as the sentences that a language
        # model writes, hardly comes again.
        self.query_cache: RememberingEncoder | None = None
        if settings.cached_queries:
            self.query_cache = RememberingEncoder(self.encoder, settings.cached_queries)
        self.library = Library.open(settings.library_address)
        self.audit = Audit(self.library)
        self.audit.watch()
        self.jobs = Jobs(self.library)
        mark = UploadsMark(settings.uploads_dir, self.library) if self.library.is_shared else None
        self.uploads = Uploads(settings.uploads_dir, settings.max_upload_mb * 1024**2, mark)
        self.engine = engine_of(settings, self.library)
        self.analyser = Analyser()
        self._passage_settings = PassageSettings(
            min(settings.passage_tokens, self.encoder.max_tokens)
        )
        self.retriever = Retriever(
            self.library,
            self.query_cache or self.encoder,
            self.analyser,
            Wordings(),
            RetrievalSettings(settings.candidates, settings.dense_weight),
        )
        self.suggester = Suggester(self.library, self.analyser)
        self.reader = Reader(reader_folder(settings.models_dir), settings.threads)
        self._selector = EvidenceSelector(self.library, self.analyser, self.encoder.fingerprint)
        self.language_model = language_model_of(settings)
        self.quoting_answerer = self.answerer_with(None)
        self.answerer = self.quoting_answerer
        if self.language_model is not None:
            self.answerer = self.answerer_with(
                self._writing_composer(self.language_model),
                Rewriter(self.language_model, self.analyser),
            )
        # Examples are asked one after the other in the background: no language model need write.
        self.examples = ReadersExamples(self.library, self.quoting_answerer)
        self.reasons = Reasons()
        self._opening = threading.Lock()
        self._generation: Searched | None = None
        self._not_ours: str | None = None
        """Name of a newer generation that was seen, and cannot be searched with this model."""

    def answerer_with(
        self, composer: Composer | None, rewriter: Rewriter | None = None
    ) -> Answerer:
        """One that composes its answers so; with quotes, if no composer is given."""
        return Answerer(
            self.library,
            self.retriever,
            self.reader,
            self._selector,
            AnsweringSettings(THRESHOLDS[self.settings.caution]),
            composer,
            rewriter,
        )

    def _writing_composer(self, model: "LanguageModel") -> Composer:
        supporter = Supporter(self.library, self.analyser, self.encoder, self.reader)
        return GeneratingComposer(model, supporter, self.library, QuotingComposer(self.library))

    def ingester(
        self,
        on_progress: "OnProgress | None" = None,
        renews: bool = False,
        guard: Guard | None = None,
    ) -> "Ingester":
        """Writes to this library; hold `writing` around its use.

        `renews` is for commands whose user may wait until all is embedded anew; `guard` is as in
        `Library.guarded_by`.
        """
        # Imported here, with all the parsers, so that answering starts without them.
        from index.ingest import Ingester, ignore_progress  # noqa: PLC0415

        return Ingester(
            self.library.guarded_by(guard) if guard else self.library,
            self.engine,
            self.encoder,
            self._passage_settings,
            on_progress or ignore_progress,
            ocr=self.settings.ocr == "on",
            renews=renews,
            uploads_dir=self.settings.uploads_dir,
        )

    def writing(self, *, exclusive: bool = False) -> AbstractContextManager[None]:
        """Holds the library's writer lock, see `Library.writing`. The files of an index have one
        writer anyway. Raises LibraryBusyError; who wants to be alone beside workers that hardly
        ever pause has to wait for a while first."""
        is_of_files = not self.settings.opensearch_url
        waits = WAITS_TO_BE_ALONE if exclusive else None
        return self.library.writing(exclusive=exclusive or is_of_files, waits=waits)

    def generation(self) -> Searched:
        """The published generation. Who first sees a newer one opens it; the others need not wait.

        One that cannot be opened, or was made for another model, is left to others: this goes on
        with its own, whose passages the library keeps. Raises NothingPublishedError,
        GenerationMismatchError or LibraryError when there is nothing to go on with.
        """
        held = self._generation
        if held is not None and self.engine.current_name() in (held.name, self._not_ours):
            return held
        if not self._opening.acquire(blocking=held is None):
            assert held is not None
            return held
        try:
            return self._newest()
        finally:
            self._opening.release()

    def view(self, collections: Readable) -> View:
        """What is searched for somebody who may read only those collections.

        Raises as `generation`, but while nothing is published: to who may not read all, that is the
        same as nothing that they may read. Nor are they told the details of what else is wrong,
        which are of the documents of others as well.
        """
        try:
            return self.generation().view(collections)
        except NothingPublishedError:
            if collections is None:
                raise
            return nothing_for(collections, self.library)
        except KildesvarError as error:
            if collections is None:
                raise
            raise self.reasons.without_details(error) from error

    @property
    def generation_at_hand(self) -> Searched | None:
        """The one that questions are answered from now; opens none."""
        return self._generation

    def view_at_hand(self, collections: Readable) -> View | None:
        """As `view`, of the generation that questions are answered from now; opens none."""
        held = self.generation_at_hand
        return held.view(collections) if held else None

    def take_up_newest(self) -> Searched:
        """As `generation`, but waits for whoever is opening a newer one."""
        with self._opening:
            return self._newest()

    def _newest(self) -> Searched:
        held, name = self._generation, self.engine.current_name()
        if held is not None and held.name == name:
            return held  # another thread was quicker
        recipe = self._recipe()
        try:
            opened = self.engine.open(recipe)
        except IndexUnavailableError as error:
            if held is None:
                raise
            log.info("going on with generation %s: %s", held.name, error)
            return held
        except KildesvarError as error:
            if held is None:
                raise
            self._not_ours = name
            log.warning("going on with generation %s: %s", held.name, error)
            return held
        if opened.manifest.recipe != recipe:
            log.warning("%s", difference(opened.manifest.recipe, recipe))
        self._generation = opened
        return opened

    def publish_if_stale(self) -> None:
        """Publishes what a process that died had stored but not published, or what was damaged
        or lost.

        So is one whose words an earlier version analysed, for that takes seconds. A generation of
        another model or other settings is left to `ingest`, which shows how far it has come.
        Raises LibraryBusyError when another process is writing: that one will publish.
        """
        manifest = self.engine.manifest()
        lost = False
        if manifest is None:
            stale = not self.library.is_empty()
        else:
            recipe = self._recipe()
            same_vectors = recipe.of_passages() == manifest.recipe.of_passages()
            version = self.library.version()
            lost = same_vectors and self.engine.is_lost()
            stale = lost or (same_vectors and not self.engine.is_current(version, recipe))
        if stale:
            with self.writing():
                self.ingester().publish(anyway=lost)

    def is_current(self) -> bool:
        """Whether what is searched is all that the library holds, by whichever recipe."""
        manifest = self.engine.manifest()
        version = self.library.version()
        return manifest is not None and self.engine.is_current(version, manifest.recipe)

    def tidy(self) -> None:
        """Removes what only earlier readers needed, unless someone is writing."""
        if self.engine.are_several() or self.library.has_put_off_forgetting():
            with suppress(LibraryBusyError), self.writing():
                self.ingester().let_go()

    def close(self) -> None:
        if self.language_model is not None:
            self.language_model.close()
        self.reader.close()
        self.retriever.close()
        self.engine.close()
        self.library.close()

    def _recipe(self) -> Recipe:
        return Recipe.of(self.encoder.fingerprint, self.encoder.dimension, self._passage_settings)


def language_model_of(settings: Settings) -> "LanguageModel | None":
    """The language model that the settings name, which is not asked before it is needed."""
    if not settings.llm_url:
        return None
    # Imported here, since the client takes as long to import as everything else that answers.
    from app.language_model import LanguageModel, LanguageModelSettings  # noqa: PLC0415

    return LanguageModel(
        LanguageModelSettings(
            url=settings.llm_url,
            model=settings.llm_model,
            key=settings.llm_key.get_secret_value(),
            context_tokens=settings.llm_context_tokens,
            answer_tokens=settings.llm_answer_tokens,
            patience=settings.llm_patience,
            seconds=settings.llm_seconds,
            concurrency=settings.llm_concurrency,
        )
    )
