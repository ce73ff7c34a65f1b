"""Operations of those who run a workspace: the approval of pages, and refunds of all gifts of a suspended one."""

from entrypoints.http import bodies
from entrypoints.http.handlers.admin import RefundOrder
from entrypoints.http.handlers.approvals import ApprovalHandlers, RequestedChanges
from entrypoints.http.handlers.refund_requests import RefundRequestHandlers
from entrypoints.http.handlers.refund_runs import RefundAllOrder, RefundRunHandlers
from entrypoints.http.operations import Operation
from entrypoints.http.table.access import (
    APPROVE,
    ASK_REFUND,
    CURSOR,
    JSON,
    LIMIT,
    NOT_FOUND,
    READ_REFUND_REQUESTS,
    REFUND,
    REFUND_PROGRESS,
    TAKE_DOWN,
    TICKET,
    WRITE,
)

REFUND_REQUESTS = "/api/donations/{donation_id}/refund-requests"

OPERATIONS: tuple[Operation, ...] = (
    Operation(
        "POST", f"{TICKET}/request-publication", "Ask the workspace to approve the page, so that it may be published",
        ApprovalHandlers.request, WRITE, JSON, bodies.Publication, id="requestPublication",
    ),
    Operation(
        "POST", f"{TICKET}/approve", "Approve the page as it was when that was asked for", ApprovalHandlers.approve,
        APPROVE, JSON, bodies.Empty, id="approvePage",
    ),
    Operation(
        "POST", f"{TICKET}/request-changes", "Say what is to be changed before the page is approved",
        ApprovalHandlers.request_changes, APPROVE, JSON, RequestedChanges, id="requestChanges",
    ),
    Operation(
        "POST", f"{TICKET}/refund-all", "Refund all gifts of a suspended ticket, but not those in dispute",
        RefundRunHandlers.request, TAKE_DOWN, JSON, RefundAllOrder, 202, idempotency_key=True, tag="Donations",
        id="refundAllGifts",
    ),
    Operation(
        "GET", f"{TICKET}/refund-all", "Get how far the refunds of all gifts are, and which gifts were skipped",
        RefundRunHandlers.show, REFUND_PROGRESS, query=(LIMIT, CURSOR), tag="Donations", id="getRefundsOfAllGifts",
    ),
    Operation(
        "POST", REFUND_REQUESTS, "Ask for a refund of a donation, which another person approves",
        RefundRequestHandlers.ask, ASK_REFUND, JSON, RefundOrder, 201, idempotency_key=True, tag="Donations",
        id="askForRefund",
    ),
    Operation(
        "GET", REFUND_REQUESTS, "List the refunds of a donation that were asked for",
        RefundRequestHandlers.list_requests, READ_REFUND_REQUESTS, query=(LIMIT, CURSOR), tag="Donations",
        other_responses=NOT_FOUND, id="listRefundRequests",
    ),
    Operation(
        "POST", f"{REFUND_REQUESTS}/{{request_id}}/approve", "Refund what another person asked for",
        RefundRequestHandlers.approve, REFUND, JSON, bodies.Empty, 202, tag="Donations", id="approveRefund",
    ),
    Operation(
        "POST", f"{REFUND_REQUESTS}/{{request_id}}/decline", "Decline a refund that was asked for",
        RefundRequestHandlers.decline, REFUND, JSON, bodies.Empty, tag="Donations", id="declineRefund",
    ),
)  # fmt: skip
