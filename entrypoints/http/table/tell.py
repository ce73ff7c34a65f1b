"""The pages on which a person tells a story."""

from functools import partial

from entrypoints.http.handlers.recording_pages import RecordingPageHandlers
from entrypoints.http.handlers.tell_pages import Teller, TellHandlers
from entrypoints.http.operations import BodyKind, Operation, RateLimit
from entrypoints.http.table import pages
from entrypoints.http.table.access import HOLDER_PAGE, JSON, OPEN, OPEN_TICKET
from entrypoints.http.table.pages import AGAIN

page = partial(pages.page, tag="Telling")
form = partial(pages.form, tag="Telling")

OPERATIONS: tuple[Operation, ...] = (
    page("/tell", "Show the page on which a person records a story", TellHandlers.show, OPEN),
    Operation(
        "POST", "/tell", "Open the ticket of a story and sign the browser in to it", TellHandlers.open, OPEN_TICKET,
        JSON, Teller, 201, idempotency_key=True, opened_version=2, rate_limit=RateLimit.CREATE, tag="Telling",
    ),
    page("/tell/file", "Show the form for a recording that the person has", TellHandlers.show_file, OPEN),
    form(
        "/tell/file", "Open a ticket with a recording and start to work on it", TellHandlers.send_file, OPEN_TICKET,
        body_kind=BodyKind.AUDIO, rate_limit=RateLimit.CREATE, other_responses=AGAIN,
    ),
    page("/tell/write", "Show the form in which a person writes a story", TellHandlers.show_writing, OPEN),
    form(
        "/tell/write", "Open a ticket with a written story as its draft", TellHandlers.write, OPEN_TICKET,
        rate_limit=RateLimit.CREATE, other_responses=AGAIN,
    ),
    page(
        "/tell/{ticket_id}", "Show the page on which a person adds a recording to a story", TellHandlers.show_more,
        HOLDER_PAGE,
    ),
    form(
        "/tell/{ticket_id}", "Add a recording to a story and start to work on it", TellHandlers.send_more, HOLDER_PAGE,
        body_kind=BodyKind.AUDIO, other_responses=AGAIN,
    ),
    page(
        "/t/{ticket_id}/recordings", "Show the page on which a person hears and deletes recordings",
        RecordingPageHandlers.show, HOLDER_PAGE,
    ),
    form(
        "/t/{ticket_id}/recordings/{recording_id}/delete", "Delete a recording from the page",
        RecordingPageHandlers.delete, HOLDER_PAGE,
    ),
)  # fmt: skip
