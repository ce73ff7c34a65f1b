"""The Desk: what the staff note about one ticket: labels, who takes care of it, until when, and notes."""

import unicodedata
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Self
from uuid import UUID, uuid5

from domain import events
from domain.aggregate import Aggregate
from domain.errors import FaultCode, InvalidError, RefusedError
from domain.values import Actor

MOST_LABELS = 20
LONGEST_LABEL = 50
MOST_NOTES = 1_000
LONGEST_NOTE = 4_000

_DESK = "desk"


def desk_stream(ticket_id: UUID) -> UUID:
    """Return the id of the stream in which the work on the ticket is recorded."""
    return uuid5(ticket_id, _DESK)


def normalized_label(label: str) -> str:
    """Return the label as it is stored: composed characters, and single spaces between words."""
    return " ".join(unicodedata.normalize("NFC", label).split())


def normalized_labels(labels: Sequence[str]) -> tuple[str, ...]:
    """Return the labels in alphabetical order; InvalidError if there are too many, or one is empty or too long.

    Labels that differ only in case are the same, and the first one stays.
    """
    by_folded: dict[str, str] = {}
    for index, label in enumerate(labels):
        normal = normalized_label(label)
        if not normal or len(normal) > LONGEST_LABEL or not normal.isprintable():
            detail = f"must be from 1 to {LONGEST_LABEL} printable characters"
            raise InvalidError(detail, f"/labels/{index}", FaultCode.INVALID)
        by_folded.setdefault(normal.casefold(), normal)
    if len(by_folded) > MOST_LABELS:
        raise InvalidError(f"must be at most {MOST_LABELS} labels", "/labels", FaultCode.OUT_OF_RANGE)
    return tuple(label for _, label in sorted(by_folded.items()))


class Desk(Aggregate):
    """It has a stream beside the ticket's, so that no version that the person has read becomes stale."""

    TOPIC = "desk"

    def __init__(self, ticket_id: UUID, workspace: str) -> None:
        self.ticket_id = ticket_id
        self.workspace = workspace
        self.labels: tuple[str, ...] = ()
        self.assignee: UUID | None = None
        self.due_at: datetime | None = None
        self.reminded = False
        self.note_ids: frozenset[UUID] = frozenset()

    # Deciding.

    @classmethod
    def open(cls, actor: Actor, ticket_id: UUID, workspace: str) -> Self:
        return cls._begin(events.DeskOpened, desk_stream(ticket_id), actor, ticket_id=ticket_id, workspace=workspace)

    def set_labels(self, actor: Actor, labels: Sequence[str]) -> None:
        normal = normalized_labels(labels)
        if normal != self.labels:
            self._trigger(events.LabelsChanged, actor, labels=normal)

    def assign(self, actor: Actor, assignee: UUID | None) -> None:
        """Make the member responsible; None leaves nobody responsible."""
        if assignee == self.assignee:
            return
        if assignee is None:
            self._trigger(events.TicketUnassigned, actor)
        else:
            self._trigger(events.TicketAssigned, actor, assignee=assignee)

    def set_due_date(self, actor: Actor, due_at: datetime | None) -> None:
        """Set the due date, to the second; None takes it away."""
        due = None if due_at is None else due_at.astimezone(UTC).replace(microsecond=0)
        if due == self.due_at:
            return
        if due is None:
            self._trigger(events.DueDateCleared, actor)
        else:
            self._trigger(events.DueDateSet, actor, due_at=int(due.timestamp()))

    def remind(self, actor: Actor, now: datetime) -> bool:
        """Record that the assignee is reminded, once for each due date; return False if nothing is due."""
        if self.assignee is None or self.due_at is None or self.due_at > now or self.reminded:
            return False
        self._trigger(events.DueReminderSent, actor, assignee=self.assignee)
        return True

    def add_note(self, actor: Actor, note_id: UUID, text: str) -> None:
        """Add a note; a repeated id does nothing."""
        if note_id in self.note_ids:
            return
        if len(self.note_ids) >= MOST_NOTES:
            raise RefusedError(f"A ticket has at most {MOST_NOTES} notes.")
        self._trigger(events.NoteAdded, actor, note_id=note_id, text=text)

    def _trigger(self, event_type: type[events.DeskEvent], actor: Actor, **fields: Any) -> None:
        self._record(event_type, actor, ticket_id=self.ticket_id, **fields)

    # Evolving.

    def evolve(self, event: events.DeskEvent) -> None:
        match event:
            case events.LabelsChanged(labels=labels):
                self.labels = labels
            case events.TicketAssigned(assignee=assignee):
                self.assignee = assignee
            case events.TicketUnassigned():
                self.assignee = None
            case events.DueDateSet(due_at=due_at):
                self.due_at, self.reminded = datetime.fromtimestamp(due_at, UTC), False
            case events.DueDateCleared():
                self.due_at, self.reminded = None, False
            case events.DueReminderSent():
                self.reminded = True
            case events.NoteAdded(note_id=note_id):
                self.note_ids |= {note_id}
            case _:
                pass
