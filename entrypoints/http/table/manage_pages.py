"""The pages on which holders look after their published story."""

from entrypoints.http.handlers.help_pages import HelpPageHandlers
from entrypoints.http.handlers.manage_pages import ManagePageHandlers
from entrypoints.http.handlers.news_page import NewsPageHandlers
from entrypoints.http.operations import BodyKind, Operation, RateLimit
from entrypoints.http.table.access import CURSOR, HOLDER_PAGE, OPEN

HTML = ("text/html",)
AGAIN = {422: "text/html"}
GONE = {404: "text/html"}
PAGE = "/t/{ticket_id}"

OPERATIONS: tuple[Operation, ...] = (
    Operation(
        "GET", f"{PAGE}/manage", "Show the gifts of a story, and what its holder can do", ManagePageHandlers.show,
        HOLDER_PAGE, media_types=HTML, tag="Holder's pages",
    ),
    Operation(
        "POST", f"{PAGE}/manage/unpublish", "Take the campaign page down", ManagePageHandlers.unpublish, HOLDER_PAGE,
        status=303, media_types=HTML, tag="Holder's pages",
    ),
    Operation(
        "POST", f"{PAGE}/manage/words", "Keep the words of a donor off the page, or show them again",
        ManagePageHandlers.change_words, HOLDER_PAGE, BodyKind.FORM, None, 303, media_types=HTML,
        tag="Holder's pages",
    ),
    Operation(
        "POST", f"{PAGE}/thanks", "Send thanks to those who gave and left an address", ManagePageHandlers.thank,
        HOLDER_PAGE, BodyKind.FORM, None, 303, media_types=HTML, other_responses=AGAIN, tag="Holder's pages",
    ),
    Operation(
        "GET", f"{PAGE}/recovery", "Show what a recovery sheet is, and whether there is one",
        ManagePageHandlers.show_recovery, HOLDER_PAGE, media_types=HTML, tag="Holder's pages",
    ),
    Operation(
        "POST", f"{PAGE}/recovery", "Make a recovery sheet, which replaces the earlier one",
        ManagePageHandlers.make_recovery, HOLDER_PAGE, media_types=HTML, tag="Holder's pages",
    ),
    Operation(
        "GET", "/recover/{token}", "Show the button that opens the link of a recovery sheet",
        ManagePageHandlers.show_recovery_link, OPEN, media_types=HTML, other_responses=GONE, tag="Sign-in pages",
    ),
    Operation(
        "POST", "/recover/{token}", "Sign the browser in with the link of a recovery sheet",
        ManagePageHandlers.open_recovery_link, OPEN, status=303, media_types=HTML, other_responses=GONE,
        tag="Sign-in pages",
    ),
    Operation(
        "GET", f"{PAGE}/contact", "Show the form for a new contact", ManagePageHandlers.show_contact, HOLDER_PAGE,
        media_types=HTML, tag="Holder's pages",
    ),
    Operation(
        "POST", f"{PAGE}/contact", "Send a code to a new contact", ManagePageHandlers.request_contact, HOLDER_PAGE,
        BodyKind.FORM, media_types=HTML, other_responses=AGAIN, tag="Holder's pages",
    ),
    Operation(
        "POST", f"{PAGE}/contact/code", "Confirm a new contact with its code", ManagePageHandlers.confirm_contact,
        HOLDER_PAGE, BodyKind.FORM, None, 303, media_types=HTML,
        other_responses=AGAIN, tag="Holder's pages",
    ),
    Operation(
        "GET", f"{PAGE}/help", "Show a holder's requests for help, and the form for another",
        HelpPageHandlers.show_list, HOLDER_PAGE, media_types=HTML, query=(CURSOR,), tag="Holder's pages",
    ),
    Operation(
        "POST", f"{PAGE}/help", "Ask for help about a story", HelpPageHandlers.ask, HOLDER_PAGE, BodyKind.FORM, None,
        303, media_types=HTML, rate_limit=RateLimit.CREATE, other_responses=AGAIN, tag="Holder's pages",
    ),
    Operation(
        "GET", f"{PAGE}/help/{{support_id}}", "Show a request for help with the conversation about it",
        HelpPageHandlers.show, HOLDER_PAGE, media_types=HTML, other_responses=GONE, tag="Holder's pages",
    ),
    Operation(
        "POST", f"{PAGE}/help/{{support_id}}", "Write again about a request for help", HelpPageHandlers.reply,
        HOLDER_PAGE, BodyKind.FORM, None, 303, media_types=HTML,
        other_responses={**AGAIN, **GONE, 409: "text/html"}, tag="Holder's pages",
    ),
    Operation(
        "GET", f"{PAGE}/news", "Show what a holder hears of by mail or text message", NewsPageHandlers.show,
        HOLDER_PAGE, media_types=HTML, tag="Holder's pages",
    ),
    Operation(
        "POST", f"{PAGE}/news", "Choose what a holder hears of", NewsPageHandlers.choose, HOLDER_PAGE, BodyKind.FORM,
        None, 303, media_types=HTML, tag="Holder's pages",
    ),
    Operation(
        "GET", f"{PAGE}/erase", "Show what erasing a story means", ManagePageHandlers.show_erase, HOLDER_PAGE,
        media_types=HTML, tag="Holder's pages",
    ),
    Operation(
        "POST", f"{PAGE}/erase", "Erase a story for good, once the word of the page was typed",
        ManagePageHandlers.erase, HOLDER_PAGE, BodyKind.FORM, None, 303, media_types=HTML, other_responses=AGAIN,
        tag="Holder's pages",
    ),
)  # fmt: skip
