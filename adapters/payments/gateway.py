"""The gateway to Stripe: opens checkouts, gives money back, and reads what Stripe knows, in our words and errors."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from adapters.lazy import Lazy
from domain.errors import DomainError, InvalidError, NotFoundError, RefusedError, UnavailableError
from domain.ports import CheckoutRequest, OpenCheckout
from domain.values import Money

if TYPE_CHECKING:
    import stripe
    from stripe.params import RefundCreateParams

StripeDict = dict[str, Any]

_OBJECT_ID = re.compile(r"([a-z]{2,4})_[A-Za-z0-9_]{1,250}")
_PAGE = 100
_NAME_LENGTH = 250
_AWAY = "The payment service cannot be reached at the moment; please try again in a minute."

logger = logging.getLogger(__name__)


class StripeGateway:
    """Calls Stripe, or at `api_base` whatever speaks like it; no proxy but the one given, none of the environment.

    A call lasts at most `(retries + 1) * (connect_seconds + read_seconds)` and the short pauses between.
    """

    def __init__(
        self,
        secret_key: str,
        api_base: str | None = None,
        *,
        proxy: str | None = None,
        connect_seconds: float = 5,
        read_seconds: float = 20,
        retries: int = 2,
    ) -> None:
        timeout = (connect_seconds, read_seconds)

        def made() -> stripe.StripeClient:
            from adapters.payments.stripe_client import client

            return client(secret_key, api_base, timeout=timeout, proxy=proxy, retries=retries)

        self._late_client = Lazy(made)

    def load(self) -> None:
        """So that the first who gives need not wait for the library."""
        self._late_client()

    @property
    def _client(self) -> stripe.StripeClient:
        return self._late_client()

    def _service(self, prefix: str) -> Any:
        """What reads the objects whose ids have this prefix; None if there are none such."""
        v1 = self._client.v1
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
        """A checkout for this gift: the same one however often it is asked for, for as long as Stripe keeps its key."""
        metadata = {"ticketId": str(request.ticket_id), "donationId": str(request.donation_id)}
        with _our_errors():
            session = self._client.v1.checkout.sessions.create(
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
        return OpenCheckout(
            session_id=session.id,
            url=session.url,
            expires_at=datetime.fromtimestamp(session.expires_at, UTC),
            livemode=session.livemode,
        )

    def refund(
        self,
        payment_intent_id: str,
        amount: Money | None,
        idempotency_key: str,
        metadata: Mapping[str, str] | None = None,
    ) -> StripeDict:
        """Give back `amount`, or all that is left of it; Stripe's refund, which may still be pending or fail later."""
        params: RefundCreateParams = {"payment_intent": payment_intent_id, "metadata": dict(metadata or {})}
        if amount is not None:
            params["amount"] = amount.minor
        try:
            with _our_errors():
                refund = self._client.v1.refunds.create(params, {"idempotency_key": idempotency_key})
        except InvalidError as error:
            if error.pointer == "/amount":
                raise RefusedError("No more can be given back than is left of the payment.") from None
            raise RefusedError("The payment service does not take this refund.") from None
        return refund.to_dict(for_json=True)

    def retrieve(self, object_id: str) -> StripeDict:
        """A session, payment intent, charge, refund, dispute, balance transaction or event as Stripe has it now."""
        prefix = _OBJECT_ID.fullmatch(object_id)
        service = self._service(prefix[1]) if prefix else None
        if service is None:
            raise NotFoundError("Stripe has nothing of that id.")
        with _our_errors():
            found: StripeDict = service.retrieve(object_id).to_dict(for_json=True)
        return found

    def events(self, since: datetime) -> Iterator[StripeDict]:
        """Stripe's events since then, newest first, fetched page by page; Stripe keeps them for 30 days."""
        return self.objects("evt", since)

    def objects(self, prefix: str, since: datetime) -> Iterator[StripeDict]:
        """All objects whose ids have this prefix (`cs`, `pi`, `ch`, `re`, `dp`, `txn`), newest first."""
        with _our_errors():
            page = self._service(prefix).list({"created": {"gte": int(since.timestamp())}, "limit": _PAGE})
            for found in page.auto_paging_iter():
                yield found.to_dict(for_json=True)


def _product_name(description: str) -> str:
    return " ".join(description.split())[:_NAME_LENGTH] or "Donation"


@contextmanager
def _our_errors() -> Iterator[None]:
    import stripe

    try:
        yield
    except stripe.StripeError as error:
        raise _ours(error) from None


def _ours(error: stripe.StripeError) -> DomainError:
    """The library's error in our words: none of its own, which quote keys, bodies and addresses."""
    import stripe

    match error:
        case stripe.InvalidRequestError(code="resource_missing"):
            return NotFoundError("Stripe has nothing of that id.")
        case stripe.InvalidRequestError(code="charge_already_refunded"):
            return RefusedError("All of this payment was given back already.")
        case stripe.InvalidRequestError(code="charge_disputed"):
            return RefusedError("This payment is disputed, so it cannot be given back.")
        case stripe.InvalidRequestError(param=param, code=code, http_status=400):
            return _invalid(str(param or ""), str(code or ""))
        case stripe.IdempotencyError():
            return RefusedError("The same request was made before with other values.")
        case stripe.CardError():
            return RefusedError("The payment was declined.")
        case stripe.AuthenticationError() | stripe.PermissionError():
            logger.error("the payment service does not accept our key (request %s)", error.request_id)
            return UnavailableError("Payments are not available at the moment.")
        case _:
            logger.warning("the payment service failed: %s, status %s", type(error).__name__, error.http_status)
            return UnavailableError(_AWAY)


def _invalid(param: str, code: str) -> DomainError:
    if code in ("amount_too_small", "amount_too_large"):
        size = code.removeprefix("amount_too_")
        return InvalidError(f"The amount is too {size} for the payment service.", "/amount")
    if param.endswith("[currency]") or param == "currency":
        return InvalidError("The payment service does not take this currency.", "/currency")
    if "unit_amount" in param or param == "amount":
        return InvalidError("The payment service does not take this amount.", "/amount")
    if param.endswith("[name]"):
        return InvalidError("The payment service does not take this description.", "/description")
    logger.warning("the payment service refused a request: %s at %s", code or "no code", param or "no parameter")
    return InvalidError("The payment service does not take this request.")
