"""Log lines: one event a line, with its request's id, and without what proves who somebody is.

What others send cannot make a line of its own: in text the lines of an error begin with a bar, and
whatever is no letter or sign is written as its code; in JSON nothing else is possible.
"""

import json
import logging
import re
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote, urlsplit

from app.setting_sources import secrets_of
from app.settings import Settings
from app.sight.acting import request_id, request_secrets

FIELDS = "fields"
"""The name under which a line's `extra` gives what JSON has as fields of their own.

A line that has them is made of them alone: of what we know, and not of what somebody sent. Nothing
is hidden in it, or whoever calls could hide who they are.
"""

_HIDDEN = "***"
_LEAST_SECRET = 6
"""Letters of what is hidden wherever it stands; of fewer, whole lines would become unreadable."""
_NAMED_SECRETS = re.compile(
    r"""(?ix)
    (\b(?:bearer|basic) \s+ | (?:key|token|secret|password|passwd|cookie|authorization)
        ["']? \s* [=:] \s* ["']?(?:bearer\s+|basic\s+)?)
    [^\s"',;&\])}]{4,}
    """
)
"""What a name before it says is secret, in an address, a header or an object that was printed."""
_NAMES = ("key", "token", "secret", "passw", "cookie", "authorization", "bearer", "basic")
_PASSWORDS = re.compile(r"(?:^|&)(?:ssl)?password=([^&]*)")
"""Of the query of a database's address."""
_PROMPTS = ("openai", "httpx2", "httpcore2", "python_multipart", "asyncio", "urllib3", "sqlalchemy")
"""Libraries that tell what they send, if they are let: of questions and documents, too."""


def configure_logging(settings: Settings) -> None:
    """Log lines go to standard error, as KILDESVAR_LOG_FORMAT has them."""
    handler = logging.StreamHandler()
    kind = JsonLines if settings.log_format == "json" else TextLines
    handler.setFormatter(kind(secrets_of_servers(settings)))
    logging.basicConfig(level=settings.log_level.upper(), handlers=[handler], force=True)
    for name in _PROMPTS:
        logging.getLogger(name).setLevel(logging.WARNING)
    if settings.log_level == "info":  # the SDK tells three things of every request
        logging.getLogger("mcp").setLevel(logging.WARNING)
        logging.getLogger("alembic.runtime.plugins").setLevel(logging.WARNING)
        # It tells of each build of its own that it has not got, as of an error.
        logging.getLogger("faiss.loader").setLevel(logging.WARNING)


def secrets_of_servers(settings: Settings) -> list[str]:
    """What proves to other servers who this is; of the database's address the password too, as it
    is written there and as the server knows it."""
    found = [
        getattr(settings, name).get_secret_value() for name in secrets_of(Settings.model_fields)
    ]
    address = urlsplit(settings.database_url.get_secret_value())
    written = [address.password or "", *_PASSWORDS.findall(address.query)]
    return [*found, *written, *map(unquote, written)]


class _Lines(logging.Formatter):
    """What both formats share: `secrets` are hidden wherever they stand."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        super().__init__()
        self._secrets = _long_enough(secrets)

    def _without_secrets(self, text: str) -> str:
        for secret in (*self._secrets, *_long_enough(request_secrets())):
            text = text.replace(secret, _HIDDEN)
        lower = text.lower()
        if not any(name in lower for name in _NAMES):  # a tenth of the time, and nearly always so
            return text
        return _NAMED_SECRETS.sub(rf"\1{_HIDDEN}", text)

    def _message_of(self, record: logging.LogRecord) -> str:
        message = record.getMessage()
        return message if hasattr(record, FIELDS) else self._without_secrets(message)

    def _error_of(self, record: logging.LogRecord) -> str:
        """The error with where it happened; empty when there is none."""
        parts = [self.formatException(record.exc_info)] if record.exc_info else []
        if record.stack_info:
            parts.append(self.formatStack(record.stack_info))
        return self._without_secrets("\n".join(parts))


class TextLines(_Lines):
    """For people: `2026-01-31 12:00:00,000 INFO [request] what happened`."""

    def format(self, record: logging.LogRecord) -> str:
        about = f" [{identifier}]" if (identifier := request_id()) else ""
        message = _on_one_line(self._message_of(record))
        lines = [f"{self.formatTime(record)} {record.levelname}{about} {message}"]
        if error := self._error_of(record):
            lines += [f"  | {_on_one_line(line)}" for line in error.split("\n")]
        return "\n".join(lines)


class JsonLines(_Lines):
    """For programs: an object a line, with `time` in UTC."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": self._message_of(record),
        }
        if identifier := request_id():
            line["request_id"] = identifier
        line |= getattr(record, FIELDS, {})
        if error := self._error_of(record):
            line["error"] = error
        return json.dumps(line)


def _long_enough(secrets: Iterable[str]) -> tuple[str, ...]:
    return tuple(secret for secret in secrets if len(secret) >= _LEAST_SECRET)


def _on_one_line(text: str) -> str:
    """With line breaks, and whatever else a terminal would obey, written as their codes."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)
