"""Idempotency keys: a request that creates something is executed once, however often it is sent."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from adapters.identity.credentials import VISITOR
from adapters.identity.idempotency import LONGEST_KEY, IdempotencyKeys, ReplayedAnswer
from entrypoints.http.operations import Answer, Call
from entrypoints.http.problems import Problem
from entrypoints.presentation.responses import encode

# The caller, the path, and the caller's key.
RequestKey = tuple[str, str, str]


class Idempotency:
    """Call middleware: answers a repeated request with the first answer, for operations that create something."""

    def __init__(self, keys: IdempotencyKeys) -> None:
        self._keys = keys

    def __call__(self, call: Call, proceed: Callable[[Call], Answer]) -> Answer:
        key = call.headers.get("idempotency-key")
        if key is None or not call.operation.creates:
            return proceed(call)
        if not 1 <= len(key) <= LONGEST_KEY:
            raise Problem("malformed", f"An Idempotency-Key has 1 to {LONGEST_KEY} characters.")
        request_key = (_caller(call), f"{call.operation.method} {call.operation.path.format(**call.path)}"[:500], key)
        begun = self._keys.begin(*request_key, call.body_digest)
        if isinstance(begun, ReplayedAnswer):
            return _replayed(begun.answer)
        with self._released_on_failure(request_key), self._keys.hold_lease(*request_key):
            call.seed = begun.seed
            answer = proceed(call)
            if answer.status < 400:
                body = None if answer.body is None else encode(answer.body).decode()
                self._keys.store_answer(*request_key, encode([answer.status, answer.headers, body]), call.about)
            else:
                self._keys.release(*request_key)
        return answer

    @contextmanager
    def _released_on_failure(self, request_key: RequestKey) -> Iterator[None]:
        try:
            yield
        except Exception:
            self._keys.release(*request_key)
            raise


def _replayed(stored: bytes) -> Answer:
    status, headers, body = json.loads(stored)
    return Answer(body and body.encode(), status, headers | {"Idempotency-Replayed": "true"})


def _caller(call: Call) -> str:
    return f"{call.principal.name}@{call.client}" if call.principal is VISITOR else call.principal.name
