"""Handlers for a campaign's draft and its publication."""

from collections.abc import Callable
from dataclasses import dataclass

from domain.commands.tickets import TicketCommands
from entrypoints.http.bodies import DraftChange, Empty, FindingDecisions, Publication, Suspension
from entrypoints.http.handlers.preconditions import etag_header, if_match
from entrypoints.http.handlers.tickets import changed_ticket
from entrypoints.http.operations import Answer, Call
from entrypoints.presentation.safety import DraftSafety
from entrypoints.presentation.tickets import Draft, PublishedTicket, Ticket


@dataclass(frozen=True)
class CampaignHandlers:
    commands: TicketCommands
    page_url: Callable[[str], str]
    safety: DraftSafety

    def edit_draft(self, call: Call, body: DraftChange) -> Answer[Draft]:
        self.commands.edit_draft(call.principal.actor, call.ticket_id, body.changes(), if_match(call))
        return self._draft(call)

    def decide_findings(self, call: Call, body: FindingDecisions) -> Answer[Draft]:
        decisions = {decided.id: decided.decision for decided in body.decisions}
        self.commands.decide_findings(call.principal.actor, call.ticket_id, decisions, if_match(call))
        return self._draft(call)

    def publish(self, call: Call, body: Publication) -> Answer[PublishedTicket]:
        self.commands.publish(call.principal.actor, call.ticket_id, consent=body.consent, if_match=if_match(call))
        return self._publication(call, published=True)

    def unpublish(self, call: Call, _: Empty) -> Answer[PublishedTicket]:
        self.commands.unpublish(call.principal.actor, call.ticket_id, if_match(call))
        return self._publication(call, published=False)

    def suspend(self, call: Call, body: Suspension) -> Answer[Ticket]:
        self.commands.suspend(call.principal.actor, call.ticket_id, body.reason, if_match(call))
        return changed_ticket(call)

    def reinstate(self, call: Call, _: Empty) -> Answer[Ticket]:
        self.commands.reinstate(call.principal.actor, call.ticket_id, if_match(call))
        return changed_ticket(call)

    def _draft(self, call: Call) -> Answer[Draft]:
        row = call.current_row()
        personal = call.personal_data()
        return Answer(Draft.from_row(row, personal, self.safety.of(row, personal)), 200, etag_header(row))

    def _publication(self, call: Call, *, published: bool) -> Answer[PublishedTicket]:
        row = call.current_row()
        personal = call.personal_data()
        url = self.page_url(row["slug"]) if published else None
        return Answer(PublishedTicket.from_row(row, personal, public_url=url), 200, etag_header(row))
