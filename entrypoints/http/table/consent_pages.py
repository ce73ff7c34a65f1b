"""The pages on which holders agree to what is shown, and choose its photo."""

from entrypoints.http.handlers.consent_page import ConsentPageHandlers
from entrypoints.http.handlers.photo_page import PhotoPageHandlers
from entrypoints.http.handlers.publish_page import PublishPageHandlers
from entrypoints.http.operations import BodyKind, Operation
from entrypoints.http.table.access import HOLDER_PAGE
from entrypoints.http.table.pages import AGAIN, holder_form, holder_page

PAGE = "/t/{ticket_id}"

OPERATIONS: tuple[Operation, ...] = (
    holder_page(
        f"{PAGE}/publish", "Show what would be public, to check it and agree to it", PublishPageHandlers.show,
        HOLDER_PAGE,
    ),
    holder_form(
        f"{PAGE}/publish", "Agree to what is shown, and publish the story", PublishPageHandlers.publish, HOLDER_PAGE,
        other_responses=AGAIN,
    ),
    holder_page(f"{PAGE}/consent", "Show what the person agreed to", ConsentPageHandlers.show, HOLDER_PAGE),
    holder_form(
        f"{PAGE}/consent", "Take a consent back on the page", ConsentPageHandlers.withdraw, HOLDER_PAGE,
        other_responses=AGAIN,
    ),
    holder_page(
        f"{PAGE}/photo", "Show the photo of the campaign page, and the form for another", PhotoPageHandlers.show,
        HOLDER_PAGE,
    ),
    holder_form(
        f"{PAGE}/photo", "Add a photo on the page, and make it the picture", PhotoPageHandlers.add, HOLDER_PAGE,
        body_kind=BodyKind.ATTACHMENT, other_responses=AGAIN,
    ),
    holder_form(
        f"{PAGE}/photo/change", "Choose, take off or delete a photo on the page", PhotoPageHandlers.change, HOLDER_PAGE,
        other_responses=AGAIN,
    ),
)  # fmt: skip
