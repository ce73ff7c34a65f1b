"""Refunds, and refunds that fail later."""

from enum import StrEnum

from adapters.payments.stripe_objects import StripeDict
from adapters.stripe_sandbox import shapes
from adapters.stripe_sandbox.payment import Payment
from adapters.stripe_sandbox.refusal import StripeRefusal


class RefundOutcome(StrEnum):
    """PENDING waits for `finish_refund`, FAILING succeeds at first and fails later."""

    SUCCEEDED = "succeeded"
    PENDING = "pending"
    FAILING = "failing"


def refund(
    payment: Payment,
    amount: int | None,
    outcome: RefundOutcome | None,
    reason: str | None,
    metadata: dict[str, str],
) -> StripeDict:
    """Refund `amount`, or all that is left; without an outcome a card is refunded at once, a bank account later."""
    charge = payment.paid_charge()
    left = charge["amount"] - charge["amount_refunded"]
    amount = left if amount is None else amount
    if payment.is_disputed("needs_response", "under_review", "lost"):
        raise StripeRefusal(f"Charge {charge['id']} has been charged back.", code="charge_disputed")
    if left == 0:
        raise StripeRefusal(f"Charge {charge['id']} has already been refunded.", code="charge_already_refunded")
    if not 0 < amount <= left:
        raise StripeRefusal(
            f"Refund amount ({amount}) is greater than unrefunded amount on charge ({left}).", param="amount"
        )
    is_slow = outcome is None and charge["id"].startswith("py_")
    status = "pending" if is_slow or outcome is RefundOutcome.PENDING else "succeeded"
    refund = shapes.refund(
        charge, now=payment.moment.second, amount=amount, status=status, reason=reason, metadata=metadata
    )
    refund["balance_transaction"] = payment.balance(refund, "refund", "refund", -amount)["id"]
    before = {"amount_refunded": charge["amount_refunded"]}
    charge["amount_refunded"] += amount
    charge["refunded"] = charge["amount_refunded"] == charge["amount"]
    payment.save(refund, charge)
    payment.emit("refund.created", refund)
    payment.emit("charge.refunded", charge, before)
    if status == "succeeded":
        _emit_update(payment, refund, {"destination_details": refund["destination_details"]})
    if is_slow or outcome is RefundOutcome.FAILING:
        payment.plan_step(refund["id"], "succeed" if is_slow else "fail")
    return refund


def finish_refund(payment: Payment, refund_id: str, succeeded: bool) -> StripeDict:
    """Let a pending refund arrive, or let any refund fail."""
    refund = payment.store.get("refund", refund_id)
    before = {"status": refund["status"]}
    if refund["status"] not in (["pending"] if succeeded else ["pending", "succeeded"]):
        raise StripeRefusal(f"The refund is {refund['status']} already.")
    payment.plan_step(refund_id, None)
    refund.pop("pending_reason", None)
    if succeeded:
        refund["status"] = "succeeded"
        _emit_update(payment, refund, before)
        return refund
    charge = payment.paid_charge()
    charge["amount_refunded"] -= refund["amount"]
    charge["refunded"] = False
    reversal = payment.balance(refund, "refund_failure", "refund_failure", refund["amount"])
    refund |= {
        "status": "failed",
        "failure_reason": "lost_or_stolen_card",
        "failure_balance_transaction": reversal["id"],
    }
    payment.save(charge, refund)
    payment.emit("refund.failed", refund)
    _emit_update(payment, refund, before)
    return refund


def _emit_update(payment: Payment, refund: StripeDict, before: StripeDict) -> None:
    kind = refund["destination_details"]["type"]
    if refund["status"] == "succeeded":
        arrived = {"reference": "8888888888888888", "reference_status": "available", "type": "refund"}
        refund["destination_details"] = {kind: arrived, "type": kind}
    payment.save(refund)
    payment.emit("refund.updated", refund, before)
    payment.emit("charge.refund.updated", refund, before)
