"""The pages on which a person tells a story."""

from entrypoints.http.handlers.recording_pages import RecordingPageHandlers
from entrypoints.http.handlers.tell_pages import Teller, TellHandlers
from entrypoints.http.operations import BodyKind, Operation, RateLimit
from entrypoints.http.table.access import HOLDER_PAGE, JSON, OPEN, OPEN_TICKET

OPERATIONS: tuple[Operation, ...] = (
    Operation(
        "GET", "/tell", "Show the page on which a person records a story", TellHandlers.show, OPEN,
        media_types=("text/html",), tag="Telling",
    ),
    Operation(
        "POST", "/tell", "Open the ticket of a story and sign the browser in to it", TellHandlers.open, OPEN_TICKET,
        JSON, Teller, 201, idempotency_key=True, opened_version=2, rate_limit=RateLimit.CREATE, tag="Telling",
    ),
    Operation(
        "GET", "/tell/file", "Show the form for a recording that the person has", TellHandlers.show_file, OPEN,
        media_types=("text/html",), tag="Telling",
    ),
    Operation(
        "POST", "/tell/file", "Open a ticket with a recording and start to work on it", TellHandlers.send_file,
        OPEN_TICKET, BodyKind.AUDIO, None, 303, media_types=("text/html",), rate_limit=RateLimit.CREATE,
        other_responses={422: "text/html"}, tag="Telling",
    ),
    Operation(
        "GET", "/tell/write", "Show the form in which a person writes a story", TellHandlers.show_writing, OPEN,
        media_types=("text/html",), tag="Telling",
    ),
    Operation(
        "POST", "/tell/write", "Open a ticket with a written story as its draft", TellHandlers.write, OPEN_TICKET,
        BodyKind.FORM, None, 303, media_types=("text/html",), rate_limit=RateLimit.CREATE,
        other_responses={422: "text/html"}, tag="Telling",
    ),
    Operation(
        "GET", "/tell/{ticket_id}", "Show the page on which a person adds a recording to a story",
        TellHandlers.show_more, HOLDER_PAGE, media_types=("text/html",), tag="Telling",
    ),
    Operation(
        "POST", "/tell/{ticket_id}", "Add a recording to a story and start to work on it", TellHandlers.send_more,
        HOLDER_PAGE, BodyKind.AUDIO, None, 303, media_types=("text/html",), other_responses={422: "text/html"},
        tag="Telling",
    ),
    Operation(
        "GET", "/t/{ticket_id}/recordings", "Show the page on which a person hears and deletes recordings",
        RecordingPageHandlers.show, HOLDER_PAGE, media_types=("text/html",), tag="Telling",
    ),
    Operation(
        "POST", "/t/{ticket_id}/recordings/{recording_id}/delete", "Delete a recording from the page",
        RecordingPageHandlers.delete, HOLDER_PAGE, BodyKind.FORM, None, 303, media_types=("text/html",),
        tag="Telling",
    ),
)  # fmt: skip
