"""The gateway to Stripe: opens checkouts, makes refunds and reads objects, with our own values and errors."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

from adapters.lazy import Lazy
from adapters.payments.stripe_objects import StripeDict
from domain.errors import DomainError, FaultCode, InvalidError, NotFoundError, RefusedError, UnavailableError
from domain.ports import CheckoutRequest, OpenCheckout
from domain.values import Money

if TYPE_CHECKING:
    import stripe
    from stripe.params import RefundCreateParams

# The collection of the objects whose ids have each prefix.
COLLECTIONS = {
    "cs": "checkout/sessions",
    "pi": "payment_intents",
    "ch": "charges",
    "re": "refunds",
    "dp": "disputes",
    "txn": "balance_transactions",
    "evt": "events",
}
_OBJECT_ID = re.compile(r"([a-z]{2,4})_[A-Za-z0-9_]{1,250}")
_PAGE_SIZE = 100
MAX_CLOCK_DIFFERENCE = timedelta(hours=1)
_MAX_NAME_LENGTH = 250
_UNAVAILABLE = "The payment service cannot be reached at the moment; please try again in a minute."

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class WebhookEndpoint:
    """An address to which Stripe sends events of these types; `*` stands for all."""

    url: str
    enabled: bool
    event_types: frozenset[str]
    livemode: bool


class StripeGateway:
    """Calls Stripe, or a server with the same API at `api_base`. Proxy settings of the environment are ignored.

    A call takes at most `(retries + 1) * (connect_seconds + read_seconds)` plus the short pauses between attempts.
    """

    def __init__(
        self,
        secret_key: str,
        api_base: str | None = None,
        *,
        connect_seconds: float = 5,
        read_seconds: float = 20,
        retries: int = 2,
    ) -> None:
        timeout = (connect_seconds, read_seconds)

        def make_client() -> stripe.StripeClient:
            from adapters.payments.stripe_client import client

            return client(secret_key, api_base, timeout=timeout, retries=retries)

        self._client = Lazy(make_client)

    def load(self) -> None:
        """Load the library, so that the first checkout does not wait for it."""
        self._client()

    def _service(self, prefix: str) -> Any:
        """Return the library's service for objects whose ids have this prefix, or None if the prefix is unknown."""
        v1 = self._client().v1
        match prefix:
            case "cs":
                return v1.checkout.sessions
            case "pi":
                return v1.payment_intents
            case "ch" | "py":
                return v1.charges
            case "re" | "pyr":
                return v1.refunds
            case "dp" | "du":
                return v1.disputes
            case "txn":
                return v1.balance_transactions
            case "evt":
                return v1.events
            case _:
                return None

    def open(self, request: CheckoutRequest) -> OpenCheckout:
        """Open a checkout; a repeated call returns the same one as long as Stripe keeps the idempotency key."""
        metadata = {"ticketId": str(request.ticket_id), "donationId": str(request.donation_id)}
        with _translated_errors():
            session = self._client().v1.checkout.sessions.create(
                {
                    "mode": "payment",
                    "submit_type": "donate",
                    "line_items": [
                        {
                            "quantity": 1,
                            "price_data": {
                                "currency": request.amount.currency.lower(),
                                "unit_amount": request.amount.minor,
                                "product_data": {"name": _product_name(request.description)},
                            },
                        }
                    ],
                    "client_reference_id": str(request.donation_id),
                    "metadata": metadata,
                    # Stripe does not copy the session's metadata to its payment intent.
                    "payment_intent_data": {"metadata": metadata},
                    "success_url": request.return_url,
                    "cancel_url": request.cancel_url,
                },
                {"idempotency_key": f"checkout-{request.donation_id}"},
            )
        if session.url is None:
            raise RefusedError("This checkout is already finished or has expired.")
        return _open_checkout(session.id, session.url, session.expires_at, session.livemode)

    def find(self, donation_id: UUID, since: datetime) -> OpenCheckout | None:
        """Return the open checkout of a donation that was requested since then, or None."""
        for session in self.objects("cs", since - MAX_CLOCK_DIFFERENCE):
            if session["client_reference_id"] == str(donation_id) and session["status"] == "open":
                return _open_checkout(session["id"], session["url"], session["expires_at"], session["livemode"])
        return None

    def expire(self, session_id: str) -> bool:
        """End an open checkout; return True if it is expired, also by an earlier call, or False if it was completed."""
        sessions = self._client().v1.checkout.sessions
        try:
            with _translated_errors():
                return sessions.expire(session_id).status == "expired"
        except InvalidError:
            # Stripe expires only an open session.
            with _translated_errors():
                session = sessions.retrieve(session_id)
        if session.status == "open":
            raise UnavailableError("The payment service did not expire an open checkout.")
        return session.status == "expired"

    def refund(
        self, payment_intent_id: str, amount: Money, idempotency_key: str, metadata: Mapping[str, str]
    ) -> StripeDict:
        """Make a refund and return it in Stripe's form; it may be pending, and may fail later."""
        params: RefundCreateParams = {
            "payment_intent": payment_intent_id,
            "amount": amount.minor,
            "metadata": dict(metadata),
        }
        try:
            with _translated_errors():
                refund = self._client().v1.refunds.create(params, {"idempotency_key": idempotency_key})
        except InvalidError as error:
            if error.pointer == "/amount":
                raise RefusedError("A refund cannot be larger than what is left of the payment.") from None
            raise RefusedError("The payment service does not accept this refund.") from None
        return refund.to_dict(for_json=True)

    def retrieve(self, object_id: str) -> StripeDict:
        """Return any object or event in its present state; NotFoundError if Stripe has none with this id."""
        match = _OBJECT_ID.fullmatch(object_id)
        service = self._service(match[1]) if match else None
        if service is None:
            raise NotFoundError("Stripe has no object with this id.")
        with _translated_errors():
            stripe_object: StripeDict = service.retrieve(object_id).to_dict(for_json=True)
        return stripe_object

    def check_key(self) -> None:
        """Raise RefusedError if Stripe rejects the key, and UnavailableError if Stripe cannot be asked."""
        with _translated_errors(rejected_key=RefusedError):
            self._client().v1.events.list({"limit": 1})

    def webhook_endpoints(self) -> list[WebhookEndpoint]:
        """Return the webhook endpoints of our own account; RefusedError if the key may not read them."""
        with _translated_errors(rejected_key=RefusedError):
            page = self._client().v1.webhook_endpoints.list({"limit": _PAGE_SIZE})
            return [
                WebhookEndpoint(one.url, one.status == "enabled", frozenset(one.enabled_events), one.livemode)
                for one in page.auto_paging_iter()
                if getattr(one, "application", None) is None
            ]

    def objects(self, prefix: str, since: datetime) -> Iterator[StripeDict]:
        """Yield the objects created since then with this id prefix (a key of COLLECTIONS), newest first.

        Of events (`evt`) Stripe lists those of the last 30 days.
        """
        # The library's own objects take ten times as long to make as their JSON takes to read.
        request: dict[str, Any] = {"created": {"gte": int(since.timestamp())}, "limit": _PAGE_SIZE}
        has_more = True
        while has_more:
            with _translated_errors():
                page: Any = self._client().raw_request("get", f"/v1/{COLLECTIONS[prefix]}", **request).data
            yield from page["data"]
            has_more = page["has_more"] and bool(page["data"])
            if has_more:
                request["starting_after"] = page["data"][-1]["id"]


