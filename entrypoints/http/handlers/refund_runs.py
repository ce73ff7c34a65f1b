"""Handlers for refunding all gifts of a suspended ticket."""

from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from adapters.payments.refund_runs import RefundRuns
from domain.commands.refund_runs import RefundRunCommands
from domain.errors import NotFoundError
from entrypoints.http.bodies import Body, Line
from entrypoints.http.handlers.preconditions import if_match
from entrypoints.http.operations import Answer, Call
from entrypoints.http.paging import parse_id, requested_page
from entrypoints.presentation.refund_runs import RefundAllProgress
from projections import donation_ledger


class RefundAllOrder(Body):
    reason: Annotated[Line, Field(max_length=500)]


@dataclass(frozen=True)
class RefundRunHandlers:
    commands: RefundRunCommands
    runs: RefundRuns

    def request(self, call: Call, body: RefundAllOrder) -> Answer[RefundAllProgress]:
        """Begin to refund all gifts; while that goes on, another request shows its progress."""
        run = self.runs.progress(call.ticket_id)
        if run is None or run.ended_at is not None:
            run_id = call.seed.id("refund run")
            self.commands.request(call.principal.actor, call.ticket_id, run_id, body.reason, if_match(call))
            self.runs.wake()
        return Answer(self.show(call).body, 202)

    def show(self, call: Call) -> Answer[RefundAllProgress]:
        run, page = self.runs.progress(call.ticket_id), requested_page(call)
        if run is None:
            raise NotFoundError("Nobody asked for the refunds of all gifts of this ticket.")
        gifts = self.runs.skipped(run.run_id, page.limit + 1, page.after_key(parse_id))
        skipped = page.cut(gifts, lambda gift: (str(gift[0]),))
        totals = call.reads.ask(lambda cursor: donation_ledger.totals(cursor, call.ticket_id))
        return page.answer(RefundAllProgress.of(call.ticket_id, run, totals, skipped, page.next_cursor))
