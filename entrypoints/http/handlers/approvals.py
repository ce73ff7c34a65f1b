"""Handlers for the approval of a page, in workspaces that publish nothing without one."""

from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from domain.approval import LONGEST_NOTE
from domain.commands.approvals import ApprovalCommands
from entrypoints.http.bodies import Body, Empty, Publication, Text
from entrypoints.http.handlers.preconditions import if_match
from entrypoints.http.handlers.tickets import changed_ticket
from entrypoints.http.operations import Answer, Call
from entrypoints.presentation.tickets import Ticket


class RequestedChanges(Body):
    note: Annotated[Text, Field(max_length=LONGEST_NOTE, description="The holder gets the note by mail.")]


@dataclass(frozen=True)
class ApprovalHandlers:
    commands: ApprovalCommands

    def request(self, call: Call, body: Publication) -> Answer[Ticket]:
        self.commands.request(call.principal.actor, call.ticket_id, consent=body.consent, if_match=if_match(call))
        return changed_ticket(call)

    def approve(self, call: Call, _: Empty) -> Answer[Ticket]:
        self.commands.approve(call.principal.actor, call.ticket_id, if_match(call))
        return changed_ticket(call)

    def request_changes(self, call: Call, body: RequestedChanges) -> Answer[Ticket]:
        self.commands.request_changes(call.principal.actor, call.ticket_id, body.note, if_match(call))
        return changed_ticket(call)
