"""The pages on which people sign in and find their stories."""

from entrypoints.http.handlers.sign_in_pages import SignInPageHandlers
from entrypoints.http.operations import BodyKind, Operation, RateLimit
from entrypoints.http.table.access import OPEN, SIGN_IN

HTML = ("text/html",)
GONE = {404: "text/html"}

OPERATIONS: tuple[Operation, ...] = (
    Operation(
        "GET", "/find", "Show the form for a contact, or the stories of a person who is signed in",
        SignInPageHandlers.find, OPEN, media_types=HTML, tag="Sign-in pages",
    ),
    Operation(
        "POST", "/find", "Have a login code sent to the contact that a person entered",
        SignInPageHandlers.request_code, SIGN_IN, BodyKind.FORM, None, 303, media_types=HTML,
        rate_limit=RateLimit.LOGIN_CODE, other_responses={422: "text/html"}, tag="Sign-in pages",
    ),
    Operation(
        "GET", "/find/code", "Show the form for a login code", SignInPageHandlers.ask_for_code, OPEN,
        media_types=HTML, other_responses={303: "text/html"}, tag="Sign-in pages",
    ),
    Operation(
        "POST", "/find/code", "Sign the browser in with a login code", SignInPageHandlers.enter_code, SIGN_IN,
        BodyKind.FORM, None, 303, media_types=HTML, other_responses={422: "text/html"}, tag="Sign-in pages",
    ),
    Operation(
        "GET", "/sign-in/{token}", "Show the button that opens the link of a message", SignInPageHandlers.show_link,
        OPEN, media_types=HTML, other_responses=GONE, tag="Sign-in pages",
    ),
    Operation(
        "POST", "/sign-in/{token}", "Sign the browser in with the link of a message", SignInPageHandlers.open_link,
        SIGN_IN, status=303, media_types=HTML, other_responses=GONE, tag="Sign-in pages",
    ),
    Operation(
        "POST", "/sign-out", "End the session of the browser", SignInPageHandlers.sign_out, OPEN, status=303,
        media_types=HTML, tag="Sign-in pages",
    ),
)  # fmt: skip
