"""The witness: is told what happens, and tells the metrics and, where there are any, the traces."""

from time import time
from typing import TYPE_CHECKING

from app.answering.answerer import Answer, Events
from app.sight.metrics.events import Metrics
from app.work import JobEnd
from index.retriever import SearchResult

if TYPE_CHECKING:
    from app.language_model import LanguageModelCall
    from app.sight.traces import Attributes, Traces


class Witness:
    """What happens is told here, once, by those who do it; it costs them next to nothing."""

    def __init__(self, metrics: Metrics, traces: "Traces | None" = None) -> None:
        self.metrics = metrics
        self.traces = traces

    def stop(self) -> None:
        """Ends what works in the background for it."""
        if self.traces:
            self.traces.stop()

    def followed(self, events: Events) -> Events:
        """The `events` of an answer on its way, looked at as they come."""
        return self.traces.followed(events) if self.traces else events

    def answered(self, answer: Answer) -> None:
        self.metrics.answered(answer)

    def searched(self, found: SearchResult) -> None:
        self.metrics.timed({"embed": found.embed_ms, "retrieve": found.retrieve_ms})
        if self.traces:
            self.traces.record_search(found.embed_ms, found.retrieve_ms, found.total)

    def waited(self, seconds: float) -> None:
        """Someone was let in who had waited so long."""
        self.metrics.timed({"wait": seconds * 1000})
        if self.traces:
            now = time()
            self.traces.record("wait", now - seconds, now)

    def worked(self, job: JobEnd) -> None:
        self.metrics.job_finished(job.state)
        if self.traces:
            self.traces.record_job(job)

    def language_model_called(self, call: "LanguageModelCall") -> None:
        self.metrics.language_model_called(call.outcome, call.seconds)
        if self.traces:
            about: Attributes = {
                "kildesvar.outcome": call.outcome,
                "kildesvar.letters": call.letters,
            }
            ended = call.began + call.seconds
            failed = call.outcome not in {"whole", "abandoned"}
            self.traces.record("language model", call.began, ended, about, failed=failed)


def traces_to(url: str) -> "Traces | None":
    """What sends traces to the collector at `url`; None where there is none."""
    if not url:
        return None
    from app.sight.traces import Traces  # noqa: PLC0415 - it takes long, and few want it

    return Traces(url)
