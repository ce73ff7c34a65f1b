"""The pages on which holders look after their published story."""

from entrypoints.http.handlers.help_pages import HelpPageHandlers
from entrypoints.http.handlers.manage_pages import ManagePageHandlers
from entrypoints.http.handlers.news_page import NewsPageHandlers
from entrypoints.http.operations import Operation, RateLimit
from entrypoints.http.table.access import CURSOR, HOLDER_PAGE, OPEN
from entrypoints.http.table.pages import (
    AGAIN,
    GONE,
    as_pages,
    holder_button,
    holder_form,
    holder_page,
    sign_in_button,
    sign_in_page,
)

PAGE = "/t/{ticket_id}"

OPERATIONS: tuple[Operation, ...] = (
    holder_page(
        f"{PAGE}/manage", "Show the gifts of a story, and what its holder can do", ManagePageHandlers.show, HOLDER_PAGE,
    ),
    holder_button(f"{PAGE}/manage/unpublish", "Take the campaign page down", ManagePageHandlers.unpublish, HOLDER_PAGE),
    holder_form(
        f"{PAGE}/manage/words", "Keep the words of a donor off the page, or show them again",
        ManagePageHandlers.change_words, HOLDER_PAGE,
    ),
    holder_form(
        f"{PAGE}/thanks", "Send thanks to those who gave and left an address", ManagePageHandlers.thank, HOLDER_PAGE,
        other_responses=AGAIN,
    ),
    holder_page(
        f"{PAGE}/recovery", "Show what a recovery sheet is, and whether there is one", ManagePageHandlers.show_recovery,
        HOLDER_PAGE,
    ),
    holder_button(
        f"{PAGE}/recovery", "Make a recovery sheet, which replaces the earlier one", ManagePageHandlers.make_recovery,
        HOLDER_PAGE, status=200,
    ),
    sign_in_page(
        "/recover/{token}", "Show the button that opens the link of a recovery sheet",
        ManagePageHandlers.show_recovery_link, OPEN, other_responses=GONE,
    ),
    sign_in_button(
        "/recover/{token}", "Sign the browser in with the link of a recovery sheet",
        ManagePageHandlers.open_recovery_link, OPEN, other_responses=GONE,
    ),
    holder_page(f"{PAGE}/contact", "Show the form for a new contact", ManagePageHandlers.show_contact, HOLDER_PAGE),
    holder_form(
        f"{PAGE}/contact", "Send a code to a new contact", ManagePageHandlers.request_contact, HOLDER_PAGE, status=200,
        other_responses=AGAIN,
    ),
    holder_form(
        f"{PAGE}/contact/code", "Confirm a new contact with its code", ManagePageHandlers.confirm_contact, HOLDER_PAGE,
        other_responses=AGAIN,
    ),
    holder_page(
        f"{PAGE}/help", "Show a holder's requests for help, and the form for another", HelpPageHandlers.show_list,
        HOLDER_PAGE, query=(CURSOR,),
    ),
    holder_form(
        f"{PAGE}/help", "Ask for help about a story", HelpPageHandlers.ask, HOLDER_PAGE, rate_limit=RateLimit.CREATE,
        other_responses=AGAIN,
    ),
    holder_page(
        f"{PAGE}/help/{{support_id}}", "Show a request for help with the conversation about it", HelpPageHandlers.show,
        HOLDER_PAGE, other_responses=GONE,
    ),
    holder_form(
        f"{PAGE}/help/{{support_id}}", "Write again about a request for help", HelpPageHandlers.reply, HOLDER_PAGE,
        other_responses=as_pages(404, 409, 422),
    ),
    holder_page(
        f"{PAGE}/news", "Show what a holder hears of by mail or text message", NewsPageHandlers.show, HOLDER_PAGE,
    ),
    holder_form(f"{PAGE}/news", "Choose what a holder hears of", NewsPageHandlers.choose, HOLDER_PAGE),
    holder_page(f"{PAGE}/erase", "Show what erasing a story means", ManagePageHandlers.show_erase, HOLDER_PAGE),
    holder_form(
        f"{PAGE}/erase", "Erase a story for good, once the word of the page was typed", ManagePageHandlers.erase,
        HOLDER_PAGE, other_responses=AGAIN,
    ),
)  # fmt: skip
