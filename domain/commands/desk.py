"""Commands for the work on a ticket: labels, who takes care of it, until when, and notes."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

from domain.desk import Desk
from domain.errors import FaultCode, InvalidError, NotFoundError
from domain.members import MemberRole
from domain.ports import Tickets, Workspaces
from domain.values import SYSTEM, Actor

# Those who work with people's stories.
ASSIGNABLE = frozenset({MemberRole.OWNER, MemberRole.ADMIN, MemberRole.CASEWORKER})


class Desks(Protocol):
    """The store of desks."""

    def get(self, ticket_id: UUID) -> Desk | None:
        """Return what was noted about the ticket, or None if nothing ever was."""

    def change(self, actor: Actor, ticket_id: UUID, workspace: str, decide: Callable[[Desk], object]) -> Desk:
        """Load, decide and record, as for tickets, and return the desk; what is noted first opens it."""


@dataclass(frozen=True)
class DeskCommands:
    tickets: Tickets
    desks: Desks
    workspaces: Workspaces

    def change(self, actor: Actor, ticket_id: UUID, changes: Mapping[str, Any]) -> Desk:
        """Change what is named: `labels`, `assignee` and `due_at`; None takes the assignee or the date away.

        InvalidError unless the assignee is a member of the ticket's workspace who works with stories.
        """

        def decide(desk: Desk) -> None:
            if "labels" in changes:
                desk.set_labels(actor, changes["labels"] or ())
            if "assignee" in changes:
                if changes["assignee"] not in (None, desk.assignee):
                    self._require_assignable(desk.workspace, changes["assignee"])
                desk.assign(actor, changes["assignee"])
            if "due_at" in changes:
                desk.set_due_date(actor, changes["due_at"])

        return self._change(actor, ticket_id, decide)

    def add_note(self, actor: Actor, ticket_id: UUID, note_id: UUID, text: str) -> None:
        self._change(actor, ticket_id, lambda desk: desk.add_note(actor, note_id, text))

    def remind(self, ticket_id: UUID, now: datetime) -> None:
        """Record that the assignee of a ticket which is due is reminded."""
        self._change(SYSTEM, ticket_id, lambda desk: desk.remind(SYSTEM, now))

    def _require_assignable(self, workspace: str, member_id: UUID) -> None:
        try:
            role = self.workspaces.get(workspace).member(member_id).role
        except NotFoundError:
            role = None
        if role not in ASSIGNABLE:
            detail = f"must be a member of the workspace who is {', '.join(sorted(ASSIGNABLE))}"
            raise InvalidError(detail, "/assignee", FaultCode.UNKNOWN_VALUE)

    def _change(self, actor: Actor, ticket_id: UUID, decide: Callable[[Desk], object]) -> Desk:
        ticket = self.tickets.get(ticket_id)
        if ticket.erased:
            raise NotFoundError("This ticket was erased.")
        return self.desks.change(actor, ticket_id, ticket.workspace, decide)
