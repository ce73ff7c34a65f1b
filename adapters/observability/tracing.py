"""Traces, where somebody collects them: from a request through the events it records to job, read model and mail.

Off unless an endpoint for OTLP is set and OpenTelemetry is installed; then every call here does nothing, and
OpenTelemetry is not even imported. No attribute, name or status ever holds what a person wrote: errors are told by
their type.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol, Self

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
    from opentelemetry.trace import Span, SpanContext, Tracer

# How many of the last events and webhooks can still be linked to what brought them.
MOST_REMEMBERED = 10_000
MOST_LINKS = 64
# What nobody takes in this time is lost: the process ends.
LAST_WORDS_SECONDS = 2.0

Attributes = Mapping[str, Any]


class Spanning(Protocol):
    """A span for as long as the block lasts."""

    def __enter__(self) -> Self: ...
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...
    def tell(self, name: str | None = None, **attributes: Any) -> None:
        """What became known meanwhile."""


class _Nothing:
    """Where nobody traces."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def tell(self, name: str | None = None, **_: Any) -> None:
        del name


class _Traces:
    """Where somebody does."""

    def __init__(self, provider: TracerProvider) -> None:
        self.provider = provider
        self.tracer: Tracer = provider.get_tracer("storyledger")
        self.remembered: OrderedDict[Hashable, SpanContext] = OrderedDict()
        self.lock = threading.Lock()


_NOTHING = _Nothing()
_traces: _Traces | None = None


def start(version: str, processor: SpanProcessor | None = None) -> bool:
    """Trace from now on, to the OTLP endpoint of the standard environment, or to `processor`.

    False if OpenTelemetry is not installed.
    """
    global _traces
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
    _traces = _Traces(provider)
    return True


def stop() -> None:
    """Hand out what is left, within LAST_WORDS_SECONDS, and trace no more."""
    global _traces
    traces, _traces = _traces, None
    if traces is not None:
        last = threading.Thread(target=traces.provider.shutdown, name="last traces", daemon=True)
        last.start()
        last.join(LAST_WORDS_SECONDS)


def on() -> bool:
    """Whether somebody traces."""
    return _traces is not None


def span(name: str, *, parent: str | None = None, links: Iterable[Hashable] = (), **attributes: Any) -> Spanning:
    """A span under the present one, or under what `carried` once said; linked to what was `remember`ed by these keys.

    An attribute that is None is left out; each gets the prefix `storyledger.`.
    """
    if _traces is None:
        return _NOTHING
    return _Spanned(_traces, name, parent, links, attributes)


def done(name: str, since: int, *, links: Iterable[Hashable] = (), **attributes: Any) -> None:
    """A span that began at `since` (see `now`) and ends here."""
    if _traces is not None:
        told = _named(attributes)
        _traces.tracer.start_span(name, links=_links(_traces, links), start_time=since, attributes=told).end()


def now() -> int:
    """Nanoseconds since 1970, for `done`."""
    return time.time_ns()


def carried() -> str | None:
    """The present span, for who goes on with it later and elsewhere (W3C trace context); None if nobody traces."""
    if _traces is None:
        return None
    from opentelemetry import trace

    context = trace.get_current_span().get_span_context()
    if not context.is_valid:
        return None
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"


def remember(*keys: Hashable) -> None:
    """That the present span brought these, so that what becomes of them can be linked to it in this process."""
    if _traces is None:
        return
    from opentelemetry import trace

    context = trace.get_current_span().get_span_context()
    with _traces.lock:
        for key in keys:
            _traces.remembered[key] = context
        while len(_traces.remembered) > MOST_REMEMBERED:
            _traces.remembered.popitem(last=False)


def _links(traces: _Traces, keys: Iterable[Hashable]) -> list[Any]:
    """A link to each span that brought some of them, the first so many."""
    from opentelemetry.trace import Link

    with traces.lock:
        found = {c.span_id: c for key in keys if (c := traces.remembered.get(key)) is not None and c.is_valid}
    return [Link(context) for context in list(found.values())[:MOST_LINKS]]


def _named(attributes: Attributes) -> dict[str, Any]:
    return {
        name if "." in name else f"storyledger.{name}": value for name, value in attributes.items() if value is not None
    }


class _Spanned:
    """A span that says of an error its type only: the library would keep its message."""

    def __init__(
        self, traces: _Traces, name: str, parent: str | None, links: Iterable[Hashable], attributes: Attributes
    ) -> None:
        from opentelemetry import context

        self._detach: Callable[[Any], None] = context.detach
        self._span: Span = traces.tracer.start_span(
            name, context=_context_of(parent), links=_links(traces, links), attributes=_named(attributes)
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

    def tell(self, name: str | None = None, **attributes: Any) -> None:
        if name is not None:
            self._span.update_name(name)
        self._span.set_attributes(_named(attributes))


def _context_of(parent: str | None) -> Any:
    """The context that `carried` told of; none where it is nothing of the kind."""
    if parent is None:
        return None
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    return TraceContextTextMapPropagator().extract({"traceparent": parent})
