"""What is common to all operations: request ids, credentials, bodies, idempotency, and errors as problems."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import AsyncIterator, Sequence
from typing import TYPE_CHECKING
from urllib.parse import quote

import structlog
from starlette.datastructures import QueryParams
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from adapters import ids
from adapters.identity.credentials import VISITOR, Principal, ReadTicket
from adapters.observability import log_context
from adapters.observability.log_context import error_location
from adapters.payments.webhooks import InvalidWebhook
from domain.errors import DomainError
from domain.values import Role
from entrypoints.http import bodies, uploads
from entrypoints.http.middleware import idempotency
from entrypoints.http.middleware.audit import AuditTrail
from entrypoints.http.middleware.headers import logged_id_of, request_id_of
from entrypoints.http.middleware.rate_limits import Proxies, RateLimits
from entrypoints.http.middleware.request_metrics import OPERATION
from entrypoints.http.operations import Access, Answer, Call, Limit, Operation, Received, Stream, Takes
from entrypoints.http.problems import Problem, of
from entrypoints.http.threads import Threads
from entrypoints.presentation.responses import encode
from projections import contact_index, ticket_status
from projections.model import Row

if TYPE_CHECKING:
    from entrypoints.composition.service import Service

logger = structlog.get_logger()

# What is far over the limit is more often a mistake than an attack, and deserves to hear so.
DRAINED = 8

_NO_QUERY = QueryParams()
_NO_BODY = hashlib.sha256(b"").hexdigest()
# No charset but UTF-8; other parameters mean nothing here.
_JSON = re.compile(
    r"application/(?:[\w.+\-]+\+)?json(?:\s*;\s*(?:charset=\"?utf-?8\"?|(?!charset)[\w\-]+=[^;]*))*\s*;?\s*",
    re.IGNORECASE,
)


class Endpoint:
    """One path with its operations by method, as an ASGI application: whatever comes is answered."""

    def __init__(
        self,
        service: Service,
        operations: Sequence[Operation],
        limits: RateLimits,
        proxies: Proxies,
        threads: Threads,
    ) -> None:
        self._service = service
        self._limits = limits
        self._proxies = proxies
        self._threads = threads
        self._witness = AuditTrail(service)
        self._operations = {operation.method: operation for operation in operations}
        self._path = operations[0].path

    @property
    def allow(self) -> str:
        methods = {*self._operations, "OPTIONS"} | ({"HEAD"} if "GET" in self._operations else set())
        return ", ".join(sorted(methods))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        response = await self._respond(Request(scope, receive))
        await response(scope, receive, send)

    async def _respond(self, request: Request) -> Response:
        # For what we keep; the answer carries the client's own.
        request_id = logged_id_of(request.scope)
        request.scope["state"][OPERATION] = self._path
        operation = self._operations.get("GET" if request.method == "HEAD" else request.method)
        try:
            if request.method == "OPTIONS":
                response = Response(status_code=204, headers={"Allow": self.allow})
            elif operation is None:
                await self._limits.count_refused(self._proxies.client(request))
                raise Problem("method-not-allowed", "The path has no such method.", headers={"Allow": self.allow})
            else:
                response = await self._answer(operation, request, request_id)
        except ClientDisconnect:
            response = Response(status_code=400)
        except Exception as error:
            response = refusal(error, request)
        return response

    async def _answer(self, operation: Operation, request: Request, request_id: str) -> Response:
        if operation.takes is Takes.SIGNED:
            return _response(await self._signed(operation, request, request_id))
        if operation.asks_nobody:
            return _response(await operation.told(self._call(VISITOR, request, request_id)))
        if operation.takes is Takes.NOTHING:
            return _response(await self._threads.run(self._asked, operation, request, request_id))
        call = await self._threads.run(self._admitted, operation, request, request_id)
        try:
            digest = await _take_body(call, operation, request)
            answer = await self._threads.run(self._handled, call, operation, digest)
        finally:
            if call.upload is not None:
                call.upload.file.close()
        return _response(answer)

    async def _signed(self, operation: Operation, request: Request, request_id: str) -> Answer:
        """Stripe's door opens by the signature alone: nothing is asked of anybody before."""
        call = self._call(VISITOR, request, request_id)
        call.raw = await _bounded(request.stream())
        try:
            return await operation.told(call)
        except InvalidWebhook:
            # What is properly signed is never limited, what is not always.
            await self._threads.run(self._limits.count, Limit.DEFAULT, VISITOR, call.client)
            raise

    def _call(self, principal: Principal, request: Request, request_id: str) -> Call:
        return Call(
            self._service,
            principal,
            request_id,
            self._proxies.client(request),
            request.scope["path"],
            request.path_params,
            request.query_params if request.scope["query_string"] else _NO_QUERY,
            request.headers,
            self._service.reads(writes=request.method not in ("GET", "HEAD")),
        )

    # In a thread.

    def _asked(self, operation: Operation, request: Request, request_id: str) -> Answer:
        """A request without a body, from credential to answer in one go."""
        return self._handled(self._admitted(operation, request, request_id), operation, _NO_BODY)

    def _handled(self, call: Call, operation: Operation, digest: str) -> Answer:
        return self._witness.seen(call, operation, lambda: idempotency.handled(call, operation, digest))

    def _admitted(self, operation: Operation, request: Request, request_id: str) -> Call:
        call = self._call(VISITOR, request, request_id)
        credential = _credential(operation, request)
        try:
            call.principal = _principal(call, operation, credential)
        except Problem as denial:
            # Guessing credentials is limited by where it comes from, and so is what it leaves on record.
            self._limits.count(Limit.DEFAULT, VISITOR, call.client)
            self._witness.denied(call, operation, denial, credential)
            raise
        self._limits.count(operation.limit, call.principal, call.client)
        try:
            _admit(call, operation)
        except Problem as denial:
            self._witness.denied(call, operation, denial)
            raise
        if call.ticket is not None:
            log_context.add(ticket=str(call.ticket["ticket_id"]))
        return call


