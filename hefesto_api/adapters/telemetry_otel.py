"""Traces by OpenTelemetry's SDK, sent as OTLP over HTTP; the OTEL_ variables say where to and how many."""

from __future__ import annotations

import os
from typing import Any

from opentelemetry import context, trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from hefesto_api.version import __version__

_PROPAGATOR = TraceContextTextMapPropagator()
_HEADER = "traceparent"


def to_collector() -> OpenTelemetry:
    """Tell the collector that the environment names."""
    about = {"service.version": __version__}
    if not os.environ.get("OTEL_SERVICE_NAME"):
        about["service.name"] = "hefesto"
    provider = TracerProvider(resource=Resource.create(about))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return OpenTelemetry(provider)


class OpenTelemetry:
    """Makes spans with a provider."""

    def __init__(self, provider: TracerProvider) -> None:
        self._provider = provider
        self._tracer = provider.get_tracer("hefesto_api", __version__)

    def begin(self, name: str, kind: str, parent: str, attributes: dict[str, Any]) -> OpenSpan:
        """Begin a span: of the trace of a traceparent, else of the present work."""
        around = _PROPAGATOR.extract({_HEADER: parent}) if parent else None
        made = self._tracer.start_span(name, around, SpanKind[kind], _named(attributes))
        return OpenSpan(made)

    def is_following(self) -> bool:
        """Tell whether the present work is part of a trace that is told."""
        return trace.get_current_span().is_recording()

    def stop(self) -> None:
        """Send what is left to send, and end."""
        self._provider.shutdown()


class OpenSpan:
    """A span that is the present one of its thread until it ends."""

    def __init__(self, made: trace.Span) -> None:
        self._span = made
        self._token = context.attach(trace.set_span_in_context(made))

    @property
    def trace_id(self) -> str:
        """The trace, 32 hexadecimal digits."""
        return trace.format_trace_id(self._span.get_span_context().trace_id)

    @property
    def span_id(self) -> str:
        """The span, 16 hexadecimal digits."""
        return trace.format_span_id(self._span.get_span_context().span_id)

    @property
    def traceparent(self) -> str:
        """What others are given, so that their work is part of this one."""
        flags = int(self._span.get_span_context().trace_flags)
        return f"00-{self.trace_id}-{self.span_id}-{flags:02x}"

    def tell(self, **attributes: Any) -> None:
        """Add attributes; a dot in a name is written as two underscores."""
        self._span.set_attributes(_named(attributes))

    def end(self, *, failed: str = "") -> None:
        """End it; `failed` says what went wrong."""
        if failed:
            self._span.set_status(Status(StatusCode.ERROR))
            self._span.set_attribute("error.type", failed)
        context.detach(self._token)
        self._span.end()


def _named(attributes: dict[str, Any]) -> dict[str, Any]:
    return {name.replace("__", "."): value for name, value in attributes.items() if value is not None}
