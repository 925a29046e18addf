"""The log: structured events as lines of text or JSON, secrets masked, no line forged."""

from __future__ import annotations

import logging
import re
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import orjson
import structlog

from hefesto_api.adapters.log_file import RotatingFile, Sink, StandardError
from hefesto_api.domain import clock
from hefesto_api.domain.errors import UsageError
from hefesto_api.domain.veil import veiled_line

if TYPE_CHECKING:
    from hefesto_api.settings import Settings

_LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40}
_least = {"level": 0}  # of what is written; all is before somebody configures it
_SECRET_KEYS = re.compile(r"(?i)authorization|password|secret|token|api_?key|cookie|signature")
_PLAIN = re.compile(r"[\w./:@+,;=*?&%-]+", re.ASCII)
MASK = "***"


def of(name: str) -> Any:
    """Return the logger of a part of the service."""
    return structlog.get_logger(part=name)


def wants(level: str) -> bool:
    """Tell whether events of a level are written at all."""
    return _LEVELS[level] >= _least["level"]


def configure(settings: Settings) -> None:
    """Send this process's events, and what libraries log, where the settings say; raises UsageError."""
    sink = _sink(settings)
    level = _least["level"] = _LEVELS[settings.log_level]
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            stamped,
            structlog.processors.format_exc_info,
            masked,
            json_line if settings.log_format == "json" else text_line,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=lambda *_: _Lines(sink),
        cache_logger_on_first_use=False,
    )
    _bridge(level)


def _sink(settings: Settings) -> Sink:
    if not settings.log_file:
        return StandardError()
    try:
        return RotatingFile(Path(settings.log_file))
    except OSError as error:
        message = f"HEFESTO_LOG_FILE: {settings.log_file} cannot be written: {error.strerror}."
        raise UsageError(f"{message} Name a file in a folder that this account may write to.") from error


def stamped(_logger: object, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """Say when it happened, by the one clock."""
    event["timestamp"] = clock.rfc3339(clock.now())
    return event


def masked(_logger: object, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """Hide the values of whatever is named like a secret."""
    for key in event:
        if _is_secret(key):
            event[key] = MASK
    return event


@lru_cache(maxsize=1000)
def _is_secret(key: str) -> bool:
    return _SECRET_KEYS.search(key) is not None


def json_line(_logger: object, _method: str, event: structlog.typing.EventDict) -> bytes:
    """Write an event as one line of JSON."""
    return orjson.dumps(event, default=str, option=orjson.OPT_NON_STR_KEYS) + b"\n"


def text_line(_logger: object, _method: str, event: structlog.typing.EventDict) -> bytes:
    """Write an event for a person: time, level, event, `key=value`; a traceback follows on its own lines."""
    trace = event.pop("exception", None)
    head = f"{event.pop('timestamp', '')} {event.pop('level', '').upper():7} {event.pop('event', '')}"
    line = head + "".join(f" {key}={_quoted(value)}" for key, value in event.items()) + "\n"
    return (line + (f"{trace}\n" if trace else "")).encode("utf-8", "backslashreplace")


def _quoted(value: Any) -> str:
    if isinstance(value, int | float):
        return str(value)
    text = str(value)
    return text if _PLAIN.fullmatch(text) else ascii(text)


class _Lines:
    """What structlog calls a logger: each of its methods writes one finished line, credentials hidden."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink

    def msg(self, line: bytes) -> None:
        self._sink.write(veiled_line(line))

    debug = info = warning = error = critical = msg


class _Bridge(logging.Handler):
    """Takes what libraries log."""

    def emit(self, record: logging.LogRecord) -> None:
        of(record.name).log(record.levelno, record.getMessage(), exc_info=record.exc_info)


def _bridge(level: int) -> None:
    root = logging.getLogger()
    root.handlers = [handler for handler in root.handlers if not isinstance(handler, _Bridge)]
    root.addHandler(cast("logging.Handler", _Bridge()))
    root.setLevel(max(level, logging.WARNING))
