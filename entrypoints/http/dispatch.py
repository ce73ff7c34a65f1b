"""What is common to all operations: request ids, credentials, bodies, idempotency, and errors as problems."""

from __future__ import annotations

import hashlib
import json
import re
import secrets
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from uuid import UUID

import msgspec
import structlog
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response, StreamingResponse

from adapters.access import VISITOR, Principal
from adapters.idempotency import LONGEST_KEY, Answered, Begun
from adapters.jobs import where
from domain.errors import DomainError
from domain.values import Role
from entrypoints.http import bodies, uploads
from entrypoints.http.operations import Answer, Call, Operation, Received, Takes
from entrypoints.http.problems import Problem, of
from projections import ticket_status
from projections.model import Row

if TYPE_CHECKING:
    from entrypoints.bootstrap import Service

logger = structlog.get_logger()

_REQUEST_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._\-]{0,127}")

HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
}

_NO_BODY = hashlib.sha256(b"").hexdigest()
_JSON = re.compile(r"application/(?:[\w.+\-]+\+)?json(?:\s*;\s*charset=\"?utf-8\"?)?\s*", re.IGNORECASE)


class Endpoint:
    """One path with its operations by method."""

    def __init__(self, service: Service, operations: Sequence[Operation]) -> None:
        self._service = service
        self._operations = {operation.method: operation for operation in operations}

    @property
    def allow(self) -> str:
        methods = {*self._operations, "OPTIONS"} | ({"HEAD"} if "GET" in self._operations else set())
        return ", ".join(sorted(methods))

    async def __call__(self, request: Request) -> Response:
        started = time.monotonic()
        request_id = request_id_of(request)
        operation = self._operations.get("GET" if request.method == "HEAD" else request.method)
        try:
            if request.method == "OPTIONS":
                response = Response(status_code=204, headers={"Allow": self.allow})
            elif operation is None:
                raise Problem("method-not-allowed", "The path has no such method.", headers={"Allow": self.allow})
            else:
                response = await self._answer(operation, request, request_id)
        except ClientDisconnect:
            response = Response(status_code=400)
        except Exception as error:
            response = refusal(error, request, request_id)
        finish(response, request_id)
        logger.info(
            "request",
            request_id=request_id,
            method=request.method,
            path=operation.path if operation else "?",
            status=response.status_code,
            milliseconds=round((time.monotonic() - started) * 1000, 1),
        )
        return response

    async def _answer(self, operation: Operation, request: Request, request_id: str) -> Response:
        if operation.takes is Takes.NOTHING:
            return _response(await run_in_threadpool(_asked, self._service, operation, request, request_id))
        call = await run_in_threadpool(_admitted, self._service, operation, request, request_id)
        try:
            digest = await _take_body(call, operation, request)
            answer = await run_in_threadpool(_handled, call, operation, digest)
        finally:
            if call.upload is not None:
                call.upload.file.close()
        return _response(answer)


def request_id_of(request: Request) -> str:
    """The client's own id if it is a sane token, otherwise one made here."""
    given = request.headers.get("x-request-id", "")
    if _REQUEST_ID.fullmatch(given):
        return given
    state: Any = request.state
    if not hasattr(state, "request_id"):
        state.request_id = secrets.token_hex(12)
    made: str = state.request_id
    return made


def refusal(error: Exception, request: Request, request_id: str) -> Response:
    """The response that an error is; what we did not foresee is logged by its place and never shown."""
    if isinstance(error, Problem):
        problem = error
    elif isinstance(error, DomainError):
        problem = of(error)
    else:
        problem = Problem("internal", "A fault of ours; it is on record under this request id.")
    if problem.kind.status == 500:
        logger.error("request failed", request_id=request_id, error=type(error).__name__, where=where(error))
    return problem.response(request.url.path[:500], request_id)


def finish(response: Response, request_id: str) -> None:
    response.headers["X-Request-Id"] = request_id
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)


# Who calls, and may they.


def _asked(service: Service, operation: Operation, request: Request, request_id: str) -> Answer:
    """A request without a body, from credential to answer in one go."""
    return _handled(_admitted(service, operation, request, request_id), operation, _NO_BODY)


def _admitted(service: Service, operation: Operation, request: Request, request_id: str) -> Call:
    principal = _principal(service, operation, request)
    client = request.client.host if request.client else ""
    call = Call(
        service,
        principal,
        request_id,
        client,
        request.url.path,
        request.path_params,
        request.query_params,
        request.headers,
    )
    _admit(call, operation)
    return call


def _principal(service: Service, operation: Operation, request: Request) -> Principal:
    """Who the credential says it is; a credential that is sent counts on open calls too."""
    header = request.headers.get("authorization")
    if header is None or operation.access.ignores_credentials:
        return VISITOR
    scheme, _, credential = header.partition(" ")
    principal = service.credentials.principal(credential.strip()) if scheme.lower() == "bearer" else None
    if principal is None:
        raise _unauthenticated()
    return principal


