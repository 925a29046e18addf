"""Traces: what requests, jobs and deliveries are made of, told to a collector where the settings name one.

While nobody is told, this costs a look at a variable, and nothing of OpenTelemetry is imported.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol

from hefesto_api.adapters import logs

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hefesto_api.settings import Settings

SERVER, CLIENT, CONSUMER, INTERNAL = "SERVER", "CLIENT", "CONSUMER", "INTERNAL"


class Span(Protocol):
    """A piece of work that is being done; what begins meanwhile in this thread is part of it."""

    @property
    def trace_id(self) -> str:
        """The trace, 32 hexadecimal digits."""

    @property
    def span_id(self) -> str:
        """The span, 16 hexadecimal digits."""

    @property
    def traceparent(self) -> str:
        """What others are given, so that their work is part of this one."""

    def tell(self, **attributes: Any) -> None:
        """Add attributes; a dot in a name is written as two underscores."""

    def end(self, *, failed: str = "") -> None:
        """End it; `failed` says what went wrong."""


class Telemetry(Protocol):
    """Who makes spans (`adapters.telemetry_otel`)."""

    def begin(self, name: str, kind: str, parent: str, attributes: dict[str, Any]) -> Span:
        """Begin a span: of the trace of a traceparent, else of the present work."""

    def is_following(self) -> bool:
        """Tell whether the present work is part of a trace that is told."""

    def stop(self) -> None:
        """Tell what is left to tell, and end."""


class _State:
    telemetry: Telemetry | None = None


def is_on() -> bool:
    """Tell whether traces are told."""
    return _State.telemetry is not None


def start(settings: Settings) -> bool:
    """Begin to tell traces, if the settings name a collector and the extra `otel` is installed."""
    if not settings.traced:
        return False
    for name, value in settings.otel:
        os.environ.setdefault(name, value)  # those of the file .env, for the library, which reads them itself
    try:
        module = import_module("hefesto_api.adapters.telemetry_otel")
    except ImportError:
        logs.of("telemetry").warning(
            "traces_not_told", reason="OpenTelemetry is not installed: pip install 'hefesto-api[otel]'."
        )
        return False
    use(module.to_collector())
    return True


def use(telemetry: Telemetry | None) -> None:
    """Tell traces in this way from now on; None: no more."""
    _State.telemetry = telemetry


def stop() -> None:
    """Tell what is left to tell, and tell no more."""
    telemetry, _State.telemetry = _State.telemetry, None
    if telemetry is not None:
        telemetry.stop()


def begin(name: str, kind: str = INTERNAL, parent: str = "", **attributes: Any) -> Span | None:
    """Begin a span, which `end` ends in the same thread; None while traces are not told."""
    telemetry = _State.telemetry
    return None if telemetry is None else telemetry.begin(name, kind, parent, attributes)


@contextmanager
def span(name: str, kind: str = INTERNAL, parent: str = "", **attributes: Any) -> Iterator[Span | None]:
    """Make what is done within it a span; an exception out of it is told by its type alone."""
    made = begin(name, kind, parent, **attributes)
    if made is None:
        yield None
        return
    failed = ""
    try:
        yield made
    except BaseException as error:
        failed = type(error).__name__
        raise
    finally:
        made.end(failed=failed)


def statement(system: str, text: str) -> Span | None:
    """Begin the span of a database's statement, without its values; None outside of all traces."""
    telemetry = _State.telemetry
    if telemetry is None or not telemetry.is_following():
        return None
    told = {"db__system__name": system, "db__query__text": " ".join(text.split())}
    return telemetry.begin(text.split(None, 1)[0].upper() if text.strip() else "SQL", CLIENT, "", told)
