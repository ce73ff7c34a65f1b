"""The ASGI application: the routes of the operation table, behind the middleware in its order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.routing import BaseRoute, Route, Router
from starlette.types import ASGIApp

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
from entrypoints.http.middleware.proxy_headers import proxy_headers
from entrypoints.http.middleware.rate_limits import RateLimits, client_address
from entrypoints.http.middleware.request_metrics import RequestMetrics
from entrypoints.http.openapi import document
from entrypoints.http.operations import Call, Operation, bind
from entrypoints.http.pages import PAGES
from entrypoints.http.table import OPERATIONS
from entrypoints.http.threads import Threads
from projections import ticket_status

if TYPE_CHECKING:
    from entrypoints.composition.service import Service


# Starlette tries the routes in order, about 2 µs each; the reads that clients repeat come first.
POLLED = ("/api/tickets/{ticket_id}/status", "/api/tickets/{ticket_id}/donations/total")
NO_QUERY = QueryParams()


def application(service: Service, more: list[BaseRoute], operations: Sequence[Operation] = OPERATIONS) -> ASGIApp:
    """Build the application for the operations; `more` are routes beside the table, like the sandbox's."""
    settings = service.settings
    service.describe = Lazy(lambda: document(operations, service.version, service.public_url))
    limits, audit = RateLimits(settings), AuditTrail(service.access.log, service.access.credentials)
    service.loads[:0] = [limits.load]
    if operations is OPERATIONS:
        service.loads += [PAGES.load, service.describe]

    # Every request passes these, in this order.
    middleware: list[Callable[[ASGIApp], ASGIApp]] = [
        lambda app: proxy_headers(app, settings.trusted_proxies),
        lambda app: ResponseHeaders(
            app, settings.cors_origins, lambda: service.finishing, https=service.public_url.startswith("https:")
        ),
        RequestMetrics,
        lambda app: ProblemResponses(app, limits),
        lambda app: DatabaseGate(app, service.database),
    ]
    # Then every call of an operation passes these, in this order: first the checks, then the body is read, then the
    # wrappers around the handler.
    checks: list[Check] = [
        audit.denied_writes,
        Authentication(service.access.credentials, settings.admin_diagnostics_token, limits),
        limits,
        Authorization(service.database),
    ]
    wrappers: list[Wrapper] = [audit.acts, Idempotency(service.access.idempotency)]

    def new_call(operation: Operation, request: Request) -> Call:
        reads = service.queries.reads(writes=operation.method != "GET")
        # With a replica the handler reads there what the answer shows.
        ticket_query = operation.ticket_query if reads.replica is None else ticket_status.ticket
        return Call(
            operation=operation,
            request_id=logged_id_of(request.scope),
            client=client_address(request),
            url_path=request.scope["path"],
            path=request.path_params,
            query=request.query_params if request.scope["query_string"] else NO_QUERY,
            headers=request.headers,
            reads=reads,
            ticket_rows=TicketRows(service.history.fresh, ticket_query),
        )

    threads = Threads()
    operations_by_path: dict[str, list[Operation]] = {}
    for operation in bind(operations, handlers(service)):
        operations_by_path.setdefault(operation.path, []).append(operation)
    routes = [
        Route(path, Endpoint(operations, new_call, limits, threads, checks, wrappers))
        for path, operations in operations_by_path.items()
    ]

    routes.sort(key=lambda route: route.path not in POLLED)
    # A path with an additional slash is another path, and a redirect would trust the Host header.
    app: ASGIApp = Router([*routes, *more], redirect_slashes=False)
    for layer in reversed(middleware):
        app = layer(app)
    return app
