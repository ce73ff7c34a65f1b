"""The handler for a ticket's history: its events, and the ticket as it was at an earlier position."""

from entrypoints.http.operations import Answer, Call
from entrypoints.http.paging import requested_page
from entrypoints.http.query import parse_integer, time_parameter
from entrypoints.presentation.history import EventPage, PastState, history_events


def history(call: Call) -> Answer[EventPage | PastState]:
    personal = call.personal_data()
    if "at" in call.query:
        position = position_parameter(call, call.query["at"])
        past_events = call.reads.ticket_history(call.ticket_id, until=position)
        return Answer(PastState.of(past_events, position, personal))
    page = requested_page(call)
    after = page.after_position() or 0
    entries = call.reads.ask_log(lambda log: log.ticket_page(call.ticket_id, after, page.limit + 1))
    shown = page.cut(entries, lambda entry: [entry.position])
    events = history_events(shown, personal, for_staff=call.is_staff)
    return page.answer(EventPage(events, page.next_cursor))


def position_parameter(call: Call, text: str) -> int:
    """Return the text as a position or, if it is a time, the last position at that time."""
    position = parse_integer(text)
    if position is not None:
        return position
    moment = time_parameter(call, "at")
    assert moment is not None
    return call.reads.ask_log(lambda log: log.position_at(moment))
