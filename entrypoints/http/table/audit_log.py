"""Operations of the audit log of a workspace."""

from typing import get_args

from entrypoints.http.handlers.audit_log import AuditLogHandlers, Format
from entrypoints.http.operations import Operation, Parameter, choice_schema
from entrypoints.http.table.access import CURSOR, LIMIT, WORKSPACE_AUDIT
from entrypoints.http.table.members import WORKSPACE

FILTERS = (
    Parameter("member", "Only acts of the member with this id.", {"type": "string", "format": "uuid"}),
    Parameter("operation", "Only this operation, such as `DELETE /api/tickets/{ticket_id}`."),
    Parameter("from", "The first day of the period in UTC, or its first moment."),
    Parameter("to", "The last day of the period in UTC, or the first moment after it."),
)

OPERATIONS: tuple[Operation, ...] = (
    Operation(
        "GET", f"{WORKSPACE}/audit-log", "List who did what in a workspace, newest first",
        AuditLogHandlers.list_entries, WORKSPACE_AUDIT, query=(*FILTERS, LIMIT, CURSOR), tag="Workspaces",
    ),
    Operation(
        "GET", f"{WORKSPACE}/audit-log/export", "Export who did what in a workspace, as CSV or JSON lines",
        AuditLogHandlers.export, WORKSPACE_AUDIT, media_types=("text/csv", "application/jsonl"), logs_reads=True,
        query=(Parameter("format", "A table, or one JSON document a line.", choice_schema(get_args(Format))), *FILTERS),
        tag="Workspaces",
    ),
)  # fmt: skip
