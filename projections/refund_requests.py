"""Refunds that somebody asked for, over all donations: one row for each, with its reason sealed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from domain.events import DonationEvent, RefundProposalApproved, RefundProposalDeclined, RefundProposed
from domain.refund_proposals import ProposalState
from projections.exports import CAMPAIGN
from projections.model import Cursor, RecordedEvent, Row, Rows, Table, fetched_rows, topics

NAME = "refund_requests"
VERSION = 1
TOPICS = topics(RefundProposed, RefundProposalApproved, RefundProposalDeclined)

# Without an `amount` all that is left of the donation was asked for.
REFUND_REQUESTS = Table(
    "refund_requests",
    {
        "request_id": "uuid",
        "ticket_id": "uuid",
        "donation_id": "uuid",
        "state": "text",
        "amount": "bigint",
        "reason": "text",
        "asked_by": "text",
        "asked_at": "timestamptz",
        "decided_by": "text",
        "decided_at": "timestamptz",
        "position": "bigint",
    },
    key=("request_id",),
    indexes=("(asked_at, request_id)", "(asked_at, request_id) WHERE state = 'open'"),
)
TABLES = (REFUND_REQUESTS,)

_DECISIONS = {RefundProposalApproved: ProposalState.APPROVED, RefundProposalDeclined: ProposalState.DECLINED}


def fold(batch: Sequence[RecordedEvent], rows: Rows) -> None:
    decisions = (RefundProposalApproved, RefundProposalDeclined)
    decided = {recorded.event.proposal_id for recorded in batch if isinstance(recorded.event, decisions)}
    rows.load(REFUND_REQUESTS, {(request_id,) for request_id in decided})
    for recorded in batch:
        match recorded.event:
            case RefundProposed(proposal_id=request_id) as event:
                rows.put(REFUND_REQUESTS, _asked(event, recorded) | {"request_id": request_id})
            case RefundProposalApproved(proposal_id=request_id) | RefundProposalDeclined(proposal_id=request_id):
                if row := rows.get(REFUND_REQUESTS, (request_id,)):
                    rows.put(REFUND_REQUESTS, row | _decision(recorded.event, recorded))
            case _:
                pass


def _asked(event: RefundProposed, recorded: RecordedEvent) -> Row:
    return {
        "ticket_id": event.ticket_id,
        "donation_id": event.donation_id,
        "state": ProposalState.OPEN.value,
        "amount": event.amount.minor if event.amount else None,
        "reason": event.reason,
        "asked_by": str(event.actor),
        "asked_at": recorded.recorded_at,
        "decided_by": None,
        "decided_at": None,
        "position": recorded.position,
    }


def _decision(event: DonationEvent, recorded: RecordedEvent) -> Row:
    state = _DECISIONS[type(event)]
    return {
        "state": state.value,
        "decided_by": str(event.actor),
        "decided_at": recorded.recorded_at,
        "position": recorded.position,
    }


# Queries.

# When a refund was asked for, and its id: the last one of a result page.
PageEnd = tuple[datetime, UUID]

_REQUEST = {name: f"m.{name}" for name in REFUND_REQUESTS.columns} | {"currency": "g.currency"} | CAMPAIGN
_OF_WORKSPACE = "%(workspace)s::text IS NULL OR g.workspace = %(workspace)s"


def requests(
    cursor: Cursor, workspace: str | None, state: ProposalState | None, limit: int, after: PageEnd | None = None
) -> list[Row]:
    """Return up to `limit` refunds that were asked for, the newest first, with the currency and the campaign of each.

    With None they are of all workspaces, or in any state. `after` is the end of a page.
    """
    cursor.execute(
        f"""
        SELECT {", ".join(_REQUEST.values())} FROM read.refund_requests m
          JOIN read.donation_ledger g ON g.donation_id = m.donation_id
          LEFT JOIN read.ticket_status t ON t.ticket_id = m.ticket_id
         WHERE ({_OF_WORKSPACE}) AND (%(state)s::text IS NULL OR m.state = %(state)s)
           AND (%(asked_at)s::timestamptz IS NULL
                OR (m.asked_at, m.request_id) < (%(asked_at)s, %(request_id)s::uuid))
         ORDER BY m.asked_at DESC, m.request_id DESC LIMIT %(limit)s
        """,  # noqa: S608 (constants)
        {
            "workspace": workspace,
            "state": state,
            "limit": limit,
            "asked_at": after and after[0],
            "request_id": after and after[1],
        },
    )
    return fetched_rows(cursor, _REQUEST)


def open_requests(cursor: Cursor, workspace: str) -> int:
    """Return how many refunds of the workspace wait for a decision."""
    cursor.execute(
        "SELECT count(*) FROM read.refund_requests m JOIN read.donation_ledger g ON g.donation_id = m.donation_id"
        " WHERE m.state = 'open' AND g.workspace = %(workspace)s",
        {"workspace": workspace},
    )
    (count,) = cursor.fetchone()
    return int(count)
