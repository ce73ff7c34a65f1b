"""Operations and pages of the desk with which staff and operators see what has failed, and have it tried again."""

from entrypoints.http.bodies import Empty
from entrypoints.http.handlers.desk_dead_letters import DeskDeadLetterHandlers
from entrypoints.http.handlers.desk_jobs import DeskJobHandlers
from entrypoints.http.handlers.desk_mails import DeskMailHandlers
from entrypoints.http.handlers.jobs import LISTED_STATES, JobHandlers
from entrypoints.http.operations import BodyKind, Operation, Parameter, choice_schema
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

HTML = ("text/html",)
AGAIN = {422: "text/html"}
REFUSED = {404: "text/html", 409: "text/html", 422: "text/html"}
TAG = "Desk"

FAILED = Parameter("status", "The state of the jobs. Others are not listed.", choice_schema(LISTED_STATES))

OPERATIONS: tuple[Operation, ...] = (
    Operation(
        "GET", "/api/jobs", "List the jobs that failed for good, newest first", JobHandlers.list_jobs, FAILED_JOBS_READ,
        query=(FAILED, Parameter("ticket", "Only jobs of this ticket."), LIMIT, CURSOR), tag="Jobs",
    ),
    Operation(
        "GET", "/api/jobs/{id}", "Get a job that failed for good", JobHandlers.show, FAILED_JOBS_READ,
        other_responses=NOT_FOUND, tag="Jobs",
    ),
    Operation(
        "POST", "/api/jobs/{id}/retry", "Have a failed job tried again", JobHandlers.retry, FAILED_JOBS, JSON, Empty,
        202, other_responses=NOT_FOUND, tag="Jobs",
    ),
    Operation(
        "GET", "/desk/jobs", "Show the jobs that failed for good", DeskJobHandlers.show, FAILED_JOBS_READ,
        media_types=HTML, query=(LIMIT, CURSOR), other_responses=AGAIN, tag=TAG,
    ),
    Operation(
        "POST", "/desk/jobs/{id}/retry", "Have a failed job tried again", DeskJobHandlers.retry, FAILED_JOBS,
        status=303, media_types=HTML, other_responses=REFUSED | {429: "text/html"}, tag=TAG,
    ),
    Operation(
        "GET", "/desk/mails", "Show the mails and text messages that could not be sent", DeskMailHandlers.show,
        DEAD_MAILS, media_types=HTML, query=(LIMIT, CURSOR), other_responses=AGAIN,
        tag=TAG,
    ),
    Operation(
        "POST", "/desk/mails/{id}/retry", "Send a mail or text message again that could not be sent",
        DeskMailHandlers.retry, DEAD_MAILS, status=303, media_types=HTML, other_responses=REFUSED, tag=TAG,
    ),
    Operation(
        "GET", "/desk/dead-letters", "Show the webhook events that could not be applied", DeskDeadLetterHandlers.show,
        ADMINISTER, media_types=HTML, query=(LIMIT, CURSOR), other_responses=AGAIN,
        tag=TAG,
    ),
    Operation(
        "POST", "/desk/dead-letters/{id}/retry", "Apply a webhook event again, or let its payment count",
        DeskDeadLetterHandlers.retry, ADMINISTER, BodyKind.FORM, None, 303, media_types=HTML, other_responses=REFUSED,
        tag=TAG,
    ),
)  # fmt: skip
