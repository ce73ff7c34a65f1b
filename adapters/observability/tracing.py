"""OpenTelemetry tracing, from a request through the events that it records to jobs, read models and mails.

Tracing is enabled if an OTLP endpoint is set and OpenTelemetry is installed. Otherwise every function here does
nothing, and OpenTelemetry is not imported. No attribute, name or status holds personal data: of an error only the type
is recorded.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
    from opentelemetry.trace import Link, Span, SpanContext, Tracer

# The number of the latest keys, of events and webhooks, that spans can be linked by.
MOST_LINKABLE = 10_000
MOST_LINKS = 64
# At the end of the process, spans that the collector does not accept within this time are lost.
FLUSH_SECONDS = 2.0

AttributeValue = str | int | float | bool | Sequence[str] | None
Attributes = Mapping[str, AttributeValue]


class ActiveSpan:
    """A span that lasts as long as its `with` block; this one, used while tracing is disabled, records nothing."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    def rename(self, name: str) -> None:
        pass

    def set_attributes(self, **attributes: AttributeValue) -> None:
        pass


class _Tracing:
    """The state of tracing while it is enabled."""

    def __init__(self, provider: TracerProvider) -> None:
        self.provider = provider
        self.tracer: Tracer = provider.get_tracer("storyledger")
        self.linkable: OrderedDict[Hashable, SpanContext] = OrderedDict()
        self.lock = threading.Lock()


_NO_SPAN = ActiveSpan()
_tracing: _Tracing | None = None


def start(version: str, processor: SpanProcessor | None = None) -> bool:
    """Enable tracing, to the OTLP endpoint of the standard environment variables or to `processor`.

    Return False if OpenTelemetry is not installed.
    """
    global _tracing
    try:
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider

        if processor is None:
            from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
            from opentelemetry.sdk.trace.export import BatchSpanProcessor

            processor = BatchSpanProcessor(OTLPSpanExporter())
    except ImportError:
        return False
    resource = Resource.create({"service.version": version})
    if str(resource.attributes["service.name"]).startswith("unknown_service"):
        resource = resource.merge(Resource({"service.name": "storyledger"}))
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    provider.add_span_processor(processor)
    _tracing = _Tracing(provider)
    return True


def stop() -> None:
    """Disable tracing and send the remaining spans within FLUSH_SECONDS."""
    global _tracing
    tracing, _tracing = _tracing, None
    if tracing is not None:
        flush = threading.Thread(target=tracing.provider.shutdown, name="flush traces", daemon=True)
        flush.start()
        flush.join(FLUSH_SECONDS)


def is_enabled() -> bool:
    """Return True while tracing is enabled."""
    return _tracing is not None


def span(
    name: str, *, parent: str | None = None, links: Iterable[Hashable] = (), **attributes: AttributeValue
) -> ActiveSpan:
    """Return a span below the current one, or below `parent` (see `traceparent`).

    The span is linked to the spans that the keys in `links` were made linkable by. Attributes that are None are left
    out; names without a dot get the prefix `storyledger.`.
    """
    # Another thread may stop tracing meanwhile.
    if (tracing := _tracing) is None:
        return _NO_SPAN
    return _RecordedSpan(tracing, name, parent, links, attributes)


def record_span(name: str, since: int, *, links: Iterable[Hashable] = (), **attributes: AttributeValue) -> None:
    """Record a span that began at `since` (see `now_ns`) and ends now."""
    if (tracing := _tracing) is not None:
        tracing.tracer.start_span(
            name, links=_links(tracing, links), start_time=since, attributes=_prefixed(attributes)
        ).end()


def now_ns() -> int:
    """Return the nanoseconds since 1970, for `record_span`."""
    return time.time_ns()


def traceparent() -> str | None:
    """Return the current span as a W3C traceparent, for a later span of any process, or None without a span."""
    if _tracing is None:
        return None
    from opentelemetry import trace

    context = trace.get_current_span().get_span_context()
    if not context.is_valid:
        return None
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"


def make_linkable(*keys: Hashable) -> None:
    """Let later spans of this process link to the current span by these keys."""
    if (tracing := _tracing) is None:
        return
    from opentelemetry import trace

    context = trace.get_current_span().get_span_context()
    with tracing.lock:
        for key in keys:
            tracing.linkable[key] = context
        while len(tracing.linkable) > MOST_LINKABLE:
            tracing.linkable.popitem(last=False)


def _links(tracing: _Tracing, keys: Iterable[Hashable]) -> list[Link]:
    """Return links to the spans that the keys stand for, at most MOST_LINKS."""
    from opentelemetry.trace import Link

    with tracing.lock:
        contexts = {c.span_id: c for key in keys if (c := tracing.linkable.get(key)) is not None and c.is_valid}
    return [Link(context) for context in list(contexts.values())[:MOST_LINKS]]


def _prefixed(attributes: Attributes) -> dict[str, AttributeValue]:
    return {
        name if "." in name else f"storyledger.{name}": value for name, value in attributes.items() if value is not None
    }


class _RecordedSpan(ActiveSpan):
    """A span that records only the type of an error: the library would record its message, which may be personal."""

    def __init__(
        self, tracing: _Tracing, name: str, parent: str | None, links: Iterable[Hashable], attributes: Attributes
    ) -> None:
        from opentelemetry import context

        self._detach: Callable[[Any], None] = context.detach
        self._span: Span = tracing.tracer.start_span(
            name, context=_context_of(parent), links=_links(tracing, links), attributes=_prefixed(attributes)
        )

    def __enter__(self) -> Self:
        from opentelemetry import context, trace

        self._token = context.attach(trace.set_span_in_context(self._span))
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        from opentelemetry.trace import Status, StatusCode

        self._detach(self._token)
        if kind is not None:
            self._span.set_status(Status(StatusCode.ERROR, kind.__name__))
            self._span.set_attribute("error.type", kind.__name__)
        self._span.end()

    def rename(self, name: str) -> None:
        self._span.update_name(name)

    def set_attributes(self, **attributes: AttributeValue) -> None:
        self._span.set_attributes(_prefixed(attributes))


def _context_of(parent: str | None) -> Context | None:
    """Return the context of a traceparent; None stands for the current one."""
    if parent is None:
        return None
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    return TraceContextTextMapPropagator().extract({"traceparent": parent})
