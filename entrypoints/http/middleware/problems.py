"""Errors become problem responses (RFC 9457); unexpected ones are logged by their place and never shown."""

from __future__ import annotations

from urllib.parse import quote

import structlog
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from adapters.observability.log_context import error_location
from domain.errors import DomainError
from entrypoints.http.middleware.headers import logged_id_of, request_id_of
from entrypoints.http.problems import Problem, of

LONGEST_SHOWN_PATH = 500

logger = structlog.get_logger()


class ProblemResponses:
    """ASGI middleware: answers every exception, unless a part of the response was sent already."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = False

        async def observed_send(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self._app(scope, receive, observed_send)
        except Exception as error:
            if started or scope["type"] != "http":
                raise
            await _response(error, Request(scope))(scope, receive, send)


def _response(error: Exception, request: Request) -> Response:
    if isinstance(error, ClientDisconnect):
        return Response(status_code=400)
    if isinstance(error, Problem):
        problem = error
    elif isinstance(error, DomainError):
        problem = of(error)
    else:
        problem = Problem("internal", "An unexpected error occurred. It was logged under this request id.")
    if problem.kind.status == 500:
        logger.error(
            "request failed",
            request_id=logged_id_of(request.scope),
            error=type(error).__name__,
            where=error_location(error),
        )
    path = quote(request.scope["path"][:LONGEST_SHOWN_PATH], safe="/:@!$&'()*+,;=~")
    return problem.response(path, request_id_of(request.scope))
