"""Operations of the audit log and the security events of a workspace."""

from typing import get_args

from adapters.identity.security_events import SecurityEventKind
from entrypoints.http import bodies
from entrypoints.http.handlers.audit_log import AuditLogHandlers, Format
from entrypoints.http.handlers.security_events import SecurityEventHandlers
from entrypoints.http.operations import Operation, Parameter, choice_schema
from entrypoints.http.table.access import CURSOR, JSON, LIMIT, WORKSPACE_AUDIT, WORKSPACE_MANAGE
from entrypoints.http.table.members import WORKSPACE

FILTERS = (
    Parameter("member", "Only acts of the member with this id.", {"type": "string", "format": "uuid"}),
    Parameter(
        "operation",
        "Only this operation, such as `DELETE /api/tickets/{ticket_id}`; it may be named several times.",
    ),
    Parameter("from", "The first day of the period in UTC, or its first moment."),
    Parameter("to", "The last day of the period in UTC, or the first moment after it."),
    Parameter(
        "begun",
        "With `false`, the beginning of an act is left out if its outcome is recorded.",
        {"type": "boolean", "default": True},
    ),
)

OPERATIONS: tuple[Operation, ...] = (
    Operation(
        "GET", f"{WORKSPACE}/audit-log", "List who did what in a workspace, newest first",
        AuditLogHandlers.list_entries, WORKSPACE_AUDIT, query=(*FILTERS, LIMIT, CURSOR), tag="Workspaces",
        id="listAuditLog",
    ),
    Operation(
        "GET", f"{WORKSPACE}/security-events", "List what looks like misuse in a workspace, newest first",
        SecurityEventHandlers.list_events, WORKSPACE_AUDIT, tag="Workspaces", id="listSecurityEvents",
        query=(
            Parameter("kind", "Only events of this kind.", {"type": "string", "enum": [*SecurityEventKind]}),
            Parameter("seen", "Only events that were marked as seen, or only others.", {"type": "boolean"}),
            LIMIT,
            CURSOR,
        ),
    ),
    Operation(
        "POST", f"{WORKSPACE}/security-events/{{event_id}}/seen", "Mark a security event as seen",
        SecurityEventHandlers.mark_seen, WORKSPACE_MANAGE, JSON, bodies.Empty, tag="Workspaces",
        id="markSecurityEventSeen",
    ),
    Operation(
        "GET", f"{WORKSPACE}/audit-log/export", "Export who did what in a workspace, as CSV or JSON lines",
        AuditLogHandlers.export, WORKSPACE_AUDIT, media_types=("text/csv", "application/jsonl"), logs_reads=True,
        query=(Parameter("format", "A table, or one JSON document a line.", choice_schema(get_args(Format))), *FILTERS),
        tag="Workspaces", id="exportAuditLog",
    ),
)  # fmt: skip
