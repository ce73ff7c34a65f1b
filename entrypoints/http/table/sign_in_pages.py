"""The pages on which people sign in and find their stories."""

from entrypoints.http.handlers.sign_in_pages import SignInPageHandlers
from entrypoints.http.operations import Operation, RateLimit
from entrypoints.http.table.access import OPEN, SIGN_IN
from entrypoints.http.table.pages import AGAIN, GONE, as_pages, sign_in_button, sign_in_form, sign_in_page

OPERATIONS: tuple[Operation, ...] = (
    sign_in_page(
        "/find", "Show the form for a contact, or the stories of a person who is signed in", SignInPageHandlers.find,
        OPEN,
    ),
    sign_in_form(
        "/find", "Have a login code sent to the contact that a person entered", SignInPageHandlers.request_code,
        SIGN_IN, rate_limit=RateLimit.LOGIN_CODE, other_responses=AGAIN,
    ),
    sign_in_page(
        "/find/code", "Show the form for a login code", SignInPageHandlers.ask_for_code, OPEN,
        other_responses=as_pages(303),
    ),
    sign_in_form(
        "/find/code", "Sign the browser in with a login code", SignInPageHandlers.enter_code, SIGN_IN,
        other_responses=AGAIN,
    ),
    sign_in_page(
        "/sign-in/{token}", "Show the button that opens the link of a message", SignInPageHandlers.show_link, OPEN,
        other_responses=GONE,
    ),
    sign_in_button(
        "/sign-in/{token}", "Sign the browser in with the link of a message", SignInPageHandlers.open_link, SIGN_IN,
        other_responses=GONE,
    ),
    sign_in_button("/sign-out", "End the session of the browser", SignInPageHandlers.sign_out, OPEN),
)  # fmt: skip
