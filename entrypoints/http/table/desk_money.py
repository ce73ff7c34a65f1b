"""Lists over all gifts of a workspace that need a decision or an answer, and their pages."""

from domain.refund_proposals import ProposalState
from entrypoints.http.handlers.desk_refund_requests import DeskRefundRequestHandlers
from entrypoints.http.handlers.refund_request_list import RefundRequestListHandlers
from entrypoints.http.operations import Operation, Parameter
from entrypoints.http.table.access import CURSOR, LIMIT, NOT_FOUND, READ_REFUND_REQUESTS
from entrypoints.http.table.desk_pages import DESK_REFUND, HTML, TAG

WORKSPACE = Parameter("workspace", "Only those of this workspace, for those who may read every one.")

OPERATIONS: tuple[Operation, ...] = (
    Operation(
        "GET", "/api/refund-requests", "List the refunds that were asked for over all donations, the newest first",
        RefundRequestListHandlers.list_all, READ_REFUND_REQUESTS, other_responses=NOT_FOUND, tag="Donations",
        query=(
            Parameter("status", "Only refunds in this state.", {"type": "string", "enum": list(ProposalState)}),
            WORKSPACE, LIMIT, CURSOR,
        ),
    ),
    Operation(
        "GET", "/desk/refund-requests", "Show the refunds that wait for another person's decision",
        DeskRefundRequestHandlers.show, DESK_REFUND, media_types=HTML, query=(CURSOR,), tag=TAG,
    ),
)  # fmt: skip
