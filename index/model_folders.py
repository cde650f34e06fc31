"""Folders of prepared models: built aside, checked, and moved into their place in one step.

A preparation that is killed leaves nothing that could be mistaken for a model.
"""

import errno
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from index.errors import KildesvarError, ModelPreparationError
from index.files import sync

_WORK_PREFIX = ".preparing-"
_LOCK_FILE = ".preparing.lock"


def _build_into(folder: Path, build: Callable[[Path], Path]) -> None:
    """Puts what `build` makes in a work folder at `folder`, in the place of what was there.

    `build` is given the work folder and gives back the folder in it that is to be moved.
    """
    models_dir = folder.parent
    for leftover in models_dir.glob(f"{_WORK_PREFIX}*/"):
        shutil.rmtree(leftover)
    with tempfile.TemporaryDirectory(prefix=_WORK_PREFIX, dir=models_dir) as work:
        built = build(Path(work))
        _open_to_readers(built)
        sync(*built.rglob("*"), built)
        if folder.exists():
            # A service may have it open: its files live on until that is closed.
            folder.rename(Path(work) / "replaced")
        built.rename(folder)
        sync(models_dir)


def prepared_once(
    folder: Path, what: str, is_ready: Callable[[], bool], build: Callable[[Path], Path]
) -> bool:
    """Builds `folder` unless it is ready; whether it had to. `what` names the model in errors.

    Raises `ModelPreparationError`, whose message names the remedy.
    """
    if is_ready():
        return False
    with _preparing(what, folder.parent):
        if is_ready():  # another process was quicker
            return False
        _build_into(folder, build)
        return True


def damaged_file(folder: Path, sizes: Mapping[str, int]) -> str | None:
    """The name of a file that is not in `folder` with its size in bytes; None if all are."""
    for name, size in sizes.items():
        path = folder / name
        if not path.is_file() or path.stat().st_size != size:
            return name
    return None


@contextmanager
def _preparing(what: str, models_dir: Path) -> Iterator[None]:
    """Makes `models_dir`, and waits for another preparation in it: it is then done, or gone.

    What packages raise within becomes a `ModelPreparationError` with a remedy; `what` names the
    model in it.
    """
    from filelock import FileLock  # noqa: PLC0415

    try:
        models_dir.mkdir(parents=True, exist_ok=True)
        with FileLock(models_dir / _LOCK_FILE):
            yield
    except KildesvarError:
        raise
    except ImportError as error:
        raise ModelPreparationError(
            f"preparing {what} needs {error.name or 'more packages'}, which is not installed; run "
            "`make install`, or install the pip extra `kildesvar[prepare]`"
        ) from error
    except Exception as error:  # torch, safetensors and onnx each raise their own
        raise ModelPreparationError(_explanation(what, models_dir, error)) from error


def _explanation(what: str, models_dir: Path, error: Exception) -> str:
    if getattr(error, "errno", None) == errno.ENOSPC or "No space left" in str(error):
        free = shutil.disk_usage(models_dir).free // 2**20
        return (
            f"the disk of {models_dir} is full ({free} MiB are free once the attempt is removed); "
            "preparing a model needs about five times the size of its weights: make room, or "
            "set another data directory"
        )
    if isinstance(error, OSError) and error.errno in (errno.EACCES, errno.EROFS, errno.EPERM):
        return f"cannot write to {models_dir} ({error.strerror}); set another data directory"
    return f"{what} could not be prepared: {error}"


def _open_to_readers(folder: Path) -> None:
    """Gives every file the permissions that new files get here.

    safetensors and onnx make theirs private, which a service under another user cannot read.
    """
    probe = folder / ".permissions"
    probe.touch()
    mode = probe.stat().st_mode & 0o777
    probe.unlink()
    for path in folder.rglob("*"):
        if path.is_file():
            path.chmod(mode)
