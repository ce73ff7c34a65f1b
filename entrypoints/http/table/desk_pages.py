"""The pages of the desk, on which staff sign in and work."""

from domain.members import MemberRole
from entrypoints.http.handlers.desk_keys import DeskKeyHandlers
from entrypoints.http.handlers.desk_members import DeskMemberHandlers
from entrypoints.http.handlers.desk_organisation import DeskOrganisationHandlers
from entrypoints.http.handlers.desk_refunds import DeskRefundHandlers
from entrypoints.http.handlers.desk_sign_in import DeskSignInHandlers
from entrypoints.http.handlers.desk_support import DeskSupportHandlers
from entrypoints.http.handlers.desk_tickets import DeskTicketHandlers
from entrypoints.http.operations import EVERY_MEMBER, Access, BodyKind, Operation, RateLimit
from entrypoints.http.table.access import (
    ADMIN,
    AUDITOR,
    CASEWORK,
    CURSOR,
    LIMIT,
    MANAGERS,
    OPEN,
    SIGN_IN,
    SIGNED_IN,
    STAFF,
)
from entrypoints.http.table.pages import AGAIN, GONE, REFUSED, as_pages, desk_button, desk_form, desk_page

# Operators of the installation are led on from here.
DESK_ENTRANCE = Access(frozenset({ADMIN, AUDITOR}), members=EVERY_MEMBER)
DESK_STAFF = Access(frozenset(), members=STAFF)
DESK_SUPPORT = Access(frozenset(), members=CASEWORK)
DESK_SUPPORT_READ = Access(frozenset(), members=CASEWORK | {MemberRole.AUDITOR})
DESK_TICKET = Access(frozenset(), members=STAFF, names_ticket=True)
DESK_WORK = Access(frozenset(), members=CASEWORK, names_ticket=True)
DESK_REFUND = Access(frozenset(), members=MANAGERS | {MemberRole.ACCOUNTANT})
DESK_MANAGE = Access(frozenset(), members=MANAGERS, names_ticket=True)
DESK_MANAGERS = Access(frozenset(), members=MANAGERS)
GIFT = "/desk/gifts/{donation_id}"
PAGE = "/desk/tickets/{ticket_id}"

