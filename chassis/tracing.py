"""W3C trace context (https://www.w3.org/TR/trace-context/): the thread that joins a request, its events and reactions.

A traceparent is always there, whether or not spans are exported: it costs two random numbers. Export to OpenTelemetry
is switched on once by `export_traces`.
"""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from opentelemetry.trace import Tracer

_SHAPE = re.compile(r"00-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})\Z")
_current: ContextVar[str | None] = ContextVar("traceparent", default=None)
_tracer: "Tracer | None" = None


def valid_traceparent(text: str | None) -> str | None:
    """The text, if it is a traceparent of version 00; None for anything else, which is then ignored as W3C says."""
    return text if text is not None and _SHAPE.match(text) else None


def new_traceparent(parent: str | None = None) -> str:
    """A child of `parent`, or a new trace where there is no valid one: `00-<32 hex>-<16 hex>-<2 hex>`."""
    match = _SHAPE.match(parent) if parent else None
    trace, flags = (match[1], match[3]) if match else (os.urandom(16).hex(), "01")
    return f"00-{trace}-{os.urandom(8).hex()}-{flags}"


def current_traceparent() -> str | None:
    """The traceparent of what is being done now, to be stored with an event or sent along; None outside of any work."""
    return _current.get()


def trace_id() -> str:
    """The 32 hexadecimal digits that join everything of one request, or `-` outside of any work."""
    current = _current.get()
    return current[3:35] if current else "-"


@contextmanager
def continue_trace(traceparent: str | None, name: str = "work") -> Iterator[str]:
    """Work as a child of the given traceparent (of a request, an event, a record); without a valid one, a new trace.

    `name` names the span and holds no data. Yields the child's traceparent.
    """
    if _tracer is not None:
        with _exported(_tracer, valid_traceparent(traceparent), name) as child, _bound(child):
            yield child
    else:
        with _bound(new_traceparent(traceparent)) as child:
            yield child


@contextmanager
def span(name: str) -> Iterator[str]:
    """A step inside the current work, as a child of it."""
    with continue_trace(_current.get(), name) as child:
        yield child


def export_traces(endpoint: str, service: str) -> None:
    """Send spans to an OTLP/HTTP collector, e.g. `http://collector:4318`, in batches off the event loop."""
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    provider = TracerProvider(resource=Resource.create({"service.name": service}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=endpoint.rstrip("/") + "/v1/traces")))
    use_tracer(provider.get_tracer("xiapai"))


def use_tracer(tracer: "Tracer | None") -> None:
    """Let this tracer make the spans of the process; None switches export off."""
    global _tracer
    _tracer = tracer


@contextmanager
def _bound(traceparent: str) -> Iterator[str]:
    token = _current.set(traceparent)
    try:
        yield traceparent
    finally:
        _current.reset(token)


@contextmanager
def _exported(tracer: "Tracer", parent: str | None, name: str) -> Iterator[str]:
    from opentelemetry import context as otel
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    propagator = TraceContextTextMapPropagator()
    context = propagator.extract({"traceparent": parent}, otel.Context()) if parent else otel.Context()
    # record_exception would put the exception's message, perhaps with data in it, on the collector
    with tracer.start_as_current_span(name, context=context, record_exception=False, set_status_on_exception=True):
        carrier: dict[str, str] = {}
        propagator.inject(carrier)
        yield carrier.get("traceparent") or new_traceparent(parent)
