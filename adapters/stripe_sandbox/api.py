"""The part of Stripe's HTTP API that we use: the requests, what they do, and their answers."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from adapters.payments.stripe_objects import StripeDict
from adapters.stripe_sandbox import checkout, refunds
from adapters.stripe_sandbox.refusal import StripeRefusal, missing
from adapters.stripe_sandbox.shapes import API_VERSION, new_id
from adapters.stripe_sandbox.state import SandboxState
from adapters.stripe_sandbox.store import Store

if TYPE_CHECKING:
    from adapters.stripe_sandbox.parameters import ListParams, RefundParams

# The path of each collection, and the kind of its objects.
COLLECTIONS = {
    "checkout/sessions": "checkout.session",
    "payment_intents": "payment_intent",
    "charges": "charge",
    "refunds": "refund",
    "disputes": "dispute",
    "balance_transactions": "balance_transaction",
    "events": "event",
}
_PATH = re.compile(r"/v1/(checkout/sessions|[a-z_]+)(?:/([A-Za-z0-9_]{1,255}))?(?:/([a-z]+))?")


@dataclass(frozen=True)
class Answer:
    """An HTTP answer."""

    status: int
    body: StripeDict
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class _Call:
    method: str
    path: str
    form: str
    key: str | None


class Api:
    """Answers like Stripe, with one transaction for each request."""

    def __init__(self, state: SandboxState, api_key: str, pages: str) -> None:
        self._state = state
        self._authorization = f"Bearer {api_key}".encode()
        self._pages = pages

    def answer(self, method: str, path: str, query: str, body: bytes, headers: dict[str, str]) -> Answer:
        response_headers = {
            "Request-Id": new_id("req_", 14),
            "Stripe-Version": headers.get("stripe-version", API_VERSION)[:64],
        }
        key = headers.get("idempotency-key")
        if key is not None:
            response_headers["Idempotency-Key"] = key
        try:
            self._authorize(headers.get("authorization", ""))
            form = query if method == "GET" else _text(body)
            if key is not None and not 1 <= len(key) <= 255:
                raise StripeRefusal("Idempotency keys may be up to 255 characters.")
            result, is_replayed = self._run_once(_Call(method, path, form, key))
        except StripeRefusal as refusal:
            return Answer(refusal.status, refusal.body(), response_headers)
        replayed = {"Idempotent-Replayed": "true"} if is_replayed else {}
        return Answer(200, result, response_headers | replayed)

    def _authorize(self, authorization: str) -> None:
        if not hmac.compare_digest(authorization.encode(), self._authorization):
            raise StripeRefusal("Invalid API Key provided.", status=401)

    def _run_once(self, call: _Call) -> tuple[StripeDict, bool]:
        """Return the result, and True if it is the stored result of an earlier call with the same key."""
        with self._state.transaction() as store:
            if call.method != "POST" or call.key is None:
                return self._run(store, call), False
            fingerprint = hmac.digest(self._authorization, f"{call.path}\n{call.form}".encode(), hashlib.sha256).hex()
            first_fingerprint = store.reserve(call.key, fingerprint)
            if first_fingerprint is None:
                result = self._run(store, call)
                store.save_answer(call.key, result)
                return result, False
            if first_fingerprint != fingerprint:
                raise StripeRefusal(
                    "Keys for idempotent requests can only be used with the same parameters they were first used with.",
                    type="idempotency_error",
                )
            return store.answer(call.key), True

    def _run(self, store: Store, call: _Call) -> StripeDict:
        from adapters.stripe_sandbox.parameters import ListParams, RefundParams, RetrieveParams, SessionParams, read

        match = _PATH.fullmatch(call.path)
        kind = COLLECTIONS.get(match[1]) if match else None
        if match is None or kind is None:
            raise _unrecognized(call)
        match call.method, kind, match[2], match[3]:
            case "POST", "checkout.session", None, None:
                params = read(SessionParams, call.form)
                session = checkout.open_session(store, params, self._state.clock(), self._pages)
                return _expanded(store, session, params.expand)
            case "POST", "checkout.session", str(id), "expire":
                store.get(kind, id)
                payment = self._state.payment(store, id, call.key)
                checkout.expire(payment)
                return payment.session
            case "POST", "refund", None, None:
                return self._refund(store, read(RefundParams, call.form), call.key)
            case "GET", _, str(id), None:
                return _expanded(store, store.get(kind, id), read(RetrieveParams, call.form).expand)
            case "GET", _, None, None:
                return self._list(store, kind, match[1], read(ListParams, call.form))
            case _:
                raise _unrecognized(call)

    def _refund(self, store: Store, params: RefundParams, key: str | None) -> StripeDict:
        if (params.payment_intent is None) is (params.charge is None):
            raise StripeRefusal("One of the following params should be provided: payment_intent or charge.")
        kind, id = ("charge", params.charge) if params.charge else ("payment_intent", params.payment_intent or "")
        store.get(kind, id)
        payment = self._state.payment(store, id, key)
        refund = refunds.refund(payment, params.amount, None, params.reason, params.metadata)
        return _expanded(store, refund, params.expand)

    def _list(self, store: Store, kind: str, collection: str, params: ListParams) -> StripeDict:
        page = store.page(
            kind,
            limit=params.limit,
            starting_after=params.starting_after,
            created=params.created_bounds(),
            equal=params.filters(),
        )
        if page is None:
            raise missing(kind, params.starting_after or "")
        objects, has_more = page
        paths = [path.removeprefix("data.") for path in params.expand]
        data = [_expanded(store, stripe_object, paths) for stripe_object in objects]
        return {"object": "list", "data": data, "has_more": has_more, "url": f"/v1/{collection}"}


def _text(body: bytes) -> str:
    try:
        return body.decode("ascii")
    except UnicodeDecodeError:
        raise StripeRefusal("The request's parameters cannot be read.") from None


def _unrecognized(call: _Call) -> StripeRefusal:
    return StripeRefusal(f"Unrecognized request URL ({call.method}: {call.path[:200]}).", status=404)


def _expanded(store: Store, body: StripeDict, paths: list[str]) -> StripeDict:
    """Return the object with the ids at these dotted paths replaced by the objects that they name."""
    expanded = json.loads(json.dumps(body))
    for path in paths:
        node: Any = expanded
        for part in path.split("."):
            if not isinstance(node, dict) or part not in node:
                raise StripeRefusal(f"This property cannot be expanded ({path}).", param="expand")
            if isinstance(node[part], str):
                node[part] = store.find_any(node[part]) or node[part]
            node = node[part]
    return dict(expanded)
