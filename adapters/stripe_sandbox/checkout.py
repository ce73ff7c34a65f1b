"""Checkouts: opening a session, attempts to pay it, and its end."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from adapters.payments.stripe_objects import StripeDict
from adapters.stripe_sandbox import shapes
from adapters.stripe_sandbox.payment import Payment, processing_fee
from adapters.stripe_sandbox.refusal import StripeRefusal
from adapters.stripe_sandbox.shapes import CARD, Payer, delayed_method
from adapters.stripe_sandbox.store import Store

if TYPE_CHECKING:
    from adapters.stripe_sandbox.parameters import SessionParams


class Outcome(StrEnum):
    """How an attempt to pay ends."""

    PAID = "paid"
    DECLINED = "declined"
    PAID_LATER = "paid_later"
    FAILED_LATER = "failed_later"


def open_session(store: Store, params: SessionParams, now: float, pages: str) -> StripeDict:
    """Open a checkout session, which expires later; return it."""
    expires_at = int(now) + 86_400 if params.expires_at is None else params.expires_at
    # Stripe's bounds are 30 minutes and 24 hours; one minute on both sides allows for clock differences.
    if not now + 29 * 60 <= expires_at <= now + 86_460:
        raise StripeRefusal(
            "The `expires_at` timestamp must be between 30 minutes and 24 hours from now.", param="expires_at"
        )
    session = shapes.session(params, now=int(now), expires_at=expires_at, pages=pages)
    intent, product = params.payment_intent_data, params.line_items[0].price_data.product_data
    store.save(session, session["id"])
    store.hide(
        session["id"],
        {"product": product.name, "metadata": intent.metadata, "description": intent.description},
    )
    store.plan_step(session["id"], "expire", expires_at)
    return session


def pay(payment: Payment, outcome: Outcome, payer: Payer) -> None:
    """Make one attempt to pay; refused unless the session is open."""
    session = payment.session
    if session["status"] != "open" or session["expires_at"] <= payment.moment.at:
        raise StripeRefusal("This checkout is no longer open.")
    is_delayed = outcome in (Outcome.PAID_LATER, Outcome.FAILED_LATER)
    method = delayed_method(session["currency"]) if is_delayed else CARD
    intent = payment.intent() or _new_intent(payment)
    charge = shapes.charge(intent, payer, method, payment.moment.second)
    intent["latest_charge"] = charge["id"]
    if outcome is Outcome.DECLINED:
        payment.save(session)
        _fail(payment, intent, charge, "card_declined", "Your card was declined.")
        return
    session |= {"status": "complete", "url": None, "customer_details": shapes.customer_details(payer)}
    payment.plan_step(session["id"], None)
    if is_delayed:
        intent |= {"status": "processing", "payment_method": charge["payment_method"]}
        payment.save(charge, intent, session)
        payment.emit("payment_intent.processing", intent)
        payment.emit("checkout.session.completed", session)
        payment.plan_step(session["id"], "succeed" if outcome is Outcome.PAID_LATER else "fail")
    else:
        _succeed(payment, intent, charge, "checkout.session.completed")


def settle(payment: Payment, succeeded: bool) -> None:
    """End a payment with a delayed method."""
    intent = payment.intent()
    if intent is None or intent["status"] != "processing":
        raise StripeRefusal("No delayed payment is under way.")
    charge = payment.charge_of(intent)
    payment.plan_step(payment.session["id"], None)
    if succeeded:
        _succeed(payment, intent, charge, "checkout.session.async_payment_succeeded")
    else:
        _fail(payment, intent, charge, "debit_not_authorized", "The bank refused the debit.")
        payment.emit("checkout.session.async_payment_failed", payment.session)


def expire(payment: Payment) -> None:
    """End an unpaid checkout, and its payment intent if there is one."""
    session = payment.session
    if session["status"] != "open":
        raise StripeRefusal(f"Only an open Checkout Session can be expired; this one is {session['status']}.")
    payment.plan_step(session["id"], None)
    session |= {"status": "expired", "url": None}
    payment.save(session)
    intent = payment.intent()
    if intent is not None:
        intent |= {"status": "canceled", "canceled_at": payment.moment.second, "cancellation_reason": "expired"}
        payment.save(intent)
        payment.emit("payment_intent.canceled", intent)
    payment.emit("checkout.session.expired", session)


def _new_intent(payment: Payment) -> StripeDict:
    hidden = payment.store.hidden(payment.session["id"])
    intent = shapes.payment_intent(
        now=payment.moment.second,
        amount=payment.session["amount_total"],
        currency=payment.session["currency"],
        metadata=hidden["metadata"],
        description=hidden["description"],
    )
    payment.session["payment_intent"] = intent["id"]
    return intent


def _succeed(payment: Payment, intent: StripeDict, charge: StripeDict, session_event: str) -> None:
    charge |= {"status": "succeeded", "paid": True, "captured": True, "amount_captured": charge["amount"]}
    charge["outcome"] = {
        "network_status": "approved_by_network",
        "reason": None,
        "risk_level": "normal",
        "seller_message": "Payment complete.",
        "type": "authorized",
    }
    intent |= {
        "status": "succeeded",
        "amount_received": intent["amount"],
        "payment_method": charge["payment_method"],
        "last_payment_error": None,
    }
    payment.session["payment_status"] = "paid"
    payment.save(charge, intent, payment.session)
    payment.emit("charge.succeeded", charge)
    payment.emit("payment_intent.succeeded", intent)
    payment.emit(session_event, payment.session)
    kind = "payment" if charge["id"].startswith("py_") else "charge"
    fee = processing_fee(charge["amount"], charge["currency"])
    charge["balance_transaction"] = payment.balance(charge, kind, "charge", charge["amount"], fee)["id"]
    payment.save(charge)
    payment.emit("charge.updated", charge, {"balance_transaction": None}, payment.moment.timing.settlement)


def _fail(payment: Payment, intent: StripeDict, charge: StripeDict, code: str, message: str) -> None:
    charge |= {"status": "failed", "failure_code": code, "failure_message": message}
    charge["outcome"] = {
        "network_status": "declined_by_network",
        "reason": "generic_decline",
        "risk_level": "normal",
        "seller_message": "The bank did not return any further details with this decline.",
        "type": "issuer_declined",
    }
    intent |= {"status": "requires_payment_method", "payment_method": None}
    intent["last_payment_error"] = {
        "charge": charge["id"],
        "code": code,
        "decline_code": "generic_decline",
        "doc_url": f"https://stripe.com/docs/error-codes/{code.replace('_', '-')}",
        "message": message,
        "type": "card_error",
    }
    payment.save(charge, intent)
    payment.emit("charge.failed", charge)
    payment.emit("payment_intent.payment_failed", intent)
