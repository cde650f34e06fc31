"""The `kildesvar` command: thin commands over the same parts that the service runs.

Exit status: 0 done, 1 done with some files skipped, 2 could not be done, 130 stopped by Ctrl-C.
"""

import os
import sys
import traceback
from io import TextIOWrapper

import typer
from typer.exceptions import TyperException

from app.commands import (
    answers,
    audit,
    configuration,
    conversations,
    feedback,
    indexing,
    keys,
    library,
    service,
    upkeep,
)
from app.private_files import private_files
from index.errors import KildesvarError

app = typer.Typer(
    help="Answers questions over your own documents, with the source of every sentence.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

for command in (
    service.prepare,
    library.ingest,
    library.watch,
    answers.ask,
    answers.search,
    feedback.feedback,
    library.status,
    service.serve,
    service.work,
    service.mcp,
    configuration.config,
    upkeep.backup,
    upkeep.restore,
    upkeep.check,
    upkeep.compact,
    audit.audit,
):
    app.command()(command)
app.add_typer(conversations.conversations, name="conversations")
app.add_typer(indexing.index_commands, name="index")
app.add_typer(keys.keys, name="keys")


@app.callback()
def _begin(context: typer.Context) -> None:
    # Models hold no secrets, and services of other users may share them.
    if context.invoked_subcommand != "prepare":
        context.with_resource(private_files())


_STOPPED = 130
"""What shells give a command that Ctrl-C ended, and what typer returns for it."""


def main() -> None:
    """Runs the command line; an error becomes one clear line and exit status 2."""
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # «›» is missing in a Latin-1 terminal
    sys.exit(_run())


def _run() -> int:
    """The exit status of the command line."""
    try:
        status = _run_command()
    except TyperException as error:
        return _wrong_usage(error)
    except KildesvarError as error:
        return _failed(str(error))
    except (KeyboardInterrupt, typer.Abort):
        status = _STOPPED
    except BrokenPipeError:
        return _no_reader()
    except Exception as error:
        return _unforeseen(error)
    if status == _STOPPED:
        _failed("stopped; what was stored is kept, and the same command goes on from there")
    return status


def _run_command() -> int:
    """Runs the command; its status is 0 unless it raised typer.Exit or was stopped."""
    try:
        status = app(standalone_mode=False)
        sys.stdout.flush()  # here, where it is seen that nobody reads
    except SystemExit as error:
        # Typer's own way with a closed pipe, with the status that here means skipped files.
        raise BrokenPipeError from error
    return status if isinstance(status, int) else 0


def _wrong_usage(error: TyperException) -> int:
    message = error.format_message()
    if not message:
        return 2  # a command without arguments, whose help has been printed
    context: typer.Context | None = getattr(error, "ctx", None)
    if context:
        print(context.get_usage().strip(), file=sys.stderr)
    return _failed(message)


def _failed(message: str) -> int:
    print(f"kildesvar: {message}", file=sys.stderr)
    return 2


def _no_reader() -> int:
    """Lets what is still to be written go nowhere, or Python would complain at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 2


def _unforeseen(error: Exception) -> int:
    # Read from the environment: the settings may be what failed.
    if os.environ.get("KILDESVAR_LOG_LEVEL", "").lower() == "debug":
        traceback.print_exception(error)
    return _failed(
        f"{type(error).__name__}: {error} (this was not foreseen; with KILDESVAR_LOG_LEVEL=debug "
        "the same command shows where it happened)"
    )


if __name__ == "__main__":
    main()
