"""Operations and pages of the desk with which staff and operators see what has failed, and have it tried again."""

from entrypoints.http.bodies import Empty
from entrypoints.http.handlers.desk_dead_letters import DeskDeadLetterHandlers
from entrypoints.http.handlers.desk_jobs import DeskJobHandlers
from entrypoints.http.handlers.desk_mails import DeskMailHandlers
from entrypoints.http.handlers.jobs import LISTED_STATES, JobHandlers
from entrypoints.http.operations import Operation, Parameter, choice_schema
from entrypoints.http.table.access import (
    ADMINISTER,
    CURSOR,
    DEAD_MAILS,
    FAILED_JOBS,
    FAILED_JOBS_READ,
    JSON,
    LIMIT,
    NOT_FOUND,
)
from entrypoints.http.table.pages import AGAIN, as_pages, desk_button, desk_form, desk_page

REFUSED = as_pages(404, 409, 422)

FAILED = Parameter("status", "The state of the jobs. Others are not listed.", choice_schema(LISTED_STATES))

OPERATIONS: tuple[Operation, ...] = (
    Operation(
        "GET", "/api/jobs", "List the jobs that failed for good, newest first", JobHandlers.list_jobs, FAILED_JOBS_READ,
        query=(FAILED, Parameter("ticket", "Only jobs of this ticket."), LIMIT, CURSOR), tag="Jobs",
        id="listFailedJobs",
    ),
    Operation(
        "GET", "/api/jobs/{id}", "Get a job that failed for good", JobHandlers.show, FAILED_JOBS_READ,
        other_responses=NOT_FOUND, tag="Jobs", id="getFailedJob",
    ),
    Operation(
        "POST", "/api/jobs/{id}/retry", "Have a failed job tried again", JobHandlers.retry, FAILED_JOBS, JSON, Empty,
        202, other_responses=NOT_FOUND, tag="Jobs", id="retryJob",
    ),
    desk_page(
        "/desk/jobs", "Show the jobs that failed for good", DeskJobHandlers.show, FAILED_JOBS_READ,
        query=(LIMIT, CURSOR), other_responses=AGAIN,
    ),
    desk_button(
        "/desk/jobs/{id}/retry", "Have a failed job tried again", DeskJobHandlers.retry, FAILED_JOBS,
        other_responses=as_pages(404, 409, 422, 429),
    ),
    desk_page(
        "/desk/mails", "Show the mails and text messages that could not be sent", DeskMailHandlers.show, DEAD_MAILS,
        query=(LIMIT, CURSOR), other_responses=AGAIN,
    ),
    desk_button(
        "/desk/mails/{id}/retry", "Send a mail or text message again that could not be sent", DeskMailHandlers.retry,
        DEAD_MAILS, other_responses=REFUSED,
    ),
    desk_page(
        "/desk/dead-letters", "Show the webhook events that could not be applied", DeskDeadLetterHandlers.show,
        ADMINISTER, query=(LIMIT, CURSOR), other_responses=AGAIN,
    ),
    desk_form(
        "/desk/dead-letters/{id}/retry", "Apply a webhook event again, or let its payment count",
        DeskDeadLetterHandlers.retry, ADMINISTER, other_responses=REFUSED,
    ),
)  # fmt: skip
