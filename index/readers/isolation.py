"""Reading in a process of its own, so that a broken file costs a line of the report.

Parsers of foreign formats crash, hang, and fill memory. The process is held to a time and a size,
is killed when it goes beyond them, and a fresh one takes the next file. Both sides speak lines of
JSON. It is no sandbox: the process has all the rights of whoever runs Kildesvar.
"""

import contextlib
import json
import logging
import os
import signal
import subprocess
import sys
import traceback
from dataclasses import asdict
from pathlib import Path
from threading import Timer
from types import TracebackType
from typing import Any, Self

from index.documents import Block, BlockKind, Document
from index.errors import (
    InaccessibleFileError,
    ReaderUnavailableError,
    UnreadableDocumentError,
)

log = logging.getLogger("kildesvar")

SECONDS = 120.0
"""That one file may take."""
OCR_SECONDS = 3600.0
"""That recognising the pages of one file may take besides."""
MEMORY_BYTES = 3 * 1024**3
"""Of address space; where the system knows no such limit (Windows), none is set."""


_READY = "ready"


class IsolatedReader:
    """`formats.read` in another process, started with the first file. For one thread."""

    def __init__(
        self, seconds: float = SECONDS, memory_bytes: int = MEMORY_BYTES, ocr: bool = False
    ) -> None:
        self._seconds = seconds + OCR_SECONDS * ocr
        self._memory_bytes = memory_bytes
        self._ocr = ocr
        self._process: subprocess.Popen[str] | None = None
        self._begun: Path | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def read(self, path: Path) -> Document:
        """The document in the file at `path`, read while the caller waits; raises as `finish`."""
        self.begin(path)
        return self.finish()

    def begin(self, path: Path) -> None:
        """Has the file read while the caller does something else; `finish` gives its document.

        Raises ReaderUnavailableError when there can be no such process here.
        """
        assert self._begun is None, "one file at a time"
        process = self._process = self._process or self._start()
        self._begun = path
        assert process.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # the process has crashed, as `finish` will see
            process.stdin.write(json.dumps(str(path)) + "\n")
            process.stdin.flush()

    def finish(self) -> Document:
        """The document in the file that was begun last. Its time is counted from here.

        Raises UnreadableDocumentError with a reason that fits one line of a report, also where the
        parser crashed, took too long, or needed too much memory.
        """
        process, path = self._process, self._begun
        assert process is not None
        assert process.stdout is not None
        assert path is not None
        self._begun = None
        timer = Timer(self._seconds, process.kill)
        timer.start()
        try:
            line = process.stdout.readline()
        finally:
            in_time = timer.is_alive()
            timer.cancel()
        if not line.endswith("\n"):
            status = self.close()
            if not in_time:
                raise UnreadableDocumentError(
                    f"reading took more than {self._seconds:.0f} s; split the file"
                )
            raise UnreadableDocumentError(
                f"the parser crashed on the file (status {status}); save it anew and try again"
            )
        return _document(json.loads(line), path)

    def close(self) -> int:
        """Ends the process, in the midst of a file too, and gives its exit status."""
        self._begun = None
        if self._process is None:
            return 0
        process, self._process = self._process, None
        process.kill()
        process.communicate()
        return process.returncode

    def _start(self) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            self._command(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
        )
        assert process.stdout is not None
        if process.stdout.readline().strip() != _READY:
            process.kill()
            _, said = process.communicate()
            raise ReaderUnavailableError(
                "the process that reads documents does not start; nothing was read. It said: "
                + (said.strip().rpartition("\n")[2] or f"status {process.returncode}")
            )
        return process

    def _command(self) -> list[str]:
        recognising = "ocr" if self._ocr else "no-ocr"
        return [sys.executable, "-I", "-m", __name__, str(self._memory_bytes), recognising]


def _document(answer: dict[str, Any], path: Path) -> Document:
    match answer:
        case {"inaccessible": reason}:
            raise InaccessibleFileError(reason)
        case {"unreadable": reason}:
            raise UnreadableDocumentError(reason)
        case {"unforeseen": reason, "trace": trace}:
            log.error("unforeseen error while reading %s\n%s", path, trace)
            raise UnreadableDocumentError(f"unforeseen error ({reason}); please report it")
    blocks = tuple(Block(BlockKind(kind), *rest) for kind, *rest in answer.pop("blocks"))
    notices = tuple(answer.pop("notices"))
    return Document(blocks=blocks, notices=notices, **answer)


def _answer(path: Path, ocr: bool) -> dict[str, Any]:  # noqa: PLR0911 - one for each that goes wrong
    from index.readers.formats import read  # noqa: PLC0415 - only this process loads the parsers

    try:
        document = read(path, ocr)
    except InaccessibleFileError as error:
        return {"inaccessible": str(error)}
    except UnreadableDocumentError as error:
        return {"unreadable": str(error)}
    except ImportError as error:  # of a parser that was replaced, say, while this runs
        return {"inaccessible": f"its reader cannot be loaded ({error}); install Kildesvar anew"}
    except MemoryError:
        return {"unreadable": "reading it needs too much memory; split the file"}
    except RecursionError:
        return {"unreadable": "it is nested too deeply to be read; save it anew, more plainly"}
    except Exception as error:
        reason = f"{type(error).__name__}: {error}"
        return {"unforeseen": reason, "trace": traceback.format_exc()}
    blocks = [(b.kind, b.start, b.end, b.level, b.page) for b in document.blocks]
    return {**asdict(document), "blocks": blocks}


def _serve(memory_bytes: int, ocr: bool = False) -> None:
    # Ctrl-C and the end of a service reach all of its processes. The file is none the worse for it,
    # and must not be called broken: this process goes when its standard input ends, or is killed.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    if sys.platform != "win32":
        import resource  # noqa: PLC0415

        _, most = resource.getrlimit(resource.RLIMIT_AS)
        limit = memory_bytes if most == resource.RLIM_INFINITY else min(memory_bytes, most)
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    # Tesseract's threads wait for each other: with one it is four times as fast on a small machine.
    os.putenv("OMP_THREAD_LIMIT", "1")
    from index.readers.formats import require_parsers  # noqa: PLC0415

    require_parsers()  # what fails until here is no document's fault

    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    answers.write(f"{_READY}\n")
    answers.flush()
    # Parsers chatter, which must neither come between the answers nor fill a pipe.
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    for line in sys.stdin:
        answers.write(json.dumps(_answer(Path(json.loads(line)), ocr)) + "\n")
        answers.flush()


if __name__ == "__main__":
    _serve(int(sys.argv[1]), sys.argv[2] == "ocr")
