"""Idempotency keys: a request that creates something is carried out once, however often it is sent."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager

from adapters.identity.credentials import VISITOR
from adapters.identity.idempotency import LONGEST_KEY, ReplayedAnswer
from entrypoints.http.operations import Answer, Call, Operation
from entrypoints.http.problems import Problem
from entrypoints.presentation.responses import encode

Place = tuple[str, str, str]


def handled(call: Call, operation: Operation, digest: str) -> Answer:
    """The handler's answer, or the first one to a request with the same key."""
    key = call.headers.get("idempotency-key")
    if key is None or not operation.creates:
        return operation.answer(call)
    if not 1 <= len(key) <= LONGEST_KEY:
        raise Problem("malformed", f"An Idempotency-Key has 1 to {LONGEST_KEY} characters.")
    keys = call.service.idempotency
    place = (_caller(call), f"{operation.method} {operation.path.format(**call.path)}"[:500], key)
    begun = keys.begin(*place, digest)
    if isinstance(begun, ReplayedAnswer):
        return _replayed(begun.answer)
    with _released_on_failure(call, place), keys.hold_lease(*place):
        call.seed = begun.seed
        answer = operation.answer(call)
        if answer.status < 400:
            body = None if answer.body is None else encode(answer.body).decode()
            keys.store_answer(*place, encode([answer.status, answer.headers, body]), call.about)
        else:
            keys.release(*place)
    return answer


@contextmanager
def _released_on_failure(call: Call, place: Place) -> Iterator[None]:
    try:
        yield
    except Exception:
        call.service.idempotency.release(*place)
        raise


def _replayed(stored: bytes) -> Answer:
    status, headers, body = json.loads(stored)
    return Answer(body and body.encode(), status, headers | {"Idempotency-Replayed": "true"})


def _caller(call: Call) -> str:
    return f"{call.principal.name}@{call.client}" if call.principal is VISITOR else call.principal.name
