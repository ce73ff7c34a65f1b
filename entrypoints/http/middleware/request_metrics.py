"""Request metrics: every request is counted, timed, traced and logged, and every log line about it has its ids."""

from time import perf_counter

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from adapters.observability import counters, log_context, tracing
from adapters.observability.request_metrics import NO_OPERATION, method_label
from entrypoints.http.middleware.headers import logged_id_of

logger = structlog.get_logger()

# The key under which an endpoint stores its path template in the request's state.
PATH_TEMPLATE = "path_template"
# The status that the server sends for an application that raises.
FAILED = 500


class RequestMetrics:
    """ASGI middleware: records the outcome of every request, also of one to an unknown path."""

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
        """Count, time and log the request, and return the status of its response."""
        started = perf_counter()
        status = FAILED

        async def observed_send(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        log_context.begin(request_id=logged_id_of(scope))
        counters.requests.in_progress += 1
        try:
            await self._app(scope, receive, observed_send)
        finally:
            counters.requests.in_progress -= 1
            path, method = scope["state"].get(PATH_TEMPLATE), method_label(scope["method"])
            seconds = perf_counter() - started
            counters.requests.observe(path, method, status, seconds)
            # Only the template of the path is logged, because a path parameter could name a person.
            milliseconds = round(seconds * 1000, 1)
            logger.info("request", method=method, path=path or NO_OPERATION, status=status, milliseconds=milliseconds)
        return status

    async def _traced(self, scope: Scope, receive: Receive, send: Send) -> None:
        status = FAILED
        with tracing.span("request") as span:
            try:
                status = await self._counted(scope, receive, send)
            finally:
                path, method = scope["state"].get(PATH_TEMPLATE), method_label(scope["method"])
                outcome = {"http.route": path, "http.request.method": method, "http.response.status_code": status}
                span.rename(f"{method} {path or NO_OPERATION}")
                span.set_attributes(**outcome, **log_context.current())
