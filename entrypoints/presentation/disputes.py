"""Disputes over all donations as responses."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from uuid import UUID

from domain.movements import CLOSED_DISPUTE_STATES, DISPUTE_RANK, UNANSWERED_DISPUTE_STATES
from entrypoints.presentation.exports import campaign_title
from entrypoints.presentation.personal_data import PersonalData
from entrypoints.presentation.responses import ResponseBody, Time, Url, major, utc, utc_or_none
from projections.model import Row

DASHBOARD = "https://dashboard.stripe.com"
# Only a movement of the money was reported of the dispute.
_UNREPORTED = "needs_response"
CLOSED = tuple(sorted(CLOSED_DISPUTE_STATES))
OPEN = tuple(state for state in DISPUTE_RANK if state and state not in CLOSED_DISPUTE_STATES)


class Dispute(ResponseBody):
    """A dispute, or an inquiry (`warning_…`), about a donation, as the payment service reports it.

    `evidence_due_by` is null if it is not known, and if the bank takes no evidence; the latter needs no response.
    """

    id: str
    donation_id: UUID
    ticket_id: UUID
    workspace: str
    campaign: str | None
    donor: str
    amount: Decimal
    amount_minor: int
    currency: str
    status: str
    reason: str | None
    opened_at: Time
    evidence_due_by: Time | None
    needs_response: bool
    overdue: bool
    dashboard_url: Url | None

    @classmethod
    def from_row(cls, row: Row, personal: PersonalData, now: datetime, dashboard: str | None) -> Dispute:
        """Make the answer from a row of `projections.disputes`; without a `dashboard` it has no link there."""
        status, due_by = row["state"] or _UNREPORTED, row["due_by"]
        needs_response = status in UNANSWERED_DISPUTE_STATES and row["due_seconds"] != 0
        return cls(
            row["dispute_id"],
            row["donation_id"],
            row["ticket_id"],
            row["workspace"],
            campaign_title(row, personal),
            personal.donor(row),
            major(row["amount"], row["currency"]),
            row["amount"],
            row["currency"],
            status,
            row["reason"],
            utc(row["opened_at"]),
            utc_or_none(due_by),
            needs_response,
            needs_response and due_by is not None and due_by < now,
            f"{dashboard}/disputes/{row['dispute_id']}" if dashboard else None,
        )


class DisputePage(ResponseBody):
    """A result page of disputes: those that need a response first, by their deadline, and closed ones last."""

    disputes: list[Dispute]
    next_cursor: str | None


def dashboard_of(*, livemode: bool, sandbox: bool) -> str | None:
    """Return the address of Stripe's dashboard in this mode; None for the sandbox, of which Stripe knows nothing."""
    if sandbox:
        return None
    return DASHBOARD if livemode else f"{DASHBOARD}/test"
