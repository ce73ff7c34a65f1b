"""Operations of those who run a workspace: the approval of pages, and refunds of all gifts of a suspended one."""

from entrypoints.http import bodies
from entrypoints.http.handlers.approvals import ApprovalHandlers, RequestedChanges
from entrypoints.http.handlers.refund_runs import RefundAllOrder, RefundRunHandlers
from entrypoints.http.operations import Operation
from entrypoints.http.table.access import APPROVE, CURSOR, JSON, LIMIT, REFUND_PROGRESS, TAKE_DOWN, TICKET, WRITE

OPERATIONS: tuple[Operation, ...] = (
    Operation(
        "POST", f"{TICKET}/request-publication", "Ask the workspace to approve the page, so that it may be published",
        ApprovalHandlers.request, WRITE, JSON, bodies.Publication,
    ),
    Operation(
        "POST", f"{TICKET}/approve", "Approve the page as it was when that was asked for", ApprovalHandlers.approve,
        APPROVE, JSON, bodies.Empty,
    ),
    Operation(
        "POST", f"{TICKET}/request-changes", "Say what is to be changed before the page is approved",
        ApprovalHandlers.request_changes, APPROVE, JSON, RequestedChanges,
    ),
    Operation(
        "POST", f"{TICKET}/refund-all", "Refund all gifts of a suspended ticket, but not those in dispute",
        RefundRunHandlers.request, TAKE_DOWN, JSON, RefundAllOrder, 202, idempotency_key=True, tag="Donations",
    ),
    Operation(
        "GET", f"{TICKET}/refund-all", "Get how far the refunds of all gifts are, and which gifts were skipped",
        RefundRunHandlers.show, REFUND_PROGRESS, query=(LIMIT, CURSOR), tag="Donations",
    ),
)  # fmt: skip