def _unauthenticated() -> Problem:
    return Problem("unauthenticated", "A valid credential is needed.", headers={"WWW-Authenticate": "Bearer"})


def _admit(call: Call, operation: Operation) -> None:
    """Let the caller in, with the ticket of the path if there is one, or raise the Problem that says why not."""
    access, principal = operation.access, call.principal
    if principal.role is Role.VISITOR and not access.open:
        if access.published and (row := _ticket_row(call)) is not None and row["published"]:
            call.ticket = row
            return
        raise _unauthenticated()
    if principal.role not in access.roles:
        raise Problem("forbidden", "This credential may never do this.")
    if principal.role is Role.CLIENT and access.scope is not None and access.scope not in principal.scopes:
        raise Problem("forbidden", f"This key lacks the scope {access.scope}.")
    if access.ticket:
        row = _ticket_row(call)
        if row is None or not (_may_know(principal, row) or (access.published and row["published"])):
            raise Problem("not-found", "There is no such ticket.")
        call.ticket = row


def _ticket_row(call: Call) -> Row | None:
    try:
        ticket = UUID(call.path["ticket_id"])
    except ValueError:
        return None
    with call.service.database.transaction() as cursor:
        return ticket_status.ticket(cursor, ticket)


def _may_know(principal: Principal, row: Row) -> bool:
    match principal.role:
        case Role.ADMIN | Role.AUDITOR:
            return True
        case Role.HOLDER:
            return principal.ticket == row["ticket"] and not row["erased"]
        case Role.CLIENT:
            return principal.workspace == row["workspace"] and not row["erased"]
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
        case Takes.SIGNED:
            call.raw = await _bounded(request.stream())
            return ""
        case Takes.JSON | Takes.MERGE_PATCH:
            call.raw = await _bounded(request.stream())
            if call.raw.strip() and not _JSON.fullmatch(content_type or ""):
                raise Problem("unsupported-media-type", "Send application/json in UTF-8.")
            assert operation.body is not None
            call.body = bodies.read(operation.body, call.raw)
            return hashlib.sha256(call.raw).hexdigest()
        case Takes.FORM:
            if not (content_type or "").lower().startswith("application/x-www-form-urlencoded"):
                raise Problem("unsupported-media-type", "Send application/x-www-form-urlencoded.")
            call.raw = await _bounded(request.stream())
            return hashlib.sha256(call.raw).hexdigest()
        case Takes.NOTHING:
            return _NO_BODY


async def _bounded(chunks: AsyncIterator[bytes]) -> bytes:
    data = bytearray()
    too_large = False
    async for chunk in chunks:
        if len(data) + len(chunk) > bodies.MOST_JSON_BYTES:
            too_large = True
            data.clear()
        if not too_large:
            data += chunk
    if too_large:
        raise Problem("too-large", f"A body may have at most {bodies.MOST_JSON_BYTES // 1024} KB.")
    return bytes(data)


# The handler, once.


def _handled(call: Call, operation: Operation, digest: str) -> Answer:
    key = call.headers.get("idempotency-key")
    if key is None or not operation.creates:
        return operation.handler(call)
    if not 1 <= len(key) <= LONGEST_KEY:
        raise Problem("malformed", f"An Idempotency-Key has 1 to {LONGEST_KEY} characters.")
    keys = call.service.idempotency
    place = (_caller(call), _path(call, operation), key)
    begun = keys.begin(*place, digest)
    if isinstance(begun, Answered):
        return _replayed(begun.answer)
    with _released_on_failure(call, place):
        call.seed = begun.seed if isinstance(begun, Begun) else call.seed
        answer = operation.handler(call)
        kept = [answer.status, answer.headers, encoded(answer.body).decode()]
        keys.finish(*place, encoded(kept))
    return answer


@contextmanager
def _released_on_failure(call: Call, place: tuple[str, str, str]) -> Iterator[None]:
    try:
        yield
    except Exception:
        call.service.idempotency.release(*place)
        raise


def _replayed(stored: bytes) -> Answer:
    status, headers, body = json.loads(stored)
    return Answer(body.encode(), status, headers | {"Idempotency-Replayed": "true"})


def _caller(call: Call) -> str:
    return f"{call.principal.name}@{call.client}" if call.principal is VISITOR else call.principal.name


def _path(call: Call, operation: Operation) -> str:
    return f"{operation.method} {operation.path.format(**call.path)}"[:500]


# Decimals become JSON numbers digit for digit, so that 50.00 stays 50.00 and no float is ever in between.
encoded = msgspec.json.Encoder(decimal_format="number").encode


def _response(answer: Answer) -> Response:
    body = answer.body
    if isinstance(body, bytes):
        return Response(body, answer.status, answer.headers, answer.media_type)
    if isinstance(body, Mapping | list):
        return Response(encoded(body), answer.status, answer.headers, answer.media_type)
    if body is None:
        return Response(status_code=answer.status, headers=answer.headers)
    return StreamingResponse(body, answer.status, answer.headers, answer.media_type)
