"""Queries of what speaks against closing a workspace, and of what goes on after it."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from domain.approval import ApprovalState
from domain.movements import OPEN_DISPUTE_STATES
from domain.refund_proposals import ProposalState
from domain.values import DonationStatus
from projections.model import Cursor

# Stripe refunds a payment without a dispute for about this long with most methods of payment.
REFUNDABLE_FOR = timedelta(days=120)


@dataclass(frozen=True)
class ClosingCounts:
    """`refundable_gifts` were paid in the last 120 days, and something of them may still go back."""

    public_pages: int
    waiting_pages: int
    open_payments: int
    open_disputes: int
    refundable_gifts: int
    refund_requests: int
    keys: int


def closing_counts(cursor: Cursor, workspace: str, now: datetime) -> ClosingCounts:
    cursor.execute(
        _COUNTS,
        {
            "workspace": workspace,
            "requested": ApprovalState.REQUESTED,
            "disputed": sorted(OPEN_DISPUTE_STATES),
            "created": DonationStatus.CREATED,
            "paid": DonationStatus.PAID,
            "since": now - REFUNDABLE_FOR,
            "open": ProposalState.OPEN,
        },
    )
    [counts] = cursor.fetchall()
    return ClosingCounts(*counts)


_COUNTS = """
SELECT tickets.public_pages, tickets.waiting_pages,
       (SELECT count(*) FROM open_checkouts c JOIN read.donation_ledger d USING (donation_id)
         WHERE d.workspace = %(workspace)s AND d.status = %(created)s AND c.state = 'open' AND c.expires_at > now()),
       gifts.open_disputes, gifts.refundable,
       (SELECT count(*) FROM read.refund_requests r JOIN read.ticket_status t USING (ticket_id)
         WHERE t.workspace = %(workspace)s AND r.state = %(open)s),
       (SELECT count(*) FROM api_keys
         WHERE workspace = %(workspace)s AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > now()))
  FROM (SELECT count(*) FILTER (WHERE published AND NOT suspended AND NOT erased) AS public_pages,
               count(*) FILTER (WHERE approval->>'state' = %(requested)s AND NOT erased) AS waiting_pages
          FROM read.ticket_status WHERE workspace = %(workspace)s) tickets,
       (SELECT count(*) FILTER (WHERE dispute_status = ANY(%(disputed)s)) AS open_disputes,
               count(*) FILTER (WHERE status = %(paid)s AND paid_at > %(since)s
                                  AND paid > refunded + disputed) AS refundable
          FROM read.donation_ledger WHERE workspace = %(workspace)s) gifts
"""
