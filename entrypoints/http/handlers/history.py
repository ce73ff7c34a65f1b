"""Handlers for a ticket's history: its events, and the ticket as it was at an earlier position."""

from dataclasses import dataclass
from datetime import datetime

from adapters.encryption.field_cipher import FieldCipher
from entrypoints.http.operations import Answer, Call
from entrypoints.http.paging import requested_page
from entrypoints.http.query import time_parameter
from entrypoints.presentation.history import EventPage, HistoryEvent, PastState


@dataclass(frozen=True)
class HistoryHandlers:
    cipher: FieldCipher

    def history(self, call: Call) -> Answer[EventPage | PastState]:
        personal = call.personal_data(self.cipher)
        if "at" in call.query:
            position = _position(call, call.query["at"])
            recorded = call.reads.recorded(call.ticket_id, until=position)
            return Answer(PastState.of(recorded, position, personal))
        page = requested_page(call)
        after = page.after_position()
        entries = call.reads.ask_log(lambda log: log.ticket_page(call.ticket_id, after, page.limit + 1))
        events = [HistoryEvent.of(entry, personal) for entry in page.cut(entries, lambda entry: [entry.position])]
        return page.answer(EventPage(events, page.next_cursor))


def _position(call: Call, text: str) -> int:
    """Return a position of the event log: the given one, or the last one recorded until a time."""
    if text.isascii() and text.isdigit() and len(text) < 19:
        return int(text)
    moment = time_parameter(call, "at")
    assert isinstance(moment, datetime)
    return call.reads.ask_log(lambda log: log.position_at(moment))
