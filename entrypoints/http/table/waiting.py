"""Operations for whoever waits for a draft: the status as it changes, and the pages that show and ask."""

from collections.abc import Mapping

from entrypoints.http.handlers.finding_pages import FindingPageHandlers
from entrypoints.http.handlers.question_pages import QuestionPageHandlers
from entrypoints.http.handlers.status_events import StatusEventHandlers
from entrypoints.http.handlers.wait_pages import WaitPageHandlers
from entrypoints.http.operations import BodyKind, EventStream, Operation
from entrypoints.http.table.access import HOLDER_PAGE, READ, TICKET

PAGE = "/t/{ticket_id}"
HTML = ("text/html",)
FAULTS: Mapping[int, str] = {422: "text/html"}
TAG = "Pages"

OPERATIONS: tuple[Operation, ...] = (
    Operation(
        "GET", f"{TICKET}/events", "Get the progress of the work on a ticket as server-sent events",
        StatusEventHandlers.events, READ, media_types=(EventStream.MEDIA_TYPE,),
    ),
    Operation(
        "GET", PAGE, "Show how far the work on a ticket is, and what comes next", WaitPageHandlers.show, HOLDER_PAGE,
        media_types=HTML, tag=TAG,
    ),
    Operation(
        "POST", f"{PAGE}/start", "Start the work on the recording from the page", WaitPageHandlers.start, HOLDER_PAGE,
        BodyKind.FORM, None, 303, media_types=HTML, tag=TAG,
    ),
    Operation(
        "POST", f"{PAGE}/retry", "Repeat the step that failed from the page", WaitPageHandlers.retry, HOLDER_PAGE,
        BodyKind.FORM, None, 303, media_types=HTML, tag=TAG,
    ),
    Operation(
        "GET", f"{PAGE}/questions", "Go to the first question that is open", QuestionPageHandlers.first, HOLDER_PAGE,
        status=303, media_types=HTML, tag=TAG,
    ),
    Operation(
        "GET", f"{PAGE}/questions/{{question}}", "Show a question about what the draft lacks",
        QuestionPageHandlers.show, HOLDER_PAGE, media_types=HTML, tag=TAG,
    ),
    Operation(
        "POST", f"{PAGE}/questions/{{question}}", "Answer a question about what the draft lacks",
        QuestionPageHandlers.answer, HOLDER_PAGE, BodyKind.FORM, None, 303, media_types=HTML,
        other_responses={**FAULTS, 409: "text/html"},
        tag=TAG,
    ),
    Operation(
        "GET", f"{PAGE}/answers", "Show all answers, to check them", QuestionPageHandlers.answers, HOLDER_PAGE,
        media_types=HTML, tag=TAG,
    ),
    Operation(
        "GET", f"{PAGE}/findings", "Ask about the next finding in the draft", FindingPageHandlers.show, HOLDER_PAGE,
        media_types=HTML, tag=TAG,
    ),
    Operation(
        "POST", f"{PAGE}/findings", "Keep or take out a finding of the draft", FindingPageHandlers.decide, HOLDER_PAGE,
        BodyKind.FORM, None, 303, media_types=HTML, tag=TAG,
    ),
)  # fmt: skip
