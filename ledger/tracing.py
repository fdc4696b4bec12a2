"""W3C trace context (https://www.w3.org/TR/trace-context/): the thread that joins a request, its events and reactions.

A traceparent is always there, whether or not spans are exported: it costs two random numbers. Spans are made of it once
`use_tracer` was given a tracer. They hold names of steps, services, handlers, events, topics and positions; never who
or what is spoken of.
"""

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from opentelemetry.trace import Span, SpanContext, Tracer

Kind = Literal["internal", "server", "producer", "consumer"]
Attributes = Mapping[str, str | int]

LINKS = 128
"""Links of a span at most: as many as OpenTelemetry's own limit lets through."""

_SHAPE = re.compile(r"00-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})\Z")
_current: ContextVar[str | None] = ContextVar("traceparent", default=None)
_open: "ContextVar[Span | None]" = ContextVar("span", default=None)
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


def use_tracer(tracer: "Tracer | None") -> None:
    """Let this tracer make the spans of the process; None switches export off."""
    global _tracer
    _tracer = tracer


def exporting() -> bool:
    """Whether spans are made at all: asked before anything is prepared for one."""
    return _tracer is not None


@contextmanager
def continue_trace(
    traceparent: str | None, name: str = "work", kind: Kind = "internal", *, spans: bool = True
) -> Iterator[str]:
    """Work as a child of the given traceparent (of a request, an event, a record); without a valid one, a new trace.

    `name` names the span and holds no data. Without `spans` the trace goes on, but neither this work nor what follows
    from it makes any. Yields the child's traceparent.
    """
    parent = valid_traceparent(traceparent)
    if _tracer is None or not spans:
        child = new_traceparent(parent)
        with _bound(child if spans else f"{child[:-2]}00", None):
            yield _current.get() or child
    else:
        with _spanned(_begin(_tracer, name, parent, kind, {})) as child:
            yield child


@contextmanager
def step(name: str, attributes: Attributes | None = None) -> Iterator[str]:
    """A step inside the current work, as a child of it; nothing at all while no spans are made. Yields the traceparent
    that is now current (empty: there is no work)."""
    current = _current.get()
    if _tracer is None or current is None:
        yield current or ""
    else:
        with _spanned(_begin(_tracer, name, current, "internal", attributes or {})) as child:
            yield child


def note(attributes: Attributes, *, name: str | None = None, failed: bool = False) -> None:
    """Say more of the current span, which was begun before it was known."""
    span = _open.get()
    if span is not None:
        span.set_attributes(dict(attributes))
        if name is not None:
            span.update_name(name)
        if failed:
            _fail(span)


@contextmanager
def linked(name: str, traceparents: Sequence[str], attributes: Attributes | None = None) -> Iterator[None]:
    """One piece of work for many traces: a span of a trace of its own, with links to at most `LINKS` of theirs."""
    if _tracer is None or not traceparents:
        yield
    else:
        with _spanned(_begin(_tracer, name, None, "internal", attributes or {}, traceparents[:LINKS])):
            yield


@dataclass(slots=True)
class Part:
    """What is done for one trace in such a piece of work. `traceparent` goes on from here; set `failed` where this one
    did not come to a good end."""

    traceparent: str
    span: "Span | None"
    failed: bool = False


def part(name: str, parent: str, kind: Kind, attributes: Attributes) -> Part:
    """Begin it as a child of `parent`. Where that trace makes no spans, it goes on as it came."""
    if _tracer is None or valid_traceparent(parent) is None:
        return Part(parent, None)
    span = _begin(_tracer, name, parent, kind, attributes)
    return Part(_said(span), span) if span.is_recording() else Part(parent, None)


@contextmanager
def together(name: str, parts: Sequence[Part], attributes: Attributes | None = None) -> Iterator[None]:
    """`linked` with these parts, which end with it."""
    spans = [one for one in parts if one.span is not None]
    failed = True
    try:
        with linked(name, [one.traceparent for one in spans], attributes):
            yield
        failed = False
    finally:
        for one in spans:
            assert one.span is not None
            if failed or one.failed:
                _fail(one.span)
            one.span.end()


def _begin(
    tracer: "Tracer", name: str, parent: str | None, kind: Kind, attributes: Attributes, links: Sequence[str] = ()
) -> "Span":
    from opentelemetry import context as otel
    from opentelemetry.trace import Link, NonRecordingSpan, SpanKind, set_span_in_context

    context = otel.Context()
    if parent is not None:
        context = set_span_in_context(NonRecordingSpan(_parsed(parent)), context)
    return tracer.start_span(
        name,
        context=context,
        kind=SpanKind[kind.upper()],
        attributes=dict(attributes),
        links=[Link(_parsed(one)) for one in links if _SHAPE.match(one)],
    )


def _parsed(traceparent: str) -> "SpanContext":
    from opentelemetry.trace import SpanContext, TraceFlags

    return SpanContext(
        int(traceparent[3:35], 16), int(traceparent[36:52], 16), True, TraceFlags(int(traceparent[53:], 16))
    )


def _said(span: "Span") -> str:
    context = span.get_span_context()
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"


def _fail(span: "Span", error: BaseException | None = None) -> None:
    from opentelemetry.trace import StatusCode

    # Of an error its kind alone: the message may hold data.
    span.set_status(StatusCode.ERROR)
    if error is not None:
        span.set_attribute("error.type", type(error).__name__)


@contextmanager
def _spanned(span: "Span") -> Iterator[str]:
    try:
        with _bound(_said(span), span) as traceparent:
            yield traceparent
    except BaseException as error:
        _fail(span, error)
        raise
    finally:
        span.end()


@contextmanager
def _bound(traceparent: str, span: "Span | None") -> Iterator[str]:
    token, opened = _current.set(traceparent), _open.set(span)
    try:
        yield traceparent
    finally:
        _current.reset(token)
        _open.reset(opened)
