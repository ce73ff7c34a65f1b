"""The rows of pages: what a browser opens, and the forms that it sends."""

from collections.abc import Mapping
from functools import partial

from entrypoints.http.operations import BodyKind, Operation

HTML = ("text/html",)


def as_pages(*statuses: int) -> Mapping[int, str]:
    """Return the `other_responses` of an operation that answers these statuses with a page."""
    return dict.fromkeys(statuses, "text/html")


# The form is shown again, with its faults.
AGAIN = as_pages(422)
GONE = as_pages(404)
UNAVAILABLE = as_pages(404, 410)
REFUSED = as_pages(403, 404, 409, 422)

page = partial(Operation, "GET", media_types=HTML)
form = partial(Operation, "POST", body_kind=BodyKind.FORM, status=303, media_types=HTML)
# A form without fields.
button = partial(Operation, "POST", status=303, media_types=HTML)

desk_page = partial(page, tag="Desk")
desk_form = partial(form, tag="Desk")
desk_button = partial(button, tag="Desk")
holder_page = partial(page, tag="Holder's pages")
holder_form = partial(form, tag="Holder's pages")
holder_button = partial(button, tag="Holder's pages")
sign_in_page = partial(page, tag="Sign-in pages")
sign_in_form = partial(form, tag="Sign-in pages")
sign_in_button = partial(button, tag="Sign-in pages")
