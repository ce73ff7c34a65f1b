"""The handler that lists the refunds that were asked for, over all donations of a workspace."""

from __future__ import annotations

from uuid import UUID

from domain.refund_proposals import ProposalState
from domain.values import Role
from entrypoints.http.handlers.exports import requested_workspace
from entrypoints.http.operations import Answer, Call
from entrypoints.http.paging import requested_page
from entrypoints.http.query import choice_parameter
from entrypoints.presentation.exports import campaign_title
from entrypoints.presentation.personal_data import PersonalData
from entrypoints.presentation.responses import ResponseBody, Time, utc, utc_or_none
from projections.model import Row
from projections.refund_requests import requests


class FoundRefundRequest(ResponseBody):
    """A refund that somebody asked for, with its donation and campaign; without an amount, of all that is left."""

    id: UUID
    donation_id: UUID
    ticket_id: UUID
    workspace: str
    campaign: str | None
    state: ProposalState
    amount_minor: int | None
    currency: str
    reason: str | None
    asked_by: str
    asked_at: Time
    decided_by: str | None
    decided_at: Time | None

    @classmethod
    def from_row(cls, row: Row, personal: PersonalData) -> FoundRefundRequest:
        return cls(
            row["request_id"],
            row["donation_id"],
            row["ticket_id"],
            row["workspace"],
            campaign_title(row, personal),
            ProposalState(row["state"]),
            row["amount"],
            row["currency"],
            personal.text_or_none(row["ticket_id"], row["reason"]),
            row["asked_by"],
            utc(row["asked_at"]),
            row["decided_by"],
            utc_or_none(row["decided_at"]),
        )


class FoundRefundRequestPage(ResponseBody):
    """A result page of refunds that were asked for, the newest first."""

    refund_requests: list[FoundRefundRequest]
    next_cursor: str | None


def list_refund_requests(call: Call) -> Answer[FoundRefundRequestPage]:
    page, workspace = requested_page(call), requested_workspace(call)
    state = choice_parameter(call, "status", tuple(ProposalState)) if "status" in call.query else None
    after = page.after_time_and_id()
    fetched_rows = call.reads.ask(lambda cursor: requests(cursor, workspace, state, page.limit + 1, after))
    rows = page.cut(fetched_rows, lambda row: [row["asked_at"].isoformat(), str(row["request_id"])])
    # Accountants know the titles from the gifts, and they ask for refunds themselves.
    personal = PersonalData(call.cipher, masked=call.principal.role is Role.AUDITOR)
    personal.preload_keys([row["ticket_id"] for row in rows])
    listed = [FoundRefundRequest.from_row(row, personal) for row in rows]
    return page.answer(FoundRefundRequestPage(listed, page.next_cursor))
