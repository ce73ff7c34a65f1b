"""Events of the desk: what those who work on a ticket note about it. They have a stream of their own for each ticket.

The person's pages show that something was noted, and never what.
"""

from uuid import UUID

from domain.events.base import AggregateCreated, TicketEvent
from domain.values import Personal


class DeskEvent(TicketEvent):
    """One fact about the work on one ticket. It changes neither the version of the ticket nor when it was last used."""

    ticket_id: UUID

    @property
    def ticket(self) -> UUID:
        return self.ticket_id


class DeskOpened(DeskEvent, AggregateCreated):
    """The staff noted something about the ticket for the first time."""

    TOPIC = "desk_opened"
    originator_topic = "desk"
    workspace: str


class LabelsChanged(DeskEvent):
    """The ticket has exactly these labels now."""

    TOPIC = "labels_changed"
    labels: tuple[Personal, ...]


class TicketAssigned(DeskEvent):
    """The member `assignee` of the workspace takes care of the ticket."""

    TOPIC = "ticket_assigned"
    assignee: UUID


class TicketUnassigned(DeskEvent):
    TOPIC = "ticket_unassigned"


class DueDateSet(DeskEvent):
    """The ticket is to be dealt with by `due_at`, in Unix seconds."""

    TOPIC = "due_date_set"
    due_at: int


class DueDateCleared(DeskEvent):
    TOPIC = "due_date_cleared"


class DueReminderSent(DeskEvent):
    """The due date has come, and a mail to the assignee was queued."""

    TOPIC = "due_reminder_sent"
    assignee: UUID


class NoteAdded(DeskEvent):
    """A note of the staff, which neither the person nor strangers read here."""

    TOPIC = "note_added"
    note_id: UUID
    text: Personal
