"""Fees that Stripe charges for a donation."""

from __future__ import annotations

from domain.events.donations import DonationEvent
from domain.values import Money, StripeReport


class FeeCharged(DonationEvent):
    """The gross amount and the fee of one balance transaction; donors never see it.

    Both are in the currency of our account at Stripe and signed as there; the balance changed by `gross` minus `fee`.
    """

    TOPIC = "fee_charged"
    balance_transaction_id: str
    source_id: str | None
    category: str
    gross: Money
    fee: Money
    report: StripeReport
