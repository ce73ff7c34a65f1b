"""Operations of those who work on tickets: the day's list, labels, assignees, due dates and notes."""

from domain.approval import ApprovalState
from domain.values import Kind
from entrypoints.http.handlers.desk import DeskChange, DeskHandlers, NewNote
from entrypoints.http.handlers.ticket_list import TicketListHandlers
from entrypoints.http.operations import Operation, Parameter, choice_schema
from entrypoints.http.table.access import CURSOR, DESK, DESK_READ, JSON, LIMIT, PATCH, TICKET, TICKET_LIST
from projections.desk import STATUSES, Sort

TAG = "Desk"

OPERATIONS: tuple[Operation, ...] = (
    Operation(
        "GET", "/api/tickets", "List the tickets of a workspace, with the number of those in each status",
        TicketListHandlers.list_tickets, TICKET_LIST, tag=TAG, id="listTickets",
        query=(
            Parameter("status", "Only tickets with this status.", {"type": "string", "enum": list(STATUSES)}),
            Parameter("kind", "Only tickets of this kind.", {"type": "string", "enum": list(Kind)}),
            Parameter(
                "approval", "Only tickets whose page has this state of approval.", choice_schema(tuple(ApprovalState)),
            ),
            Parameter(
                "label", "Only tickets with this label. Several parameters name several labels. Not for accountants.",
            ),
            Parameter("assignee", "The member who takes care of the tickets: an id, `me`, or `none`."),
            Parameter("from", "Only tickets that were opened at this time or day, or later."),
            Parameter("to", "Only tickets that were opened before this time, or by the end of this day."),
            Parameter(
                "q", "A contact as a whole, or words of the name and the title; of a word, three letters are enough."
                " Not for accountants.",
            ),
            Parameter("sort", "The order; a minus sign means the newest first.", choice_schema(tuple(Sort))),
            Parameter("workspace", "Only tickets of this workspace, for those who may read every one."),
            LIMIT, CURSOR,
        ),
    ),
    Operation(
        "PATCH", f"{TICKET}/desk", "Change a ticket's labels, who takes care of it, and until when",
        DeskHandlers.change, DESK, PATCH, DeskChange, tag=TAG, id="changeDesk",
    ),
    Operation(
        "GET", f"{TICKET}/notes", "List the notes of the staff, newest first", DeskHandlers.list_notes, DESK_READ,
        query=(LIMIT, CURSOR), tag=TAG, id="listNotes",
    ),
    Operation(
        "POST", f"{TICKET}/notes", "Add a note, which the person and strangers do not see", DeskHandlers.add_note, DESK,
        JSON, NewNote, 201, idempotency_key=True, tag=TAG, id="addNote",
    ),
)  # fmt: skip
