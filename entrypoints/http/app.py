"""The ASGI application: one route a path, made from the table of operations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from domain.errors import UnavailableError
from entrypoints.http.dispatch import Endpoint, refusal
from entrypoints.http.envelope import Envelope
from entrypoints.http.limits import Proxies, RateLimits
from entrypoints.http.openapi import document
from entrypoints.http.paths import Paths
from entrypoints.http.problems import Problem
from entrypoints.http.table import OPERATIONS
from entrypoints.http.watching import Watched

if TYPE_CHECKING:
    from entrypoints.bootstrap import Service


def application(service: Service, more: list[BaseRoute]) -> ASGIApp:
    """The whole service over HTTP; `more` are routes that stand beside the table, like the sandbox's."""
    settings = service.settings
    service.openapi = document(OPERATIONS, service.version, service.public_url)
    limits, proxies = RateLimits(settings), Proxies(settings.trusted_proxies)
    paths: dict[str, list[Any]] = {}
    for operation in OPERATIONS:
        paths.setdefault(operation.path, []).append(operation)
    endpoints = {path: Endpoint(service, operations, limits, proxies) for path, operations in paths.items()}
    others = Starlette(routes=more, exception_handlers={HTTPException: _http_error, Exception: _any_error})
    # A path with a slash too many is another path, and a redirect would believe the Host header.
    others.router.redirect_slashes = False
    gate = _Gate(service, Paths(endpoints, others))
    return Envelope(Watched(gate), settings.cors_origins, lambda: service.finishing)


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


async def _http_error(request: Request, error: Exception) -> Response:
    """What Starlette itself refuses: unknown paths, and methods of routes beside the table."""
    status = error.status_code if isinstance(error, HTTPException) else 500
    headers = dict(getattr(error, "headers", None) or {})
    if status == 405:
        return refusal(Problem("method-not-allowed", "The path has no such method.", headers=headers), request)
    if status == 413:
        return refusal(Problem("too-large", "The body is too large."), request)
    if status == 400:
        return refusal(Problem("malformed", "The request cannot be read."), request)
    return refusal(Problem("not-found", "There is nothing at this path."), request)


async def _any_error(request: Request, error: Exception) -> Response:
    return refusal(error, request)
