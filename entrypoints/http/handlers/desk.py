"""Handlers for what the staff note about a ticket: labels, who takes care of it, until when, and notes."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import AwareDatetime, Field, field_validator
from pydantic_core import PydanticCustomError

from adapters.event_store.log import StoredEntry
from domain.commands.desk import DeskCommands
from domain.desk import LONGEST_NOTE, desk_stream, normalized_labels
from domain.errors import FaultCode
from domain.events import NoteAdded
from entrypoints.http.bodies import Body, Text, report_fault
from entrypoints.http.handlers.consents import MAX_YEAR
from entrypoints.http.operations import Answer, Call
from entrypoints.http.paging import requested_page
from entrypoints.presentation.desk import DeskState, Note, NotePage


class DeskChange(Body):
    """A JSON Merge Patch (RFC 7396): absent fields stay as they are, null clears a field."""

    labels: Annotated[list[str], Field(max_length=100)] | None = None
    assignee: UUID | None = None
    due_at: AwareDatetime | None = None

    @field_validator("labels")
    @classmethod
    def _check_labels(cls, value: list[str] | None) -> list[str] | None:
        report_fault(lambda: normalized_labels(value or ()))
        return value

    @field_validator("due_at")
    @classmethod
    def _check_year(cls, value: datetime | None) -> datetime | None:
        if value is not None and not 1970 <= value.year <= MAX_YEAR:
            raise PydanticCustomError(FaultCode.OUT_OF_RANGE, "is out of range")
        return value


class NewNote(Body):
    text: Annotated[Text, Field(max_length=LONGEST_NOTE)]


@dataclass(frozen=True)
class DeskHandlers:
    commands: DeskCommands

    def change(self, call: Call, body: DeskChange) -> DeskState:
        return DeskState.of(self.commands.change(call.principal.actor, call.ticket_id, body.changes()))

    def list_notes(self, call: Call) -> Answer[NotePage]:
        page = requested_page(call)
        before = page.after_position()
        notes = [entry for entry in stored_notes(call) if before is None or entry.position < before]
        shown, personal = page.cut(notes, lambda entry: [entry.position]), call.personal_data()
        return page.answer(NotePage([Note.of(entry, personal) for entry in shown], page.next_cursor))

    def add_note(self, call: Call, body: NewNote) -> Answer[Note]:
        note_id = call.seed.id("note")
        self.commands.add_note(call.principal.actor, call.ticket_id, note_id, body.text)
        personal = call.personal_data()
        added = next(note for entry in stored_notes(call) if (note := Note.of(entry, personal)).id == note_id)
        return Answer(added, 201)


def stored_notes(call: Call) -> list[StoredEntry]:
    """Return the notes of the call's ticket, newest first; they are few."""
    entries = call.reads.ask_log(lambda log: log.stream(desk_stream(call.ticket_id)))
    return [entry for entry in reversed(entries) if entry.topic == NoteAdded.TOPIC]
