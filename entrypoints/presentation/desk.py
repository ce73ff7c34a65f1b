"""The day's list, and what the staff note about a ticket, as responses."""

from __future__ import annotations

from typing import Annotated, Literal
from uuid import UUID

from msgspec import UNSET, Meta, UnsetType

from adapters.event_store.log import StoredEntry
from domain.approval import ApprovalState
from domain.desk import Desk
from domain.events import NoteAdded
from domain.values import ContentStatus, Kind
from entrypoints.presentation.personal_data import PersonalData
from entrypoints.presentation.responses import ResponseBody, Time, utc, utc_or_none
from entrypoints.presentation.tickets import Status
from projections.desk import STATUSES
from projections.model import Row

Counts = Annotated[dict[str, int], Meta(extra_json_schema={"propertyNames": {"enum": list(STATUSES)}})]


class ListedTicket(ResponseBody):
    """A ticket in the day's list. For masked readers name, title and labels are masked.

    The paid amount is what donors gave in the currency of the goal, before refunds; without a goal, in the currency in
    which most was given.
    """

    id: UUID
    workspace: str
    status: Status
    content_status: ContentStatus
    kind: Kind
    display_name: str | None
    title: str | None
    labels: list[str]
    assignee: UUID | None
    due_at: Time | None
    created_at: Time
    updated_at: Time
    goal_amount_minor: int | None
    paid_minor: int
    currency: str | None
    # Only a ticket whose page somebody asked to approve has this field, and only a suspended one the next.
    approval: ApprovalState | UnsetType = UNSET
    suspended: Literal[True] | UnsetType = UNSET

    @classmethod
    def from_row(cls, row: Row, personal: PersonalData) -> ListedTicket:
        ticket_id, goal = row["ticket_id"], row["goal"]
        return cls(
            id=ticket_id,
            workspace=row["workspace"],
            status=row["status"],
            content_status=ContentStatus(row["content_status"]),
            kind=Kind(row["kind"]),
            display_name=personal.text_or_none(ticket_id, row["display_name"]),
            title=personal.text_or_none(ticket_id, row["title"]),
            labels=[personal.text(ticket_id, label) for label in row["labels"]],
            assignee=row["assignee"],
            due_at=utc_or_none(row["due_at"]),
            created_at=utc(row["created_at"]),
            updated_at=utc(row["updated_at"]),
            goal_amount_minor=goal["minor"] if goal else None,
            paid_minor=row["paid"] if row["paid"] and (not goal or goal["currency"] == row["paid_currency"]) else 0,
            currency=goal["currency"] if goal else row["paid_currency"] or row["currency"],
            approval=ApprovalState(row["approval"]) if row["approval"] else UNSET,
            suspended=True if row["suspended"] else UNSET,
        )


class TicketList(ResponseBody):
    """A page of the day's list; `nextCursor` is null on the last page.

    `counts` and `approvalsRequested` count all tickets of the workspace, whatever the filters leave.
    """

    tickets: list[ListedTicket]
    counts: Counts
    approvals_requested: int
    next_cursor: str | None


class DeskState(ResponseBody):
    """The labels of a ticket, who takes care of it, and until when."""

    ticket_id: UUID
    labels: list[str]
    assignee: UUID | None
    due_at: Time | None

    @classmethod
    def of(cls, desk: Desk) -> DeskState:
        return cls(desk.ticket_id, list(desk.labels), desk.assignee, utc_or_none(desk.due_at))


class Note(ResponseBody):
    """A note that the staff wrote for themselves."""

    id: UUID
    text: str
    actor: str
    created_at: Time

    @classmethod
    def of(cls, entry: StoredEntry, personal: PersonalData) -> Note:
        event = entry.event()
        assert isinstance(event, NoteAdded)
        text = personal.text(entry.ticket, event.text)
        return cls(event.note_id, text, str(event.actor), utc(entry.recorded_at))


class NotePage(ResponseBody):
    """A result page of notes, newest first; `nextCursor` is null on the last one."""

    notes: list[Note]
    next_cursor: str | None


class DeskArchive(ResponseBody):
    """The notes of the staff about a ticket, the oldest first, in the archive that they download."""

    labels: list[str]
    assignee: UUID | None
    due_at: Time | None
    notes: list[Note]

    @classmethod
    def of(cls, row: Row | None, notes: list[Note], personal: PersonalData) -> DeskArchive:
        """Make it from the ticket's row of the day's list, which an erased ticket does not have."""
        if row is None:
            return cls([], None, None, notes)
        labels = [personal.text(row["ticket_id"], label) for label in row["labels"]]
        return cls(labels, row["assignee"], utc_or_none(row["due_at"]), notes)
