"""What the service does by itself, between requests."""

import logging

from anyio import sleep
from anyio.to_thread import run_sync

from app.access.uses import Uses
from app.asking.gate import Gate
from app.assembly import Kildesvar
from app.sight.metrics.events import Metrics
from app.sight.metrics.shared import counts_with_others
from index.errors import KildesvarError

log = logging.getLogger("kildesvar")

_LOOKS_EVERY = 0.5
"""Seconds between two looks for a newer generation; an older one is let go then, too."""
_AFTER_FAILURE = 30.0
_READS_EVERY = 5.0
_BETWEEN_EXAMPLES = 0.1
"""Seconds between two questions that are asked to see whether they make examples."""


async def follow_generations(kildesvar: Kildesvar) -> None:
    """Takes up newer generations before a question has to wait for one to be opened."""
    while True:
        try:
            await run_sync(kildesvar.generation)
        except KildesvarError as error:
            log.debug("%s", error)  # it is said to whoever asks
        except Exception as error:  # nothing may end the task, and with it the service
            log.error("could not look for a newer generation", exc_info=error)
            await sleep(_AFTER_FAILURE)
        await sleep(_LOOKS_EVERY)


async def keep_reading(metrics: Metrics) -> None:
    """Reads what another process shows, where several count together."""
    while counts_with_others():
        await run_sync(metrics.read)
        await sleep(_READS_EVERY)


async def make_examples(kildesvar: Kildesvar, gate: Gate) -> None:
    """Asks the questions of examples, one at a time, while nobody else asks anything."""
    while True:
        is_more = False
        if gate.is_quiet:
            try:
                is_more = await run_sync(_make_next_example, kildesvar)
            except KildesvarError as error:
                log.debug("an example could not be asked: %s", error)
            except Exception as error:  # nothing may end the task, and with it the service
                log.error("could not make examples", exc_info=error)
                await sleep(_AFTER_FAILURE)
        await sleep(_BETWEEN_EXAMPLES if is_more else _LOOKS_EVERY)


async def note_uses(uses: Uses) -> None:
    """Writes when keys were last used, beside the requests that they came with."""
    while True:
        try:
            if uses.are_waiting:
                await run_sync(uses.write)
        except Exception as error:  # nothing may end the task, and with it the service
            log.error("could not note when keys were last used", exc_info=error)
            await sleep(_AFTER_FAILURE)
        await sleep(_LOOKS_EVERY)


def _make_next_example(kildesvar: Kildesvar) -> bool:
    return kildesvar.examples.work(kildesvar.view)
