"""The handler that shows what a refund would do, before somebody asks for it."""

from dataclasses import dataclass

from domain.commands.refunds import RefundCommands
from entrypoints.http.handlers.donations import money
from entrypoints.http.handlers.donors import donation_row
from entrypoints.http.operations import Call
from entrypoints.http.query import amount_parameter
from entrypoints.presentation.donations import net_minor
from entrypoints.presentation.refunds import PlannedRefund
from projections import donation_ledger, fee_ledger, ticket_status
from projections.ticket_status import draft_of


@dataclass(frozen=True)
class RefundPreviewHandlers:
    commands: RefundCommands

    def preview(self, call: Call) -> PlannedRefund:
        row = donation_row(call)
        requested = amount_parameter(call, "amount")
        amount = None if requested is None else money(requested, row["currency"])
        preview = self.commands.preview(row["ticket_id"], row["donation_id"], amount)
        with call.reads.primary.reading() as cursor:
            settlements = fee_ledger.entries(cursor, [row["donation_id"]])
            totals = donation_ledger.totals(cursor, row["ticket_id"])
            ticket = ticket_status.ticket(cursor, row["ticket_id"])
        total = sum(net_minor(total) for total in totals if total["currency"] == row["currency"])
        return PlannedRefund.of(row, preview, settlements, total, draft_of(ticket).goal if ticket else None)
