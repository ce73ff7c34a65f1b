"""The table of operations: every method and path of the HTTP interface, one module for each area."""

from entrypoints.http.operations import Operation
from entrypoints.http.table import (
    about,
    administration,
    attachments,
    audit_log,
    audit_pages,
    consent_pages,
    consents,
    corrections,
    desk_pages,
    donations,
    figures,
    keys,
    manage_pages,
    members,
    public_pages,
    sign_in_pages,
    staff_work,
    tell,
    tickets,
    uploads,
    voices,
    waiting,
)

OPERATIONS: tuple[Operation, ...] = (
    *tickets.OPERATIONS,
    *staff_work.OPERATIONS,
    *corrections.OPERATIONS,
    *waiting.OPERATIONS,
    *consents.OPERATIONS,
    *uploads.OPERATIONS,
    *attachments.OPERATIONS,
    *voices.OPERATIONS,
    *tell.OPERATIONS,
    *donations.OPERATIONS,
    *figures.OPERATIONS,
    *administration.OPERATIONS,
    *members.OPERATIONS,
    *desk_pages.OPERATIONS,
    *keys.OPERATIONS,
    *audit_log.OPERATIONS,
    *public_pages.OPERATIONS,
    *audit_pages.OPERATIONS,
    *sign_in_pages.OPERATIONS,
    *manage_pages.OPERATIONS,
    *consent_pages.OPERATIONS,
    *about.OPERATIONS,
)

MONITORING_OPERATIONS = tuple(operation for operation in OPERATIONS if operation.monitoring)
