"""Request metrics: every request is counted, timed, traced and logged, and every log line about it has its ids."""

from time import perf_counter

import structlog
from starlette.types import ASGIApp, Receive, Scope, Send

from adapters.observability import counters, log_context, tracing
from adapters.observability.request_metrics import NO_OPERATION, method_label
from entrypoints.http.middleware.headers import logged_id_of, status_of

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
        started = perf_counter()
        log_context.begin(request_id=logged_id_of(scope))
        counters.requests.in_progress += 1
        with tracing.span("request") as span:
            try:
                await self._app(scope, receive, send)
            finally:
                counters.requests.in_progress -= 1
                path, method = scope["state"].get(PATH_TEMPLATE), method_label(scope["method"])
                status, seconds = status_of(scope) or FAILED, perf_counter() - started
                counters.requests.observe(path, method, status, seconds)
                # Only the template of the path is logged, because a path parameter could name a person.
                name, milliseconds = path or NO_OPERATION, round(seconds * 1000, 1)
                logger.info("request", method=method, path=name, status=status, milliseconds=milliseconds)
                span.rename(f"{method} {name}")
                outcome = {"http.route": path, "http.request.method": method, "http.response.status_code": status}
                span.set_attributes(**outcome, **log_context.current())
