"""Disputes and inquiries by the payer's bank."""

from enum import StrEnum

from adapters.payments.stripe_objects import StripeDict
from adapters.stripe_sandbox import shapes
from adapters.stripe_sandbox.payment import Payment, dispute_fee
from adapters.stripe_sandbox.refusal import StripeRefusal


class DisputeOutcome(StrEnum):
    """How a dispute ends; WARNING_CLOSED is the end of an inquiry."""

    WON = "won"
    LOST = "lost"
    WARNING_CLOSED = "warning_closed"


def dispute(payment: Payment, amount: int | None, inquiry: bool, reason: str) -> StripeDict:
    """Open a dispute or an inquiry about `amount` of the charge, or about all that was not refunded."""
    charge = payment.paid_charge()
    if payment.is_disputed("needs_response", "under_review", "lost", "warning_needs_response"):
        raise StripeRefusal("This charge is already disputed.")
    amount = charge["amount"] - charge["amount_refunded"] if amount is None else amount
    if not 0 < amount <= charge["amount"]:
        raise StripeRefusal("A dispute is about a part of the charge or all of it.", param="amount")
    status = "warning_needs_response" if inquiry else "needs_response"
    dispute = shapes.dispute(charge, now=payment.moment.second, amount=amount, status=status, reason=reason)
    charge["disputed"] = True
    payment.save(charge, dispute)
    if inquiry:
        payment.emit("charge.dispute.created", dispute)
    else:
        _withdraw(payment, dispute)
        payment.emit("charge.dispute.created", dispute)
        payment.emit("charge.dispute.funds_withdrawn", dispute)
    return dispute


def escalate(payment: Payment, dispute_id: str) -> StripeDict:
    """Turn an inquiry into a dispute, which withdraws the money."""
    dispute = payment.store.get("dispute", dispute_id)
    if dispute["status"] != "warning_needs_response":
        raise StripeRefusal("Only an open inquiry can become a dispute.")
    before = {"status": dispute["status"]}
    dispute |= {"status": "needs_response", "is_charge_refundable": False}
    _withdraw(payment, dispute)
    payment.emit("charge.dispute.updated", dispute, before)
    payment.emit("charge.dispute.funds_withdrawn", dispute)
    return dispute


def close_dispute(payment: Payment, dispute_id: str, outcome: DisputeOutcome, reinstated: int | None) -> StripeDict:
    """End a dispute or an inquiry; winning a dispute reinstates `reinstated`, or the whole amount."""
    dispute = payment.store.get("dispute", dispute_id)
    before = {"status": dispute["status"]}
    returned = dispute["amount"] if reinstated is None else reinstated
    if dispute["status"] not in ("needs_response", "under_review", "warning_needs_response"):
        raise StripeRefusal("This dispute is already closed.")
    if dispute["status"].startswith("warning_") is not (outcome is DisputeOutcome.WARNING_CLOSED):
        raise StripeRefusal("An inquiry ends with warning_closed; a dispute is won or lost.")
    if not 0 < returned <= dispute["amount"]:
        raise StripeRefusal("At most the withdrawn amount can be reinstated.", param="amount")
    if outcome is DisputeOutcome.WON:
        # Winning requires submitted evidence, which is an update of its own.
        dispute["status"] = "under_review"
        dispute["evidence_details"] |= {"has_evidence": True, "submission_count": 1}
        payment.save(dispute)
        payment.emit("charge.dispute.updated", dispute, before)
        before = {"status": "under_review"}
    dispute["status"] = outcome.value
    payment.save(dispute)
    payment.emit("charge.dispute.closed", dispute, before)
    if outcome is DisputeOutcome.WON:
        reversal = payment.balance(dispute, "adjustment", "dispute_reversal", returned)
        dispute["balance_transactions"].append(reversal)
        payment.save(dispute)
        payment.emit("charge.dispute.funds_reinstated", dispute)
    return dispute


def _withdraw(payment: Payment, dispute: StripeDict) -> None:
    fee = dispute_fee(dispute["currency"])
    transaction = payment.balance(dispute, "adjustment", "dispute", -dispute["amount"], fee)
    dispute["balance_transactions"].append(transaction)
    payment.save(dispute)