def refusal(error: Exception, request: Request) -> Response:
    """The response that an error is; what we did not foresee is logged by its place and never shown."""
    if isinstance(error, Problem):
        problem = error
    elif isinstance(error, DomainError):
        problem = of(error)
    else:
        problem = Problem("internal", "A fault of ours; it is on record under this request id.")
    request_id = request_id_of(request.scope)
    if problem.kind.status == 500:
        logger.error(
            "request failed",
            request_id=logged_id_of(request.scope),
            error=type(error).__name__,
            where=error_location(error),
        )
    return problem.response(quote(request.scope["path"][:500], safe="/:@!$&'()*+,;=~"), request_id)


# Who calls, and may they.


def _credential(operation: Operation, request: Request) -> str | None:
    """What was sent to say who calls, empty if it is no bearer token; None where nothing was, or nothing counts."""
    header = request.headers.get("authorization")
    if header is None or operation.access.ignores_credentials:
        return None
    scheme, _, credential = header.partition(" ")
    return credential.strip() if scheme.lower() == "bearer" else ""


def _principal(call: Call, operation: Operation, credential: str | None) -> Principal:
    """Who the credential says it is; a credential that is sent counts on open calls too."""
    if credential is None:
        return VISITOR
    if operation.access.diagnostics and _is_diagnostics_token(call.service, credential):
        return Principal(Role.ADMIN)
    principal = call.service.credentials.principal(credential, _reader(call, operation))
    if principal is None:
        raise _unauthenticated()
    return principal


def _reader(call: Call, operation: Operation) -> ReadTicket:
    """How to read the path's ticket: with what is shown besides, unless that is read elsewhere."""
    return operation.reads if call.reads.replica is None else ticket_status.ticket


def _is_diagnostics_token(service: Service, credential: str) -> bool:
    token = service.settings.admin_diagnostics_token
    return token is not None and hmac.compare_digest(credential.encode(), token.encode())


def _unauthenticated() -> Problem:
    return Problem("unauthenticated", "A valid credential is needed.", headers={"WWW-Authenticate": "Bearer"})


def _admit(call: Call, operation: Operation) -> None:
    """Let the caller in, with the ticket of the path if there is one, or raise the Problem that says why not."""
    access, principal = operation.access, call.principal
    if principal.role is Role.VISITOR and not access.open:
        if access.published and (row := _ticket_row(call, operation)) is not None and row["published"]:
            call.ticket = row
            return
        raise _unauthenticated()
    if principal.role not in access.roles:
        raise Problem("forbidden", "This credential may never do this.")
    if principal.role is Role.CLIENT and access.scope is not None and access.scope not in principal.scopes:
        raise Problem("forbidden", f"This key lacks the scope {access.scope}.")
    if access.ticket:
        row = _ticket_row(call, operation)
        if not _lets_in(call, access, row):
            row = _newer(call, row)
            if row is None or not _lets_in(call, access, row):
                raise Problem("not-found", "There is no such ticket.")
        call.ticket = row


