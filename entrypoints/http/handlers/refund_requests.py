"""Handlers for refunds that one member asks for and another one approves or declines."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from domain.commands.refunds import RefundCommands
from domain.refund_proposals import ProposalState, RefundProposal
from domain.values import Role
from entrypoints.http.bodies import Empty
from entrypoints.http.handlers.admin import RefundOrder
from entrypoints.http.handlers.donations import money
from entrypoints.http.handlers.donors import donation_row
from entrypoints.http.handlers.members import id_in_path
from entrypoints.http.operations import Answer, Call
from entrypoints.http.paging import parse_id, requested_page
from entrypoints.presentation.personal_data import MASKED
from entrypoints.presentation.responses import ResponseBody
from projections import ticket_status
from projections.model import Row


class RefundRequestView(ResponseBody):
    """A refund that somebody asked for; without an amount, of all that is left."""

    id: UUID
    donation_id: UUID
    state: ProposalState
    amount_minor: int | None
    currency: str
    reason: str | None
    asked_by: str


class RefundRequestPage(ResponseBody):
    """A result page of refunds that were asked for, in the order of their ids."""

    refund_requests: list[RefundRequestView]
    next_cursor: str | None


@dataclass(frozen=True)
class RefundRequestHandlers:
    commands: RefundCommands

    def ask(self, call: Call, body: RefundOrder) -> Answer[RefundRequestView]:
        row, id = donation_row(call), call.seed.id("refund request")
        amount = None if body.amount is None else money(body.amount, row["currency"])
        ticket = call.reads.primary.read(ticket_status.ticket, row["ticket_id"])
        # The key of an erased ticket is destroyed, so the reason cannot be stored.
        reason = body.reason if ticket is not None and not ticket["erased"] else None
        self.commands.propose(call.principal.actor, row["ticket_id"], row["donation_id"], id, amount, reason)
        return Answer(self._view(call, row, id), 201)

    def list_requests(self, call: Call) -> Answer[RefundRequestPage]:
        row, page = donation_row(call), requested_page(call)
        after = page.after_key(parse_id)
        proposals = self.commands.donations.get(row["ticket_id"], row["donation_id"]).proposals
        ids = [id for id in sorted(proposals) if after is None or id > after]
        views = [_view_of(call, row, proposals[id]) for id in page.cut(ids, lambda id: (str(id),))]
        return page.answer(RefundRequestPage(views, page.next_cursor))

    def approve(self, call: Call, _: Empty) -> Answer[RefundRequestView]:
        row, id = donation_row(call), id_in_path(call.path_params["request_id"], "refund request")
        self.commands.approve(call.principal.actor, row["ticket_id"], row["donation_id"], id)
        return Answer(self._view(call, row, id), 202)

    def decline(self, call: Call, _: Empty) -> Answer[RefundRequestView]:
        row, id = donation_row(call), id_in_path(call.path_params["request_id"], "refund request")
        self.commands.decline(call.principal.actor, row["ticket_id"], row["donation_id"], id)
        return Answer(self._view(call, row, id), 200)

    def _view(self, call: Call, row: Row, id: UUID) -> RefundRequestView:
        return _view_of(call, row, self.commands.donations.get(row["ticket_id"], row["donation_id"]).proposals[id])


def _view_of(call: Call, row: Row, proposal: RefundProposal) -> RefundRequestView:
    hides_reason = proposal.reason is not None and call.principal.role is Role.AUDITOR
    return RefundRequestView(
        proposal.id,
        row["donation_id"],
        proposal.state,
        proposal.amount.minor if proposal.amount else None,
        row["currency"],
        MASKED if hides_reason else proposal.reason,
        str(proposal.asked_by),
    )
