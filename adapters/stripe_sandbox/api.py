"""Stripe's HTTP API as far as we use it: which request reads or does what, and the shape of every answer."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from adapters.stripe_sandbox import checkout, refunds
from adapters.stripe_sandbox.refusal import StripeRefusal, missing
from adapters.stripe_sandbox.shapes import API_VERSION, Shape, new_id

if TYPE_CHECKING:
    from adapters.stripe_sandbox.parameters import ListParams, RefundParams
    from adapters.stripe_sandbox.service import Sandbox
    from adapters.stripe_sandbox.store import Store

# The last part of a collection's path, and the kind of object in it.
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
    """An HTTP answer: a status, a JSON body and headers."""

    status: int
    body: Shape
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class _Call:
    method: str
    path: str
    form: str
    key: str | None


class Api:
    """Answers as Stripe would, in one transaction for each request."""

    def __init__(self, sandbox: Sandbox, api_key: str, pages: str) -> None:
        self._sandbox = sandbox
        self._authorization = f"Bearer {api_key}".encode()
        self._pages = pages

    def answer(self, method: str, path: str, query: str, body: bytes, headers: dict[str, str]) -> Answer:
        marks = {"Request-Id": new_id("req_", 14), "Stripe-Version": headers.get("stripe-version", API_VERSION)[:64]}
        key = headers.get("idempotency-key")
        if key is not None:
            marks["Idempotency-Key"] = key
        try:
            self._authorize(headers.get("authorization", ""))
            form = query if method == "GET" else _text(body)
            if key is not None and not 1 <= len(key) <= 255:
                raise StripeRefusal("Idempotency keys may be up to 255 characters.")
            found, replayed = self._once(_Call(method, path, form, key))
        except StripeRefusal as refusal:
            return Answer(refusal.status, refusal.body(), marks)
        return Answer(200, found, marks | ({"Idempotent-Replayed": "true"} if replayed else {}))

    def _authorize(self, authorization: str) -> None:
        if not hmac.compare_digest(authorization.encode(), self._authorization):
            raise StripeRefusal("Invalid API Key provided.", status=401)

    def _once(self, call: _Call) -> tuple[Shape, bool]:
        """The answer, and whether it is the one given before to the same key."""
        with self._sandbox.transaction() as store:
            if call.method != "POST" or call.key is None:
                return self._do(store, call), False
            fingerprint = hmac.digest(self._authorization, f"{call.path}\n{call.form}".encode(), hashlib.sha256).hex()
            before = store.reserve(call.key, fingerprint)
            if before is None:
                found = self._do(store, call)
                store.remember(call.key, found)
                return found, False
            if before != fingerprint:
                raise StripeRefusal(
                    "Keys for idempotent requests can only be used with the same parameters they were first used with.",
                    type="idempotency_error",
                )
            return store.remembered(call.key), True

    def _do(self, store: Store, call: _Call) -> Shape:
        from adapters.stripe_sandbox.parameters import ListParams, RefundParams, RetrieveParams, SessionParams, read

        match = _PATH.fullmatch(call.path)
        kind = COLLECTIONS.get(match[1]) if match else None
        if match is None or kind is None:
            raise _unrecognized(call)
        match call.method, kind, match[2], match[3]:
            case "POST", "checkout.session", None, None:
                params = read(SessionParams, call.form)
                found = checkout.open_session(store, params, self._sandbox.now(), self._pages)
                return _expanded(store, found, params.expand)
            case "POST", "checkout.session", str(id), "expire":
                self._existing(store, kind, id)
                payment = self._sandbox.payment(store, id, call.key)
                checkout.expire(payment)
                return payment.session
            case "POST", "refund", None, None:
                return self._refund(store, read(RefundParams, call.form), call.key)
            case "GET", _, str(id), None:
                return _expanded(store, self._existing(store, kind, id), read(RetrieveParams, call.form).expand)
            case "GET", _, None, None:
                return self._list(store, kind, match[1], read(ListParams, call.form))
            case _:
                raise _unrecognized(call)

    def _refund(self, store: Store, params: RefundParams, key: str | None) -> Shape:
        if (params.payment_intent is None) is (params.charge is None):
            raise StripeRefusal("One of the following params should be provided: payment_intent or charge.")
        kind, id = ("charge", params.charge) if params.charge else ("payment_intent", params.payment_intent or "")
        self._existing(store, kind, id)
        payment = self._sandbox.payment(store, id, key)
        found = refunds.refund(payment, params.amount, None, params.reason, params.metadata)
        return _expanded(store, found, params.expand)

    def _existing(self, store: Store, kind: str, id: str) -> Shape:
        found = store.find(kind, id)
        if found is None:
            raise missing(kind, id)
        return found

    def _list(self, store: Store, kind: str, collection: str, params: ListParams) -> Shape:
        page = store.page(
            kind,
            limit=params.limit,
            starting_after=params.starting_after,
            created=params.created_bounds(),
            equal=params.filters(),
        )
        if page is None:
            raise missing(kind, params.starting_after or "")
        found, more = page
        paths = [path.removeprefix("data.") for path in params.expand]
        data = [_expanded(store, each, paths) for each in found]
        return {"object": "list", "data": data, "has_more": more, "url": f"/v1/{collection}"}


def _text(body: bytes) -> str:
    try:
        return body.decode("ascii")
    except UnicodeDecodeError:
        raise StripeRefusal("The request's parameters cannot be read.") from None


def _unrecognized(call: _Call) -> StripeRefusal:
    return StripeRefusal(f"Unrecognized request URL ({call.method}: {call.path[:200]}).", status=404)


def _expanded(store: Store, body: Shape, paths: list[str]) -> Shape:
    """The object with the ids at these dotted paths replaced by what they name."""
    whole = json.loads(json.dumps(body))
    for path in paths:
        node: Any = whole
        for part in path.split("."):
            if not isinstance(node, dict) or part not in node:
                raise StripeRefusal(f"This property cannot be expanded ({path}).", param="expand")
            if isinstance(node[part], str):
                node[part] = store.find_any(node[part]) or node[part]
            node = node[part]
    return dict(whole)
