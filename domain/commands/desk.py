"""Commands for the work on a ticket: labels, who takes care of it, until when, and notes."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

from domain.desk import Desk
from domain.errors import FaultCode, InvalidError, NotFoundError
from domain.members import MemberRole
from domain.ports import Mail, Tickets, Workspaces
from domain.values import SYSTEM, Actor

# Those who work with people's stories.
ASSIGNABLE = frozenset({MemberRole.OWNER, MemberRole.ADMIN, MemberRole.CASEWORKER})


class Desks(Protocol):
    """The store of desks."""

    def get(self, ticket_id: UUID) -> Desk | None:
        """Return what was noted about the ticket, or None if nothing ever was."""

    def change(
        self,
        actor: Actor,
        ticket_id: UUID,
        workspace: str,
        decide: Callable[[Desk], object],
        mails: Sequence[Mail] = (),
    ) -> Desk:
        """Load, decide and record, as for tickets, and return the desk; what is noted first opens it.

        The mails are queued with the events, and not at all if no event was recorded.
        """


@dataclass(frozen=True)
class DeskCommands:
    """`desk_url` is where members work, which the mail to an assignee names."""

    tickets: Tickets
    desks: Desks
    workspaces: Workspaces
    desk_url: str

    def change(self, actor: Actor, ticket_id: UUID, changes: Mapping[str, Any]) -> Desk:
        """Change what is named: `labels`, `assignee` and `due_at`; None takes the assignee or the date away.

        InvalidError unless the assignee is a member of the ticket's workspace who works with stories.
        """

        def decide(desk: Desk) -> None:
            if "labels" in changes:
                desk.set_labels(actor, changes["labels"] or ())
            if "assignee" in changes:
                if changes["assignee"] not in (None, desk.assignee):
                    require_assignable(self.workspaces, desk.workspace, changes["assignee"])
                desk.assign(actor, changes["assignee"])
            if "due_at" in changes:
                desk.set_due_date(actor, changes["due_at"])

        return self._change(actor, ticket_id, decide)

    def add_note(self, actor: Actor, ticket_id: UUID, note_id: UUID, text: str) -> None:
        self._change(actor, ticket_id, lambda desk: desk.add_note(actor, note_id, text))

    def remind(self, ticket_id: UUID, now: datetime) -> None:
        """Send a mail to the assignee of a ticket that is due, once; none if the assignee is a member no more."""
        desk = self.desks.get(ticket_id)
        if desk is None or desk.assignee is None or desk.due_at is None:
            return
        try:
            member = self.workspaces.get(desk.workspace).member(desk.assignee)
        except NotFoundError:
            return
        # Nothing of the story, because mails are not sealed on their way.
        values = {
            "name": member.name or "",
            "due": desk.due_at.isoformat(),
            "page": f"{self.desk_url}/tickets/{ticket_id}",
        }
        key = f"due:{ticket_id}:{int(desk.due_at.timestamp())}:{member.id}"
        mail = Mail("ticket_due", member.email, values, key, ticket_id)
        self._change(SYSTEM, ticket_id, lambda loaded: loaded.remind(SYSTEM, now), [mail])

    def _change(
        self, actor: Actor, ticket_id: UUID, decide: Callable[[Desk], object], mails: Sequence[Mail] = ()
    ) -> Desk:
        ticket = self.tickets.get(ticket_id)
        if ticket.erased:
            raise NotFoundError("This ticket was erased.")
        return self.desks.change(actor, ticket_id, ticket.workspace, decide, mails)


def require_assignable(workspaces: Workspaces, workspace: str, member_id: UUID) -> None:
    """InvalidError unless the member of this workspace works with people's stories."""
    try:
        role = workspaces.get(workspace).member(member_id).role
    except NotFoundError:
        role = None
    if role not in ASSIGNABLE:
        detail = f"must be a member of the workspace who is {', '.join(sorted(ASSIGNABLE))}"
        raise InvalidError(detail, "/assignee", FaultCode.UNKNOWN_VALUE)
