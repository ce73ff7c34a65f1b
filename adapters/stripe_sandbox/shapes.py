"""Builds Stripe's objects as the pinned API version shows them."""

from __future__ import annotations

import secrets
import string
from dataclasses import dataclass
from typing import TYPE_CHECKING

from adapters.payments.stripe_objects import StripeDict

if TYPE_CHECKING:
    from adapters.stripe_sandbox.parameters import SessionParams

API_VERSION = "2026-10-28.endive"
SECONDS_FOR_EVIDENCE = 9 * 86_400

_BASE62 = string.digits + string.ascii_letters


def new_id(prefix: str, length: int = 24) -> str:
    """Return a random id that cannot be guessed, like `pi_3Nk…`."""
    return prefix + "".join(secrets.choice(_BASE62) for _ in range(length))


# The fields of Stripe's objects that are null: the sandbox never sets them, or only after an event such as the payment.
_NULL_IN_SESSION = """
after_expiration allow_promotion_codes billing_address_collection client_secret collected_information consent
consent_collection currency_conversion customer customer_details invoice locale origin_context payment_intent
payment_link payment_method_configuration_details permissions presentment_details recovered_from
saved_payment_method_options setup_intent shipping_address_collection shipping_cost subscription wallet_options
"""
_NULL_IN_INTENT = """
application application_fee_amount automatic_payment_methods canceled_at cancellation_reason client_secret customer
last_payment_error latest_charge next_action on_behalf_of payment_method payment_method_configuration_details
processing receipt_email review setup_future_usage shipping source statement_descriptor statement_descriptor_suffix
transfer_data transfer_group
"""
_NULL_IN_CHARGE = """
application application_fee application_fee_amount balance_transaction customer failure_balance_transaction
failure_code failure_message on_behalf_of outcome receipt_email receipt_number receipt_url review shipping source
source_transfer statement_descriptor statement_descriptor_suffix transfer_data transfer_group
"""


@dataclass(frozen=True)
class Payer:
    """The payer's details from the pay page."""

    name: str | None = None
    email: str | None = None
    country: str | None = None

    def address(self) -> StripeDict:
        return {"country": self.country} | dict.fromkeys(["city", "line1", "line2", "postal_code", "state"])


@dataclass(frozen=True)
class PaymentMethod:
    """A card, which pays at once, or a delayed method, which pays days later."""

    type: str

    @property
    def delayed(self) -> bool:
        return self.type != "card"

    def details(self) -> StripeDict:
        if not self.delayed:
            details = {"brand": "visa", "country": "US", "funding": "credit", "last4": "4242", "network": "visa"}
        else:
            details = {"bank_name": "TEST BANK", "last4": "6789"}
        return {self.type: details, "type": self.type}


CARD = PaymentMethod("card")


def delayed_method(currency: str) -> PaymentMethod:
    """Return the usual method to pay this currency from a bank account."""
    return PaymentMethod({"eur": "sepa_debit", "gbp": "bacs_debit", "jpy": "konbini"}.get(currency, "us_bank_account"))


def session(params: SessionParams, *, now: int, expires_at: int, pages: str) -> StripeDict:
    id, amount, [item] = new_id("cs_test_a1", 56), params.total(), params.line_items
    currency = item.price_data.currency
    return {
        "id": id,
        "object": "checkout.session",
        "adaptive_pricing": {"enabled": False},
        "amount_subtotal": amount,
        "amount_total": amount,
        "automatic_tax": {"enabled": False, "liability": None, "provider": None, "status": None},
        "cancel_url": params.cancel_url,
        "client_reference_id": params.client_reference_id,
        "created": now,
        "currency": currency,
        "custom_fields": [],
        "custom_text": {"after_submit": None, "shipping_address": None, "submit": None},
        "customer_creation": "if_required",
        "customer_email": params.customer_email,
        "discounts": [],
        "expires_at": expires_at,
        "invoice_creation": {"enabled": False},
        "livemode": False,
        "metadata": params.metadata,
        "mode": params.mode,
        "payment_method_collection": "if_required",
        "payment_method_options": {},
        "payment_method_types": ["card", delayed_method(currency).type],
        "payment_status": "unpaid",
        "phone_number_collection": {"enabled": False},
        "shipping_options": [],
        "status": "open",
        "submit_type": params.submit_type,
        "success_url": params.success_url,
        "total_details": {"amount_discount": 0, "amount_shipping": 0, "amount_tax": 0},
        "ui_mode": "hosted_page",
        "url": f"{pages}/{id}",
        **dict.fromkeys(_NULL_IN_SESSION.split()),
    }


def customer_details(payer: Payer) -> StripeDict:
    return {
        "address": payer.address(),
        "business_name": None,
        "email": payer.email,
        "individual_name": None,
        "name": payer.name,
        "phone": None,
        "tax_exempt": "none",
        "tax_ids": [],
    }


