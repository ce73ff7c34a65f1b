"""One path of the interface: chooses the operation by method and runs its call middleware and handler."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, TypeVar

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from adapters.identity.credentials import VISITOR
from adapters.payments.webhooks import InvalidWebhook
from entrypoints.http.middleware.rate_limits import RateLimits
from entrypoints.http.middleware.request_body import read_body, read_bounded
from entrypoints.http.middleware.request_metrics import OPERATION
from entrypoints.http.operations import Answer, Call, Limit, Operation, Stream, Takes
from entrypoints.http.threads import Threads
from entrypoints.presentation.responses import encode

T = TypeVar("T")


Next = Callable[[Call], T]
Check = Callable[[Call, Next[None]], None]
Wrapper = Callable[[Call, Next[Answer]], Answer]


class Endpoint:
    """The operations of one path, as an ASGI application.

    The `checks` run in a handler thread before the body is read, the `wrappers` around the handler after it. Both lists
    are in the order in which a call passes them.
    """

    def __init__(
        self,
        operations: Sequence[Operation],
        new_call: Callable[[Operation, Request], Call],
        limits: RateLimits,
        threads: Threads,
        checks: Sequence[Check],
        wrappers: Sequence[Wrapper],
    ) -> None:
        self._operations = {operation.method: operation for operation in operations}
        self._path = operations[0].path
        self._new_call = new_call
        self._limits = limits
        self._threads = threads
        self._check: Callable[[Call], None] = _chained(checks, lambda _: None)
        self._handle: Callable[[Call], Answer] = _chained(wrappers, lambda call: call.operation.answer(call))

    @property
    def allow(self) -> str:
        methods = {*self._operations, "OPTIONS"} | ({"HEAD"} if "GET" in self._operations else set())
        return ", ".join(sorted(methods))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if "\0" in scope["path"]:
            # No text in PostgreSQL can hold it.
            raise HTTPException(404)
        scope["state"][OPERATION] = self._path
        request = Request(scope, receive)
        operation = self._operations.get("GET" if request.method == "HEAD" else request.method)
        if request.method == "OPTIONS":
            response = Response(status_code=204, headers={"Allow": self.allow})
        elif operation is None:
            raise HTTPException(405, headers={"Allow": self.allow})
        else:
            response = _response(await self._answer(self._new_call(operation, request), request))
        await response(scope, receive, send)

    async def _answer(self, call: Call, request: Request) -> Answer:
        if call.operation.takes is Takes.SIGNED:
            return await self._signed(call, request)
        if call.operation.monitoring:
            return await call.operation.answer_on_loop(call)
        if call.operation.takes is Takes.NOTHING:
            return await self._threads.run(self._check_and_handle, call)
        await self._threads.run(self._check, call)
        try:
            await read_body(call, request)
            return await self._threads.run(self._handle, call)
        finally:
            if call.upload is not None:
                call.upload.file.close()

    def _check_and_handle(self, call: Call) -> Answer:
        self._check(call)
        return self._handle(call)

    async def _signed(self, call: Call, request: Request) -> Answer:
        """Answer a webhook, whose signature is its only credential."""
        call.raw = await read_bounded(request.stream())
        try:
            return await call.operation.answer_on_loop(call)
        except InvalidWebhook:
            # Events with a valid signature are not limited.
            await self._threads.run(self._limits.count, Limit.DEFAULT, VISITOR, call.client)
            raise


def _chained(middleware: Sequence[Callable[..., Any]], last: Callable[[Call], T]) -> Callable[[Call], T]:
    """Return `last` inside the middleware, the first of which is the outermost."""
    step = last
    for layer in reversed(middleware):
        step = partial(layer, proceed=step)
    return step


def _response(answer: Answer) -> Response:
    body = answer.body
    if body is None:
        return Response(status_code=answer.status, headers=answer.headers)
    if isinstance(body, Stream):
        return StreamingResponse(body, answer.status, answer.headers, answer.media_type)
    content = body if isinstance(body, bytes) else encode(body)
    return Response(content, answer.status, answer.headers, answer.media_type)
