"""Authorization: decides whether the principal may call the operation, and for which ticket."""

from __future__ import annotations

from uuid import UUID

from adapters import ids
from adapters.identity.credentials import Principal
from adapters.observability import log_context
from adapters.postgres.database import Database
from domain.values import Role
from entrypoints.http import tus
from entrypoints.http.intake import VISITORS, Intake
from entrypoints.http.operations import Call
from entrypoints.http.problems import Problem, unauthenticated
from projections import contact_index, ticket_status
from projections.model import Row

INTAKE_CLOSED = "New tickets are opened only by the staff of this service."
WORKSPACE_CLOSED = "This workspace opens no new tickets."


class Authorization:
    """Check: sets the ticket that the path names, or raises 401, 403 or 404.

    A ticket that the principal has no access to is answered with 404 like an absent one, and after the same queries,
    so that the time of an answer does not reveal which of the two it is.
    """

    def __init__(self, database: Database, intake: Intake) -> None:
        self._database = database
        self._intake = intake

    def __call__(self, call: Call) -> None:
        access, principal = call.operation.access, call.principal
        ticket_id = _named_ticket(call) if access.names_ticket else None
        if principal.role is Role.VISITOR and not access.is_open:
            row = call.ticket_rows.get(ticket_id) if access.open_if_published and ticket_id is not None else None
            if row is None or not ticket_status.is_public(row):
                raise unauthenticated()
            _set_ticket(call, row)
            return
        is_member = principal.role is Role.MEMBER
        if principal.member_role not in access.members if is_member else principal.role not in access.roles:
            raise Problem("forbidden", "This credential does not allow this operation.")
        if principal.role is Role.CLIENT and access.scope is not None and access.scope not in principal.scopes:
            raise Problem("forbidden", f"This key lacks the scope {access.scope}.")
        if access.opens_tickets and not self._intake.may_open(principal):
            if principal.role is Role.VISITOR:
                raise unauthenticated(INTAKE_CLOSED)
            raise Problem("forbidden", INTAKE_CLOSED if principal.role in VISITORS else WORKSPACE_CLOSED)
        if access.names_workspace and is_member and principal.workspace != call.path_params["workspace"]:
            raise Problem("not-found", "There is no such workspace.")
        if access.names_ticket:
            _set_ticket(call, self._visible_ticket(call, ticket_id))

    def _visible_ticket(self, call: Call, ticket_id: UUID | None) -> Row:
        row = None if ticket_id is None else call.ticket_rows.get(ticket_id)
        if self._may_see(call, ticket_id, row):
            assert row is not None
            return row
        # The read model may lag behind: the event log decides before access is denied.
        newest = None if ticket_id is None else call.ticket_rows.newest(ticket_id)
        if newest is not None and newest is not row and self._may_see(call, ticket_id, newest):
            return newest
        raise Problem("not-found", "There is no such ticket.")

    def _may_see(self, call: Call, ticket_id: UUID | None, row: Row | None) -> bool:
        # Who may read for an audit may also read what is left of an erased ticket.
        keeps_erased = Role.AUDITOR in call.operation.access.roles
        if has_access(call.principal, ticket_id, row, self._database, keeps_erased=keeps_erased):
            return True
        return row is not None and call.operation.access.open_if_published and ticket_status.is_public(row)


def has_access(
    principal: Principal, ticket_id: UUID | None, row: Row | None, database: Database, *, keeps_erased: bool = False
) -> bool:
    """Return True if the ticket is the principal's own or of its workspace, or if the principal may read every ticket.

    `row` is None for an absent ticket, which takes the same queries as a present one. With `keeps_erased` members have
    access to what is left of an erased ticket of their workspace.
    """
    match principal.role:
        case Role.ADMIN | Role.AUDITOR:
            return row is not None
        case Role.HOLDER if principal.session is not None:
            has_contact = database.read(contact_index.has_contact, ticket_id, list(principal.contact_indexes))
            return has_contact and row is not None and not row["erased"]
        case Role.HOLDER:
            return row is not None and principal.ticket == row["ticket_id"] and not row["erased"]
        case Role.CLIENT:
            return row is not None and principal.workspace == row["workspace"] and not row["erased"]
        case Role.MEMBER:
            return row is not None and principal.workspace == row["workspace"] and (keeps_erased or not row["erased"])
        case _:
            return False


def _named_ticket(call: Call) -> UUID | None:
    if call.operation.access.ticket_in_metadata:
        return ids.parse(ids.normalized(tus.metadata(call.headers.get("upload-metadata")).get("ticket", "")))
    return ids.parse(call.path_params["ticket_id"])


def _set_ticket(call: Call, row: Row) -> None:
    call.ticket = row
    call.answer_ticket_id = row["ticket_id"]
    log_context.add(ticket=str(row["ticket_id"]))