def payment_intent(
    *, now: int, amount: int, currency: str, metadata: dict[str, str], description: str | None
) -> StripeDict:
    id = new_id("pi_3")
    return {
        "id": id,
        "object": "payment_intent",
        "amount": amount,
        "amount_capturable": 0,
        "amount_details": {"tip": {}},
        "amount_received": 0,
        "capture_method": "automatic_async",
        "confirmation_method": "automatic",
        "created": now,
        "currency": currency,
        "description": description,
        "livemode": False,
        "metadata": metadata,
        "payment_method_options": {},
        "payment_method_types": ["card", delayed_method(currency).type],
        "status": "requires_payment_method",
        **dict.fromkeys(_NULL_IN_INTENT.split()),
    }


def charge(intent: StripeDict, payer: Payer, method: PaymentMethod, now: int) -> StripeDict:
    """Return a pending charge of the whole intent."""
    return {
        "id": new_id("py_3" if method.delayed else "ch_3"),
        "object": "charge",
        "amount": intent["amount"],
        "amount_captured": 0,
        "amount_refunded": 0,
        "billing_details": {
            "address": payer.address(),
            "email": payer.email,
            "name": payer.name,
            "phone": None,
            "tax_id": None,
        },
        "calculated_statement_descriptor": "STORYLEDGER TEST",
        "captured": False,
        "created": now,
        "currency": intent["currency"],
        "description": intent["description"],
        "disputed": False,
        "fraud_details": {},
        "livemode": False,
        "metadata": dict(intent["metadata"]),
        "paid": False,
        "payment_intent": intent["id"],
        "payment_method": new_id("pm_1"),
        "payment_method_details": method.details(),
        "refunded": False,
        "status": "pending",
        **dict.fromkeys(_NULL_IN_CHARGE.split()),
    }


def refund(
    charge: StripeDict, *, now: int, amount: int, status: str, reason: str | None, metadata: dict[str, str]
) -> StripeDict:
    delayed = charge["id"].startswith("py_")
    kind = charge["payment_method_details"]["type"]
    return {
        "id": new_id("pyr_1" if delayed else "re_3"),
        "object": "refund",
        "amount": amount,
        "balance_transaction": None,
        "charge": charge["id"],
        "created": now,
        "currency": charge["currency"],
        "destination_details": {kind: {"reference_status": "pending", "type": "refund"}, "type": kind},
        "metadata": metadata,
        "payment_intent": charge["payment_intent"],
        "reason": reason,
        "receipt_number": None,
        "source_transfer_reversal": None,
        "status": status,
        "transfer_reversal": None,
        **({"pending_reason": "processing"} if status == "pending" else {}),
    }


def dispute(charge: StripeDict, *, now: int, amount: int, status: str, reason: str) -> StripeDict:
    return {
        "id": new_id("dp_1"),
        "object": "dispute",
        "amount": amount,
        "balance_transactions": [],
        "charge": charge["id"],
        "created": now,
        "currency": charge["currency"],
        "enhanced_eligibility_types": [],
        "evidence": {},
        "evidence_details": {
            "due_by": now + SECONDS_FOR_EVIDENCE,
            "enhanced_eligibility": {},
            "has_evidence": False,
            "past_due": False,
            "submission_count": 0,
        },
        "is_charge_refundable": status.startswith("warning_"),
        "livemode": False,
        "metadata": {},
        "network_reason_code": "10.4",
        "payment_intent": charge["payment_intent"],
        "payment_method_details": {"card": {"brand": "visa", "case_type": "chargeback"}, "type": "card"},
        "reason": reason,
        "status": status,
    }


def balance_transaction(
    *, source: str, type: str, category: str, amount: int, fee: int, currency: str, now: int, description: str | None
) -> StripeDict:
    """Return the change of our account's balance that the object `source` caused; `amount` may be negative."""
    details = [
        {"amount": fee, "application": None, "currency": currency, "description": "Stripe fees", "type": "stripe_fee"}
    ]
    return {
        "id": new_id("txn_3"),
        "object": "balance_transaction",
        "amount": amount,
        "available_on": now + 2 * 86_400,
        "balance_type": "payments",
        "created": now,
        "currency": currency,
        "description": description,
        "exchange_rate": None,
        "fee": fee,
        "fee_details": details if fee else [],
        "net": amount - fee,
        "reporting_category": category,
        "source": source,
        "status": "pending",
        "type": type,
    }


def event(
    type: str, stripe_object: StripeDict, now: int, previous: StripeDict | None, idempotency_key: str | None
) -> StripeDict:
    data: StripeDict = {"object": stripe_object}
    if previous is not None:
        data["previous_attributes"] = previous
    return {
        "id": new_id("evt_1"),
        "object": "event",
        "api_version": API_VERSION,
        "created": now,
        "data": data,
        "livemode": False,
        "pending_webhooks": 1,
        "request": {"id": new_id("req_", 14) if idempotency_key else None, "idempotency_key": idempotency_key},
        "type": type,
    }
