"""Disputes of a payment, and the money they move."""

from __future__ import annotations

from domain.events.donations import DonationEvent
from domain.values import Money, StripeReport


class DisputeOpened(DonationEvent):
    """A dispute was opened or moved to another open state; with a `warning_` state it is only an inquiry."""

    TOPIC = "dispute_opened"
    dispute_id: str
    amount: Money
    state: str
    report: StripeReport


class DisputeFundsWithdrawn(DonationEvent):
    TOPIC = "dispute_funds_withdrawn"
    dispute_id: str
    balance_transaction_id: str
    amount: Money
    report: StripeReport


class DisputeFundsReinstated(DonationEvent):
    TOPIC = "dispute_funds_reinstated"
    dispute_id: str
    balance_transaction_id: str
    amount: Money
    report: StripeReport


class DisputeClosed(DonationEvent):
    TOPIC = "dispute_closed"
    dispute_id: str
    amount: Money
    state: str
    report: StripeReport
