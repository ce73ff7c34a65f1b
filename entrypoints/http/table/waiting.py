"""Operations for a person who waits for a draft: the status as it changes, and the pages that show and ask."""

from functools import partial

from entrypoints.http.handlers.finding_pages import FindingPageHandlers
from entrypoints.http.handlers.question_pages import QuestionPageHandlers
from entrypoints.http.handlers.status_events import StatusEventHandlers
from entrypoints.http.handlers.wait_pages import WaitPageHandlers
from entrypoints.http.operations import EventStream, Operation
from entrypoints.http.table import pages
from entrypoints.http.table.access import HOLDER_PAGE, READ, TICKET
from entrypoints.http.table.pages import as_pages

PAGE = "/t/{ticket_id}"
page = partial(pages.page, tag="Pages")
form = partial(pages.form, tag="Pages")

OPERATIONS: tuple[Operation, ...] = (
    Operation(
        "GET", f"{TICKET}/events", "Get the progress of the work on a ticket as server-sent events",
        StatusEventHandlers.events, READ, media_types=(EventStream.MEDIA_TYPE,), id="streamTicketStatus",
    ),
    page(PAGE, "Show how far the work on a ticket is, and what comes next", WaitPageHandlers.show, HOLDER_PAGE),
    form(f"{PAGE}/start", "Start the work on the recording from the page", WaitPageHandlers.start, HOLDER_PAGE),
    form(f"{PAGE}/retry", "Repeat the step that failed from the page", WaitPageHandlers.retry, HOLDER_PAGE),
    page(
        f"{PAGE}/questions", "Go to the first question that is open", QuestionPageHandlers.first, HOLDER_PAGE,
        status=303,
    ),
    page(
        f"{PAGE}/questions/{{question}}", "Show a question about what the draft lacks", QuestionPageHandlers.show,
        HOLDER_PAGE,
    ),
    form(
        f"{PAGE}/questions/{{question}}", "Answer a question about what the draft lacks", QuestionPageHandlers.answer,
        HOLDER_PAGE, other_responses=as_pages(409, 422),
    ),
    page(f"{PAGE}/answers", "Show all answers, to check them", QuestionPageHandlers.answers, HOLDER_PAGE),
    page(f"{PAGE}/findings", "Ask about the next finding in the draft", FindingPageHandlers.show, HOLDER_PAGE),
    form(f"{PAGE}/findings", "Keep or take out a finding of the draft", FindingPageHandlers.decide, HOLDER_PAGE),
)  # fmt: skip