OPERATIONS: tuple[Operation, ...] = (
    desk_page(
        "/desk", "Show the day's list of stories", DeskTicketHandlers.show_list, DESK_ENTRANCE, query=(CURSOR,),
        other_responses=as_pages(303),
    ),
    desk_page(
        PAGE, "Show a story to the staff, with everything that they noted", DeskTicketHandlers.show, DESK_TICKET,
        query=(CURSOR,), other_responses=GONE,
    ),
    desk_form(
        f"{PAGE}/desk", "Set labels, assignee and due date of a story", DeskTicketHandlers.change, DESK_WORK,
        other_responses=REFUSED,
    ),
    desk_form(
        f"{PAGE}/notes", "Add a note of the staff to a story", DeskTicketHandlers.add_note, DESK_WORK,
        other_responses=REFUSED,
    ),
    desk_form(
        f"{PAGE}/suspend", "Take the page of a story down, with a reason", DeskTicketHandlers.suspend, DESK_MANAGE,
        other_responses=REFUSED,
    ),
    desk_button(
        f"{PAGE}/reinstate", "End the suspension of a story", DeskTicketHandlers.reinstate, DESK_MANAGE,
        other_responses=GONE,
    ),
    desk_page(
        "/desk/support", "Show the requests for help about the stories of the workspace", DeskSupportHandlers.show_list,
        DESK_SUPPORT_READ, query=(CURSOR,),
    ),
    desk_page(
        "/desk/support/{id}", "Show a request for help with the replies", DeskSupportHandlers.show, DESK_SUPPORT_READ,
        other_responses=GONE,
    ),
    desk_form(
        "/desk/support/{id}/replies", "Answer a request for help", DeskSupportHandlers.reply, DESK_SUPPORT,
        other_responses=REFUSED,
    ),
    desk_form(
        "/desk/support/{id}/assignee", "Say who takes care of a request for help", DeskSupportHandlers.assign,
        DESK_SUPPORT, other_responses=REFUSED,
    ),
    desk_button(
        "/desk/support/{id}/resolve", "Mark a request for help as answered", DeskSupportHandlers.resolve, DESK_SUPPORT,
        other_responses=GONE,
    ),
    desk_page(
        "/desk/organisation", "Show the organisation and the rules of the workspace", DeskOrganisationHandlers.show,
        DESK_STAFF,
    ),
    desk_form(
        "/desk/organisation", "Change the organisation, or the rules of the workspace", DeskOrganisationHandlers.change,
        DESK_MANAGERS, other_responses=REFUSED,
    ),
    desk_form(
        "/desk/organisation/logo", "Choose the logo of the organisation", DeskOrganisationHandlers.choose_logo,
        DESK_MANAGERS, body_kind=BodyKind.ATTACHMENT, other_responses=REFUSED,
    ),
    desk_button(
        "/desk/organisation/logo/remove", "Remove the logo of the organisation", DeskOrganisationHandlers.remove_logo,
        DESK_MANAGERS,
    ),
    desk_form(
        f"{PAGE}/approve", "Approve the page of a story as it was shown", DeskTicketHandlers.approve, DESK_MANAGE,
        other_responses=as_pages(403, 404, 409, 412, 422),
    ),
    desk_form(
        f"{PAGE}/request-changes", "Say what is to be changed before the page of a story is approved",
        DeskTicketHandlers.request_changes, DESK_MANAGE, other_responses=REFUSED,
    ),
    desk_page(
        GIFT, "Show what a refund of a gift would do", DeskRefundHandlers.show, DESK_REFUND, other_responses=REFUSED,
    ),
    desk_form(
        f"{GIFT}/refund", "Pay a gift back, or a part of it", DeskRefundHandlers.refund, DESK_MANAGERS,
        other_responses=REFUSED,
    ),
    desk_form(
        f"{GIFT}/requests", "Ask another person to pay a gift back", DeskRefundHandlers.ask, DESK_REFUND,
        other_responses=REFUSED,
    ),
    desk_form(
        f"{GIFT}/requests/{{request_id}}", "Approve or decline a refund that another person asked for",
        DeskRefundHandlers.decide, DESK_MANAGERS, other_responses=REFUSED,
    ),
    desk_page("/desk/keys", "Show the API keys of the workspace", DeskKeyHandlers.show, DESK_MANAGERS, query=(CURSOR,)),
    desk_form(
        "/desk/keys", "Create an API key, whose secret is shown once", DeskKeyHandlers.create, DESK_MANAGERS,
        status=200, rate_limit=RateLimit.CREATE, other_responses=REFUSED,
    ),
    desk_button(
        "/desk/keys/{key_id}/revoke", "Revoke an API key", DeskKeyHandlers.revoke, DESK_MANAGERS, other_responses=GONE,
    ),
    desk_page(
        "/desk/sign-in", "Show the form for a member's address, or the workspaces of a member who is signed in",
        DeskSignInHandlers.show, OPEN,
    ),
    desk_form(
        "/desk/sign-in", "Have a login code sent to a member", DeskSignInHandlers.request_code, SIGN_IN,
        rate_limit=RateLimit.LOGIN_CODE, other_responses=AGAIN,
    ),
    desk_page(
        "/desk/sign-in/code", "Show the form for a member's login code", DeskSignInHandlers.ask_for_code, OPEN,
        other_responses=as_pages(303),
    ),
    desk_form(
        "/desk/sign-in/code", "Sign the browser of a member in with a login code", DeskSignInHandlers.enter_code,
        SIGN_IN, other_responses=AGAIN,
    ),
    desk_page(
        "/desk/sign-in/{token}", "Show the button that opens the link of a member's mail", DeskSignInHandlers.show_link,
        OPEN, other_responses=GONE,
    ),
    desk_button(
        "/desk/sign-in/{token}", "Sign the browser of a member in with the link of a mail",
        DeskSignInHandlers.open_link, SIGN_IN, other_responses=GONE,
    ),
    desk_form(
        "/desk/workspaces", "Work in another workspace, or accept an invitation", DeskSignInHandlers.choose, SIGNED_IN,
        other_responses=GONE,
    ),
    desk_page("/desk/account", "Show the member's own account and sessions", DeskSignInHandlers.account, DESK_STAFF),
    desk_form(
        "/desk/account", "Change the member's name, or end sessions", DeskSignInHandlers.change_account, DESK_STAFF,
        other_responses=REFUSED,
    ),
    desk_page(
        "/desk/members", "Show the members of the workspace", DeskMemberHandlers.show, DESK_STAFF,
        query=(LIMIT, CURSOR),
    ),
    desk_form(
        "/desk/members", "Invite somebody to the workspace", DeskMemberHandlers.invite, DESK_MANAGERS,
        rate_limit=RateLimit.CREATE, other_responses=REFUSED,
    ),
    desk_page(
        "/desk/members/former", "Show who was a member or was invited, and is no more", DeskMemberHandlers.show_former,
        DESK_MANAGERS, query=(CURSOR,),
    ),
    desk_form(
        "/desk/members/{member_id}/erase", "Erase the address and the name of a former member",
        DeskMemberHandlers.erase, DESK_MANAGERS, other_responses=REFUSED,
    ),
    desk_form(
        "/desk/members/{member_id}", "Change a member's role, remove a member or revoke an invitation",
        DeskMemberHandlers.change, DESK_STAFF, other_responses=REFUSED,
    ),
)  # fmt: skip
