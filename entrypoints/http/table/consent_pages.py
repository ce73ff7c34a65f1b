"""The pages on which holders agree to what is shown."""

from entrypoints.http.handlers.publish_page import PublishPageHandlers
from entrypoints.http.operations import BodyKind, Operation
from entrypoints.http.table.access import HOLDER_PAGE

HTML = ("text/html",)
FAULTS = {422: "text/html"}
PAGE = "/t/{ticket_id}"
TAG = "Holder's pages"

OPERATIONS: tuple[Operation, ...] = (
    Operation(
        "GET", f"{PAGE}/publish", "Show what would be public, to check it and agree to it", PublishPageHandlers.show,
        HOLDER_PAGE, media_types=HTML, tag=TAG,
    ),
    Operation(
        "POST", f"{PAGE}/publish", "Agree to what is shown, and publish the story", PublishPageHandlers.publish,
        HOLDER_PAGE, BodyKind.FORM, None, 303, media_types=HTML, other_responses=FAULTS, tag=TAG,
    ),
)  # fmt: skip
