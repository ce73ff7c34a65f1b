"""Errors become problem responses (RFC 9457). The location of an unexpected error is logged and never sent."""

from urllib.parse import quote

import structlog
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from adapters.observability.log_context import error_location
from entrypoints.http.middleware.headers import logged_id_of, request_id_of, response_headers_of, status_of
from entrypoints.http.middleware.rate_limits import RateLimiter, client_address
from entrypoints.http.pages import prefers_page, problem_page
from entrypoints.http.problems import Problem, problem_of

LONGEST_SHOWN_PATH = 500
# The key under which an endpoint notes in the request's state that people open its path in a browser.
IS_FOR_BROWSERS = "is_for_browsers"

logger = structlog.get_logger()


class ProblemResponses:
    """ASGI middleware: answers an exception with its problem, unless a part of the response was sent already.

    Requests to unknown paths and methods count against the client's rate limit, so that nobody can try many paths.
    """

    def __init__(self, app: ASGIApp, rate_limiter: RateLimiter) -> None:
        self._app = app
        self._rate_limiter = rate_limiter

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        # With an application in the scope Starlette raises HTTPException instead of answering in plain text.
        scope["app"] = self
        try:
            await self._app(scope, receive, send)
        except Exception as error:
            if status_of(scope) is not None:
                raise
            request = Request(scope)
            if isinstance(error, HTTPException):
                error = await self._routing_problem(request, error)
            await _response(error, request)(scope, receive, send)

    async def _routing_problem(self, request: Request, error: HTTPException) -> Problem:
        try:
            await self._rate_limiter.count_unrouted(client_address(request), response_headers_of(request.scope))
        except Problem as too_many_requests:
            return too_many_requests
        # People mistype addresses of pages; programs do not ask for pages.
        request.scope["state"].setdefault(IS_FOR_BROWSERS, True)
        if error.status_code == 405:
            headers = dict(error.headers or {})
            return Problem("method-not-allowed", "The path does not support this method.", headers=headers)
        return Problem("not-found", "There is nothing at this path.")


def _response(error: Exception, request: Request) -> Response:
    if isinstance(error, ClientDisconnect):
        return Response(status_code=400)
    problem = problem_of(error)
    if problem.status == 500:
        logger.error(
            "request failed",
            request_id=logged_id_of(request.scope),
            error=type(error).__name__,
            where=error_location(error),
        )
    path = quote(request.scope["path"][:LONGEST_SHOWN_PATH], safe="/:@!$&'()*+,;=~")
    if request.scope["state"].get(IS_FOR_BROWSERS) and prefers_page(request.headers):
        return problem_page(problem, request_id_of(request.scope), request.method, path, request.headers)
    return problem.response(path, request_id_of(request.scope))
