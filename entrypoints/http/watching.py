"""Around the application: every request counted, timed, traced, and its ids known to every log line about it."""

from __future__ import annotations

from time import perf_counter

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from adapters.observation import about, counters, tracing
from entrypoints.http.envelope import logged_id_of

# Where an endpoint says which path template it is of.
OPERATION = "operation"


class Watched:
    """Sees how every request ends, also those that no operation answers."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = perf_counter()
        # What an application that raises makes the server answer.
        status = 500

        async def seen(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        about.begin(request_id=logged_id_of(scope))
        counters.in_progress.inc()
        with tracing.span("request") as span:
            try:
                await self._app(scope, receive, seen)
            finally:
                counters.in_progress.dec()
                operation, method = scope["state"].get(OPERATION), counters.method_of(scope["method"])
                counters.answered(operation, method, status, perf_counter() - started)
                if tracing.on():
                    span.tell(
                        f"{method} {operation or counters.NO_OPERATION}",
                        **{"http.request.method": method, "http.response.status_code": status},
                        **{"http.route": operation},
                        **about.noted(),
                    )
