"""Operations of those who run a workspace: the approval of pages."""

from entrypoints.http import bodies
from entrypoints.http.handlers.approvals import ApprovalHandlers, RequestedChanges
from entrypoints.http.operations import Operation
from entrypoints.http.table.access import APPROVE, JSON, TICKET, WRITE

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
)  # fmt: skip