def _open_checkout(session_id: str, url: str, expires_at: int, livemode: bool) -> OpenCheckout:
    return OpenCheckout(session_id, url, datetime.fromtimestamp(expires_at, UTC), livemode)


def _product_name(description: str) -> str:
    return " ".join(description.split())[:_MAX_NAME_LENGTH] or "Donation"


@contextmanager
def _translated_errors(rejected_key: type[DomainError] | None = None) -> Iterator[None]:
    """Raise our own errors; with `rejected_key` that one if Stripe rejects the key."""
    import stripe

    try:
        yield
    except stripe.StripeError as error:
        if rejected_key and isinstance(error, stripe.AuthenticationError | stripe.PermissionError):
            raise rejected_key("Stripe does not accept the key for this.") from None
        raise _translate(error) from None


def _translate(error: stripe.StripeError) -> DomainError:
    """Return our own error for an error of the library.

    The library's message is left out, because it may quote keys, bodies and addresses.
    """
    import stripe

    match error:
        case stripe.InvalidRequestError(code="resource_missing"):
            return NotFoundError("Stripe has no object with this id.")
        case stripe.InvalidRequestError(code="charge_already_refunded"):
            return RefusedError("This payment has been refunded completely.")
        case stripe.InvalidRequestError(code="charge_disputed"):
            return RefusedError("This payment is disputed, so it cannot be refunded.")
        case stripe.InvalidRequestError(param=param, code=code, http_status=400):
            return _invalid_request(str(param or ""), str(code or ""))
        case stripe.IdempotencyError():
            return RefusedError("The same request was made before with other values.")
        case stripe.CardError():
            return RefusedError("The payment was declined.")
        case stripe.AuthenticationError() | stripe.PermissionError():
            logger.error("the payment service does not accept our key (request %s)", error.request_id)
            return UnavailableError("Payments are not available at the moment.")
        case _:
            logger.warning("the payment service failed: %s, status %s", type(error).__name__, error.http_status)
            return UnavailableError(_UNAVAILABLE)


def _invalid_request(param: str, code: str) -> DomainError:
    if code in ("amount_too_small", "amount_too_large"):
        size = code.removeprefix("amount_too_")
        return _refused_value("amount", f"The amount is too {size} for the payment service.")
    if param.endswith("[currency]") or param == "currency":
        return _refused_value("currency")
    if "unit_amount" in param or param == "amount":
        return _refused_value("amount")
    if param.endswith("[name]"):
        return _refused_value("description")
    logger.warning("the payment service refused a request: %s at %s", code or "no code", param or "no parameter")
    return InvalidError("The payment service does not accept this request.")


def _refused_value(field: str, message: str | None = None) -> InvalidError:
    message = message or f"The payment service does not accept this {field}."
    return InvalidError(message, f"/{field}", FaultCode.REFUSED_BY_PAYMENT_SERVICE)