def _lets_in(call: Call, access: Access, row: Row | None) -> bool:
    # Asked of the absent too, so that time tells nobody which it is.
    may_know = _may_know(call, row)
    return row is not None and (may_know or (access.published and bool(row["published"])))


def _ticket_row(call: Call, operation: Operation) -> Row | None:
    ticket = ids.parse(call.path["ticket_id"])
    if ticket is None:
        return None
    if call.principal.ticket == ticket:
        return call.principal.ticket_row
    with call.service.database.reading() as cursor:
        row = _reader(call, operation)(cursor, ticket)
    return call.service.fresh.ticket_as_answered(ticket, row)


def _newer(call: Call, row: Row | None) -> Row | None:
    """The ticket where it has changed since the read model saw it: what was answered is so all the same."""
    ticket = ids.parse(call.path["ticket_id"])
    newer = None if ticket is None else call.service.fresh.ticket(ticket, row)
    return None if newer is row else newer


def _may_know(call: Call, row: Row | None) -> bool:
    principal = call.principal
    match principal.role:
        case Role.ADMIN | Role.AUDITOR:
            return True
        case Role.HOLDER if principal.session is not None:
            with call.service.database.reading() as cursor:
                own = contact_index.is_of(cursor, ids.parse(call.path["ticket_id"]), list(principal.contact_indexes))
            return own and row is not None and not row["erased"]
        case Role.HOLDER:
            return row is not None and principal.ticket == row["ticket_id"] and not row["erased"]
        case Role.CLIENT:
            return row is not None and principal.workspace == row["workspace"] and not row["erased"]
        case _:
            return False


# What the request carries.


async def _take_body(call: Call, operation: Operation, request: Request) -> str:
    """Read and check the body; its digest, to know the same request by."""
    content_type = request.headers.get("content-type")
    match operation.takes:
        case Takes.AUDIO:
            received: Received = await uploads.receive(
                content_type, request.headers.get("content-length"), request.stream()
            )
            call.upload = received
            return received.sha256
        case Takes.JSON | Takes.MERGE_PATCH:
            call.raw = await _bounded(request.stream())
            _check_plain(request)
            if call.raw.strip() and not _JSON.fullmatch(content_type or ""):
                raise Problem("unsupported-media-type", "Send application/json in UTF-8.")
            assert operation.body is not None
            call.body = bodies.read(operation.body, call.raw)
            return hashlib.sha256(call.raw).hexdigest()
        case Takes.FORM:
            if not (content_type or "").lower().startswith("application/x-www-form-urlencoded"):
                raise Problem("unsupported-media-type", "Send application/x-www-form-urlencoded.")
            call.raw = await _bounded(request.stream())
            _check_plain(request)
            return hashlib.sha256(call.raw).hexdigest()
        case Takes.NOTHING | Takes.SIGNED:
            return _NO_BODY


def _check_plain(request: Request) -> None:
    """Nothing is unpacked here: a little that was packed could be very much."""
    if request.headers.get("content-encoding", "identity").strip().lower() != "identity":
        raise Problem("unsupported-media-type", "Send the body as it is, without a Content-Encoding.")


async def _bounded(chunks: AsyncIterator[bytes]) -> bytes:
    data = bytearray()
    async for chunk in chunks:
        data += chunk
        if len(data) > bodies.MOST_JSON_BYTES:
            data.clear()
            most = bodies.MOST_JSON_BYTES
            raise await uploads.too_large(chunks, f"A body may have at most {most // 1024} KB.", DRAINED * most)
    return bytes(data)


# The answer.


def _response(answer: Answer) -> Response:
    body = answer.body
    if body is None:
        return Response(status_code=answer.status, headers=answer.headers)
    if isinstance(body, Stream):
        return StreamingResponse(body, answer.status, answer.headers, answer.media_type)
    content = body if isinstance(body, bytes) else encode(body)
    return Response(content, answer.status, answer.headers, answer.media_type)
