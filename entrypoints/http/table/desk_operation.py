"""The pages of the desk on which staff and operators see what has failed, and have it tried again."""

from entrypoints.http.handlers.desk_dead_letters import DeskDeadLetterHandlers
from entrypoints.http.handlers.desk_mails import DeskMailHandlers
from entrypoints.http.operations import BodyKind, Operation
from entrypoints.http.table.access import ADMINISTER, CURSOR, DEAD_MAILS, LIMIT

HTML = ("text/html",)
AGAIN = {422: "text/html"}
REFUSED = {404: "text/html", 409: "text/html", 422: "text/html"}
TAG = "Desk"

OPERATIONS: tuple[Operation, ...] = (
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
