"""Request metrics: counts, times, traces and logs every request, with its ids in every log line about it."""

from time import perf_counter

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from adapters.observability import log_context, tracing
from adapters.observability.counters import requests
from adapters.observability.request_metrics import NO_OPERATION, method_label
from entrypoints.http.middleware.headers import logged_id_of

logger = structlog.get_logger()

# The key of the request's state in which an endpoint leaves its path template.
OPERATION = "operation"
# The status that the server sends for an application that raises.
FAILED = 500


class RequestMetrics:
    """ASGI middleware: records the outcome of every request, also of those without an operation."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
        elif tracing.is_enabled():
            await self._traced(scope, receive, send)
        else:
            await self._counted(scope, receive, send)

    async def _counted(self, scope: Scope, receive: Receive, send: Send) -> int:
        """Return the status of the response."""
        started = perf_counter()
        status = FAILED

        async def observed_send(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        log_context.begin(request_id=logged_id_of(scope))
        requests.in_progress += 1
        try:
            await self._app(scope, receive, observed_send)
        finally:
            requests.in_progress -= 1
            operation, method = scope["state"].get(OPERATION), method_label(scope["method"])
            seconds = perf_counter() - started
            requests.observe(operation, method, status, seconds)
            # The path template, since a path parameter could name a person.
            path, milliseconds = operation or NO_OPERATION, round(seconds * 1000, 1)
            logger.info("request", method=method, path=path, status=status, milliseconds=milliseconds)
        return status

    async def _traced(self, scope: Scope, receive: Receive, send: Send) -> None:
        status = FAILED
        with tracing.span("request") as span:
            try:
                status = await self._counted(scope, receive, send)
            finally:
                operation, method = scope["state"].get(OPERATION), method_label(scope["method"])
                told = {"http.route": operation, "http.request.method": method, "http.response.status_code": status}
                span.rename(f"{method} {operation or NO_OPERATION}")
                span.set_attributes(**told, **log_context.current())
