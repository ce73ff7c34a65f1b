"""The ASGI application: the routes of the operation table, behind the middleware in its order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.datastructures import QueryParams
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from adapters.lazy import Lazy
from adapters.read_models.read_your_writes import TicketRows
from entrypoints.http.endpoint import Check, Endpoint, Wrapper
from entrypoints.http.handlers import handlers
from entrypoints.http.middleware.audit import AuditTrail
from entrypoints.http.middleware.authentication import Authentication
from entrypoints.http.middleware.authorization import Authorization
from entrypoints.http.middleware.database_gate import DatabaseGate
from entrypoints.http.middleware.headers import ResponseHeaders, logged_id_of
from entrypoints.http.middleware.idempotency import Idempotency
from entrypoints.http.middleware.problems import ProblemResponses
from entrypoints.http.middleware.rate_limits import RateLimits, client_address, proxy_networks
from entrypoints.http.middleware.request_metrics import RequestMetrics
from entrypoints.http.openapi import document
from entrypoints.http.operations import Call, Operation, bind
from entrypoints.http.pages import PAGES
from entrypoints.http.problems import Problem
from entrypoints.http.table import OPERATIONS
from entrypoints.http.threads import Threads

if TYPE_CHECKING:
    from entrypoints.composition.service import Service


NO_QUERY = QueryParams()


def application(service: Service, more: list[BaseRoute], operations: Sequence[Operation] = OPERATIONS) -> Starlette:
    """Build the application for the operations; `more` are routes beside the table, like the sandbox's."""
    settings = service.settings
    service.describe = Lazy(lambda: document(operations, service.version, service.public_url))
    limits, audit = RateLimits(settings), AuditTrail(service.access_log, service.credentials)
    service.loads[:0] = [limits.load]
    if operations is OPERATIONS:
        service.loads += [PAGES.load, service.describe]

    # Every request passes these, in this order.
    middleware = [
        Middleware(ProxyHeadersMiddleware, proxy_networks(settings.trusted_proxies)),
        Middleware(
            ResponseHeaders,
            settings.cors_origins,
            lambda: service.finishing,
            https=service.public_url.startswith("https:"),
        ),
        Middleware(RequestMetrics),
        Middleware(ProblemResponses),
        Middleware(DatabaseGate, service.database),
    ]
    if not settings.trusted_proxies:
        del middleware[0]
    # Then every call of an operation passes these, in this order: first the checks, then the body is read, then the
    # wrappers around the handler.
    checks: list[Check] = [
        audit.denied_writes,
        Authentication(service.credentials, settings.admin_diagnostics_token, limits),
        limits,
        Authorization(service.database),
    ]
    wrappers: list[Wrapper] = [audit.acts, Idempotency(service.idempotency)]

    def new_call(operation: Operation, request: Request) -> Call:
        return Call(
            service=service,
            operation=operation,
            request_id=logged_id_of(request.scope),
            client=client_address(request),
            url_path=request.scope["path"],
            path=request.path_params,
            query=request.query_params if request.scope["query_string"] else NO_QUERY,
            headers=request.headers,
            reads=service.reads(writes=operation.method != "GET"),
            ticket_rows=TicketRows(service.fresh),
        )

    threads = Threads()
    operations_by_path: dict[str, list[Operation]] = {}
    for operation in bind(operations, handlers(service)):
        operations_by_path.setdefault(operation.path, []).append(operation)
    routes = [
        Route(path, Endpoint(operations, new_call, limits, threads, checks, wrappers))
        for path, operations in operations_by_path.items()
    ]

    async def routing_problem(request: Request, error: Exception) -> Response:
        """Count a request to an unknown path like any other call, so that searching for paths is limited."""
        await limits.count_refused(client_address(request))
        assert isinstance(error, HTTPException)
        raise _problem(error)

    app = Starlette(routes=[*routes, *more], middleware=middleware, exception_handlers={HTTPException: routing_problem})
    # A path with an additional slash is another path, and a redirect would trust the Host header.
    app.router.redirect_slashes = False
    return app


def _problem(error: HTTPException) -> Problem:
    match error.status_code:
        case 405:
            return Problem("method-not-allowed", "The path has no such method.", headers=dict(error.headers or {}))
        case 413:
            return Problem("too-large", "The body is too large.")
        case 400:
            return Problem("malformed", "The request cannot be read.")
        case _:
            return Problem("not-found", "There is nothing at this path.")
