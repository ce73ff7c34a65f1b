"""The ASGI application: one route a path, made from the table of operations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from adapters.lazy import Lazy
from domain.errors import UnavailableError
from entrypoints.http.dispatch import Endpoint, refusal
from entrypoints.http.handlers import handlers
from entrypoints.http.middleware.headers import ResponseHeaders
from entrypoints.http.middleware.rate_limits import Proxies, RateLimits
from entrypoints.http.middleware.request_metrics import RequestMetrics
from entrypoints.http.openapi import document
from entrypoints.http.operations import Operation, bind
from entrypoints.http.pages import PAGES
from entrypoints.http.paths import Paths
from entrypoints.http.problems import Problem
from entrypoints.http.table import OPERATIONS
from entrypoints.http.threads import Threads

if TYPE_CHECKING:
    from entrypoints.composition.service import Service


def application(service: Service, more: list[BaseRoute], operations: Sequence[Operation] = OPERATIONS) -> ASGIApp:
    """The operations over HTTP; `more` are routes that stand beside the table, like the sandbox's."""
    settings = service.settings
    service.describe = Lazy(lambda: document(operations, service.version, service.public_url))
    limits, proxies, threads = RateLimits(settings), Proxies(settings.trusted_proxies), Threads()
    service.loads[:0] = [limits.load]
    if operations is OPERATIONS:
        service.loads += [PAGES.load, service.describe]
    paths: dict[str, list[Any]] = {}
    for operation in bind(operations, handlers(service)):
        paths.setdefault(operation.path, []).append(operation)
    endpoints = {path: Endpoint(service, operations, limits, proxies, threads) for path, operations in paths.items()}
    elsewhere = _Elsewhere(limits, proxies)
    others = Starlette(routes=more, exception_handlers={HTTPException: elsewhere.refused, Exception: _any_error})
    # A path with a slash too many is another path, and a redirect would believe the Host header.
    others.router.redirect_slashes = False
    gate = _Gate(service, Paths(endpoints, others))
    https = service.public_url.startswith("https:")
    return ResponseHeaders(RequestMetrics(gate), settings.cors_origins, lambda: service.finishing, https=https)


class _Gate:
    """While the database is away nobody waits for it: but for health and metrics all are told to come back."""

    _ANSWERED = ("/health/", "/metrics")

    def __init__(self, service: Service, app: ASGIApp) -> None:
        self._database = service.database
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._database.available or scope["type"] != "http" or scope["path"].startswith(self._ANSWERED):
            await self._app(scope, receive, send)
        else:
            error = UnavailableError("The database is not available.")
            await refusal(error, Request(scope))(scope, receive, send)


class _Elsewhere:
    """What Starlette itself refuses: unknown paths, and methods of routes beside the table.

    It counts like any other call, so that nobody looks for doors faster than others go through them.
    """

    def __init__(self, limits: RateLimits, proxies: Proxies) -> None:
        self._limits = limits
        self._proxies = proxies

    async def refused(self, request: Request, error: Exception) -> Response:
        problem = _problem(error)
        try:
            await self._limits.count_refused(self._proxies.client(request))
        except Problem as too_many:
            problem = too_many
        return refusal(problem, request)


def _problem(error: Exception) -> Problem:
    status = error.status_code if isinstance(error, HTTPException) else 500
    if status == 405:
        headers = dict(getattr(error, "headers", None) or {})
        return Problem("method-not-allowed", "The path has no such method.", headers=headers)
    if status == 413:
        return Problem("too-large", "The body is too large.")
    if status == 400:
        return Problem("malformed", "The request cannot be read.")
    return Problem("not-found", "There is nothing at this path.")


async def _any_error(request: Request, error: Exception) -> Response:
    return refusal(error, request)
