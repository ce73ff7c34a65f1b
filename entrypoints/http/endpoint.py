"""One path of the interface: chooses the operation by method, and runs its checks and its handler."""

import asyncio
from collections.abc import Callable, Sequence

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from adapters.disk import FreeSpace
from adapters.payments.webhooks import InvalidWebhook
from entrypoints.http.middleware.problems import IS_FOR_BROWSERS
from entrypoints.http.middleware.request_body import read_body, read_bounded
from entrypoints.http.middleware.request_metrics import PATH_TEMPLATE
from entrypoints.http.operations import Answer, BodyKind, Call, EventStream, Operation, Stream
from entrypoints.http.protocol_limits import ENDLESS
from entrypoints.http.threads import Threads
from entrypoints.presentation.responses import encode


class Endpoint:
    """The operations of one path, as an ASGI application.

    `check` and `handle` run in a thread: `check` before the body is read, `handle` after it. Uploads are handled in
    threads of their own. So are calls that read only their ticket, because one query reads several tickets.
    """

    def __init__(
        self,
        operations: Sequence[Operation],
        new_call: Callable[[Operation, Request], Call],
        check: Callable[[Call], None],
        handle: Callable[[Call], Answer],
        require_access: Callable[[Call], None],
        refuse_webhook: Callable[[Call], None],
        threads: Threads,
        read_threads: Threads,
        upload_threads: Threads,
        upload_space: FreeSpace,
    ) -> None:
        self._operations = {operation.method: operation for operation in operations}
        methods = {*self._operations, "OPTIONS"} | ({"HEAD"} if "GET" in self._operations else set())
        self._allow = {"Allow": ", ".join(sorted(methods))}
        self._path = operations[0].path
        self._is_for_browsers = any(operation.is_for_browsers for operation in operations)
        self._new_call = new_call
        self._check = check
        self._handle = handle
        self._require_access = require_access
        self._refuse_webhook = refuse_webhook
        self._threads = threads
        self._read_threads = read_threads
        self._upload_threads = upload_threads
        self._upload_space = upload_space

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        # A text in PostgreSQL cannot contain NUL. An encoded slash separates nothing (RFC 3986, 2.2), but it is decoded
        # here, so that a path would have two spellings.
        if "\0" in scope["path"] or b"%2f" in scope["raw_path"].lower():
            raise HTTPException(404)
        scope["state"][PATH_TEMPLATE] = self._path
        scope["state"][IS_FOR_BROWSERS] = self._is_for_browsers
        request = Request(scope, receive)
        operation = self._operation(request)
        if operation is None and request.method == "OPTIONS":
            response = Response(status_code=204, headers=self._allow)
        elif operation is None:
            raise HTTPException(405, headers=self._allow)
        else:
            answer = await self._answer(self._new_call(operation, request), request)
            if isinstance(answer.body, EventStream) and request.method == "GET":
                with answer.body.open(lambda: self._require_access(self._new_call(operation, request))) as events:
                    stream = StreamingResponse(events, answer.status, answer.headers, answer.media_type)
                    scope["state"][ENDLESS] = True
                    await _send_until_gone(stream, receive, send)
                return
            if request.method == "HEAD" and isinstance(answer.body, Stream):
                # Nothing is read only to be discarded.
                answer.body = Stream(())
            response = _response(answer)
            if operation.method == "OPTIONS":
                response.headers.update(self._allow)
        await response(scope, receive, send)

    def _operation(self, request: Request) -> Operation | None:
        method = request.method
        if method == "POST" and "tus-resumable" in request.headers:
            # For clients and proxies that know neither PATCH nor DELETE.
            method = request.headers.get("x-http-method-override", method).upper()
        return self._operations.get(method) or self._operations.get("GET" if method == "HEAD" else method)

    async def _answer(self, call: Call, request: Request) -> Answer:
        if call.operation.body_kind is BodyKind.WEBHOOK:
            return await self._answer_webhook(call, request)
        if call.operation.monitoring:
            return await call.operation.answer_on_loop(call)
        if call.operation.body_kind is BodyKind.NONE:
            threads = self._threads if call.ticket_rows.expected is None else self._read_threads
            return await threads.run(self._check_and_handle, call)
        await self._threads.run(self._check, call)
        try:
            await read_body(call, request, self._upload_space)
            threads = self._threads if call.upload is None else self._upload_threads
            return await threads.run(self._handle, call)
        finally:
            if call.upload is not None:
                call.upload.close()

    def _check_and_handle(self, call: Call) -> Answer:
        self._check(call)
        return self._handle(call)

    async def _answer_webhook(self, call: Call, request: Request) -> Answer:
        """Answer a webhook. Its credential is the signature; only invalid webhooks count against the rate limit."""
        call.raw_body = await read_bounded(request.stream())
        try:
            return await call.operation.answer_on_loop(call)
        except InvalidWebhook:
            await self._threads.run(self._refuse_webhook, call)
            raise


async def _send_until_gone(stream: StreamingResponse, receive: Receive, send: Send) -> None:
    """Send the stream until its end or until the client has gone, which sending alone would notice only much later."""

    async def gone() -> None:
        while (await receive())["type"] != "http.disconnect":
            pass

    sending, waiting = asyncio.create_task(stream.stream_response(send)), asyncio.create_task(gone())
    try:
        await asyncio.wait((sending, waiting), return_when=asyncio.FIRST_COMPLETED)
    finally:
        sending.cancel()
        waiting.cancel()
        outcome, _ = await asyncio.gather(sending, waiting, return_exceptions=True)
    if isinstance(outcome, Exception):
        raise outcome


def _response(answer: Answer) -> Response:
    body = answer.body
    if body is None:
        return Response(status_code=answer.status, headers=answer.headers)
    if isinstance(body, EventStream):
        return Response(None, answer.status, answer.headers, answer.media_type)
    if isinstance(body, Stream):
        return StreamingResponse(body, answer.status, answer.headers, answer.media_type)
    content = body if isinstance(body, bytes) else encode(body)
    return Response(content, answer.status, answer.headers, answer.media_type)
