"""The ASGI application: the paths of the operation table, behind the middleware in the order that requests pass it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.routing import BaseRoute
from starlette.types import ASGIApp

from adapters import ids
from adapters.identity.credentials import VISITOR
from adapters.lazy import Lazy
from adapters.mail.limits import requested_from
from adapters.read_models.read_your_writes import TicketRows
from domain.errors import NotFoundError
from entrypoints.http.endpoint import Endpoint
from entrypoints.http.handlers import handlers
from entrypoints.http.handlers.quotas import address_of_person
from entrypoints.http.intake import Intake
from entrypoints.http.middleware.audit import AuditTrail
from entrypoints.http.middleware.authentication import Authentication, ticket_of
from entrypoints.http.middleware.authorization import Authorization
from entrypoints.http.middleware.database_gate import DatabaseGate
from entrypoints.http.middleware.headers import ResponseHeaders, logged_id_of, response_headers_of
from entrypoints.http.middleware.idempotency import Idempotency
from entrypoints.http.middleware.misuse import MisuseWatch
from entrypoints.http.middleware.problems import ProblemResponses
from entrypoints.http.middleware.proxy_headers import proxy_headers
from entrypoints.http.middleware.rate_limits import RateLimiter, client_address
from entrypoints.http.middleware.request_metrics import RequestMetrics
from entrypoints.http.openapi import document
from entrypoints.http.operations import Answer, Call, Operation, RateLimit, bind
from entrypoints.http.pages import PAGES
from entrypoints.http.problems import Problem
from entrypoints.http.query import refuse_unknown_parameters
from entrypoints.http.routing import PathRouter
from entrypoints.http.table import OPERATIONS
from entrypoints.http.threads import READ_THREADS, UPLOAD_THREADS, Threads
from projections import ticket_status

if TYPE_CHECKING:
    from entrypoints.composition.service import Service


NO_QUERY = QueryParams()


def application(
    service: Service, other_routes: list[BaseRoute], operations: Sequence[Operation] = OPERATIONS
) -> ASGIApp:
    """Build the application with a route for each path of the operations and the other routes."""
    settings = service.settings
    openapi_document = Lazy(lambda: document(operations, service.version, service.public_url))
    rate_limiter = RateLimiter(settings)
    # These are loaded after the start. A process that serves only the monitoring operations needs no pages.
    service.loads.insert(0, rate_limiter.load)
    if operations is OPERATIONS:
        service.loads += [PAGES.load, openapi_document]

    # Every request passes these, in this order.
    middleware: list[Callable[[ASGIApp], ASGIApp]] = [
        lambda app: proxy_headers(app, settings.trusted_proxies),
        lambda app: ResponseHeaders(
            app, settings.cors_origins, lambda: service.finishing, https=service.public_url.startswith("https:")
        ),
        RequestMetrics,
        lambda app: ProblemResponses(app, rate_limiter),
        lambda app: DatabaseGate(app, service.database),
    ]

    audit = AuditTrail(service.access.log, service.access.credentials, service.queries.workspace_exists)
    misuse = MisuseWatch(service.access.security_events)
    authenticate = Authentication(
        service.access.credentials,
        settings.admin_diagnostics_token,
        rate_limiter,
        https=service.public_url.startswith("https:"),
    )
    authorize = Authorization(service.database, Intake(service.database, settings.intake == "open"))
    answer_once = Idempotency(service.access.idempotency)

    def check(call: Call) -> None:
        try:
            authenticate(call)
            rate_limiter(call)
            authorize(call)
        except Problem as problem:
            audit.log_denied_write(call, problem)
            misuse.note_refusal(call, problem)
            raise
        refuse_unknown_parameters(call)

    def refuse_webhook(call: Call) -> None:
        rate_limiter.count(RateLimit.DEFAULT, VISITOR, call.client_address, call.response_headers)
        misuse.note_invalid_webhook(call)

    def require_access(call: Call) -> None:
        """Raise a Problem if the caller of a request that is being answered has lost access meanwhile."""
        authenticate(call)
        authorize(call)

    def handle(call: Call) -> Answer:
        try:
            with requested_from(address_of_person(call)):
                answer = audit.answer(call, lambda: answer_once(call))
        except NotFoundError:
            rate_limiter.note_campaign(call, exists=False)
            raise
        rate_limiter.note_campaign(call, exists=answer.status != 404)
        return answer

    def new_call(operation: Operation, request: Request) -> Call:
        reads = service.queries.reads(writes=operation.method != "GET")
        # The query of an operation may read more than the ticket's row, and it reads from the primary. If there is a
        # replica, only the row is read here, and the handler reads the rest from the replica.
        ticket_query = operation.ticket_query if reads.replica is None else ticket_status.tickets
        # One thread handles the calls whose tickets it has read together one after the other, so none of them may wait
        # for a replica or for the shared store of rate limits.
        reads_only_ticket = (
            operation.reads_only_ticket
            and reads.replica is None
            and rate_limiter.is_local
            and not request.scope["query_string"]
        )
        response_headers = response_headers_of(request.scope)
        response_headers.update(operation.response_headers)
        return Call(
            operation=operation,
            logged_id=logged_id_of(request.scope),
            client_address=client_address(request),
            url_path=request.scope["path"],
            path_params={name: ids.normalized(text) for name, text in request.path_params.items()},
            query=request.query_params if request.scope["query_string"] else NO_QUERY,
            headers=request.headers,
            reads=reads,
            cipher=service.history.cipher,
            ticket_reader=service.history.ticket_reader,
            workspace_exists=service.queries.workspace_exists,
            response_headers=response_headers,
            ticket_rows=TicketRows(
                service.history.ticket_reader, ticket_query, ticket_of(request.headers) if reads_only_ticket else None
            ),
        )

    threads, upload_threads = Threads(), Threads(UPLOAD_THREADS, max_calls=UPLOAD_THREADS)
    read_threads = Threads(
        READ_THREADS, prepare=lambda calls: TicketRows.read_expected(call.ticket_rows for call in calls)
    )
    operations_by_path: dict[str, list[Operation]] = {}
    for operation in bind(operations, handlers(service, openapi_document, {one.path for one in operations})):
        operations_by_path.setdefault(operation.path, []).append(operation)
    endpoints = {
        path: Endpoint(
            path_operations,
            new_call,
            check,
            handle,
            require_access,
            refuse_webhook,
            threads,
            read_threads,
            upload_threads,
            service.content.upload_space,
        )
        for path, path_operations in operations_by_path.items()
    }
    app: ASGIApp = PathRouter(endpoints, other_routes)
    for layer in reversed(middleware):
        app = layer(app)
    return app
