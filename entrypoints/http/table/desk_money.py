"""Lists over all gifts of a workspace that need a decision or an answer, and their pages."""

from dataclasses import replace

from domain.refund_proposals import ProposalState
from entrypoints.http.handlers.desk_disputes import DeskDisputeHandlers
from entrypoints.http.handlers.desk_refund_all import DeskRefundAllHandlers
from entrypoints.http.handlers.desk_refund_requests import DeskRefundRequestHandlers
from entrypoints.http.handlers.disputes import STATUSES, DisputeHandlers
from entrypoints.http.handlers.refund_request_list import list_refund_requests
from entrypoints.http.operations import Access, Operation, Parameter
from entrypoints.http.table.access import CURSOR, GIFTS, LIMIT, MONEY, NOT_FOUND, READ_REFUND_REQUESTS
from entrypoints.http.table.desk_pages import DESK_MANAGE, DESK_REFUND, DESK_STAFF, PAGE
from entrypoints.http.table.pages import GONE, REFUSED, desk_form, desk_page

WORKSPACE = Parameter("workspace", "Only those of this workspace, for those who may read every one.")
# With the scope of the list, accountants see titles and donors on the page, too.
DESK_DISPUTES = replace(DESK_STAFF, scope=GIFTS.scope)
DESK_REFUND_PROGRESS = Access(frozenset(), members=MONEY, names_ticket=True)

OPERATIONS: tuple[Operation, ...] = (
    Operation(
        "GET", "/api/disputes", "List the disputes over all donations, those that have to be answered first",
        DisputeHandlers.list_all, GIFTS, other_responses=NOT_FOUND, tag="Donations", id="listDisputes",
        query=(
            Parameter(
                "status", "Only open or closed disputes, or those in this state of Stripe.",
                {"type": "string", "enum": list(STATUSES)},
            ),
            Parameter("from", "The first day in UTC on which the dispute was opened, or a time."),
            Parameter("to", "The last such day in UTC, or the first moment after it."),
            WORKSPACE, LIMIT, CURSOR,
        ),
    ),
    desk_page(
        "/desk/disputes", "Show the disputes over all gifts, with the deadlines for evidence", DeskDisputeHandlers.show,
        DESK_DISPUTES, query=(CURSOR,),
    ),
    Operation(
        "GET", "/api/refund-requests", "List the refunds that were asked for over all donations, the newest first",
        list_refund_requests, READ_REFUND_REQUESTS, other_responses=NOT_FOUND, tag="Donations",
        id="findRefundRequests",
        query=(
            Parameter("status", "Only refunds in this state.", {"type": "string", "enum": list(ProposalState)}),
            WORKSPACE, LIMIT, CURSOR,
        ),
    ),
    desk_page(
        "/desk/refund-requests", "Show the refunds that wait for another person's decision",
        DeskRefundRequestHandlers.show, DESK_REFUND, query=(CURSOR,),
    ),
    desk_page(
        f"{PAGE}/refund-all", "Show what paying all gifts of a suspended page back would do, or how far it is",
        DeskRefundAllHandlers.show, DESK_REFUND_PROGRESS, query=(CURSOR,), other_responses=GONE,
    ),
    desk_form(
        f"{PAGE}/refund-all", "Pay all gifts of a suspended page back", DeskRefundAllHandlers.request, DESK_MANAGE,
        other_responses=REFUSED,
    ),
)  # fmt: skip
