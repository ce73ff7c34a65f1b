"""Idempotency keys: a request with a key is executed once, however often it is sent."""

import json

from adapters.identity.credentials import VISITOR
from adapters.identity.idempotency import LONGEST_KEY, IdempotencyKeys, ReplayedAnswer, is_secret
from entrypoints.http.operations import Answer, Call
from entrypoints.http.problems import Problem
from entrypoints.presentation.responses import encode


class Idempotency:
    """Answers calls of operations with an idempotency key: a repeated request gets the first answer."""

    def __init__(self, keys: IdempotencyKeys) -> None:
        self._keys = keys

    def __call__(self, call: Call) -> Answer:
        key = call.headers.get("idempotency-key")
        if key is None or not call.operation.idempotency_key:
            return call.operation.answer(call)
        if not 1 <= len(key) <= LONGEST_KEY:
            raise Problem("malformed", f"An Idempotency-Key has 1 to {LONGEST_KEY} characters.")
        path = f"{call.operation.method} {call.operation.path.format(**call.path_params)}"
        caller_path_key = (_caller(call), path[:500], key)
        new_or_replayed = self._keys.begin(*caller_path_key, call.body_digest)
        if isinstance(new_or_replayed, ReplayedAnswer):
            return self._replayed(call, key, new_or_replayed)
        call.seed = new_or_replayed.seed
        is_stored = False
        try:
            with self._keys.hold_lease(*caller_path_key):
                answer = call.operation.answer(call)
                if answer.status < 400:
                    body = None if answer.body is None else encode(answer.body).decode()
                    stored = encode([answer.status, answer.headers, body])
                    self._keys.store_answer(*caller_path_key, stored, call.answer_ticket_id)
                    is_stored = True
                return answer
        finally:
            if not is_stored:
                self._keys.release(*caller_path_key)

    def _replayed(self, call: Call, key: str, replayed: ReplayedAnswer) -> Answer:
        status, headers, text = json.loads(replayed.answer)
        secret = call.operation.shown_once
        if call.principal is VISITOR and not _may_see_secret(call, key, replayed):
            # A cookie signs in to what the answer is about.
            headers.pop("Set-Cookie", None)
            if secret is not None:
                text = encode(json.loads(text) | {secret: None}).decode()
        return Answer(text and text.encode(), status, headers | {"Idempotency-Replayed": "true"})


def _may_see_secret(call: Call, key: str, replayed: ReplayedAnswer) -> bool:
    """Return True if a visitor who repeats a request is the one who sent it first.

    Another visitor may have the same address. Only a key that cannot be guessed is a proof, and only until somebody
    used the ticket: the caller has received the secret and needs no second copy.
    """
    row = None if replayed.ticket_id is None else call.ticket_rows.newest(replayed.ticket_id)
    return is_secret(key) and (row is None or row["version"] == call.operation.opened_version)


def _caller(call: Call) -> str:
    return f"{call.principal.name}@{call.client_address}" if call.principal is VISITOR else call.principal.name
