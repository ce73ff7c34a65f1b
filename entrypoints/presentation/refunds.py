"""The preview of a refund as a response."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from uuid import UUID

from domain.commands.refunds import RefundPreview
from domain.values import Money
from entrypoints.presentation.responses import ResponseBody, major
from projections.model import Row


class RefundPart(ResponseBody):
    """The part of one payment that goes back."""

    payment_intent_id: str
    amount: Decimal
    amount_minor: int


class PlannedRefund(ResponseBody):
    """The effect of a refund, if it is `allowed`; otherwise `refusal` says why it is not.

    Fees are of the payments of this donation, in the currency of our Stripe account. They are null while unknown.
    """

    donation_id: UUID
    ticket_id: UUID
    allowed: bool
    refusal: str | None
    currency: str
    amount: Decimal
    amount_minor: int
    parts: list[RefundPart]
    refundable: Decimal
    refundable_minor: int
    left: Decimal
    left_minor: int
    dispute_status: str | None
    fees_kept: Decimal | None
    fees_kept_minor: int | None
    fees_currency: str | None
    page_total: Decimal
    page_total_minor: int
    page_total_after: Decimal
    page_total_after_minor: int
    goal_amount_minor: int | None
    falls_below_goal: bool

    @classmethod
    def of(
        cls, donation: Row, preview: RefundPreview, settlements: Sequence[Row], page_total: int, goal: Money | None
    ) -> PlannedRefund:
        """Make the answer from the donation's row, its rows of the fee ledger, and the total and goal of its page.

        The total is in the donation's currency. A goal in another currency is not compared with it.
        """
        currency = donation["currency"]
        allowed = preview.refusal is None
        total_after = page_total - (preview.amount.minor if allowed else 0)
        goal_minor = goal.minor if goal is not None and goal.currency == currency else None
        fees = sum(row["fee"] for row in settlements)
        fee_currencies = {row["currency"] for row in settlements}
        fees_currency = fee_currencies.pop() if len(fee_currencies) == 1 else None
        return cls(
            donation_id=donation["donation_id"],
            ticket_id=donation["ticket_id"],
            allowed=allowed,
            refusal=preview.refusal,
            currency=currency,
            amount=preview.amount.major,
            amount_minor=preview.amount.minor,
            parts=[RefundPart(intent, part.major, part.minor) for intent, part in preview.parts],
            refundable=preview.refundable.major,
            refundable_minor=preview.refundable.minor,
            left=preview.left.major,
            left_minor=preview.left.minor,
            dispute_status=donation["dispute_status"],
            fees_kept=major(fees, fees_currency) if fees_currency else None,
            fees_kept_minor=fees if fees_currency else None,
            fees_currency=fees_currency,
            page_total=major(page_total, currency),
            page_total_minor=page_total,
            page_total_after=major(total_after, currency),
            page_total_after_minor=total_after,
            goal_amount_minor=goal_minor,
            falls_below_goal=goal_minor is not None and total_after < goal_minor <= page_total,
        )
