"""Authorization: decides whether the principal may call the operation, and for which ticket."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar
from uuid import UUID

from adapters import ids
from adapters.observability import log_context
from adapters.postgres.database import Database
from domain.values import Role
from entrypoints.http.operations import Call
from entrypoints.http.problems import Problem, unauthenticated
from projections import contact_index
from projections.model import Row

T = TypeVar("T")


class Authorization:
    """Call middleware: lets the call pass with the path's ticket as `call.ticket`, or raises 401, 403 or 404.

    A ticket that the principal may not know of is not found. The same queries run for an absent ticket as for somebody
    else's, so the time of an answer does not reveal which it is.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def __call__(self, call: Call, proceed: Callable[[Call], T]) -> T:
        self._authorize(call)
        if call.ticket is not None:
            log_context.add(ticket=str(call.ticket["ticket_id"]))
        return proceed(call)

    def _authorize(self, call: Call) -> None:
        access, principal = call.operation.access, call.principal
        ticket_id = ids.parse(call.path["ticket_id"]) if access.ticket else None
        if principal.role is Role.VISITOR and not access.open:
            row = call.ticket_rows.get(ticket_id) if access.published and ticket_id is not None else None
            if row is None or not row["published"]:
                raise unauthenticated()
            call.ticket = row
            return
        if principal.role not in access.roles:
            raise Problem("forbidden", "This credential does not allow this operation.")
        if principal.role is Role.CLIENT and access.scope is not None and access.scope not in principal.scopes:
            raise Problem("forbidden", f"This key lacks the scope {access.scope}.")
        if access.ticket:
            call.ticket = self._visible_ticket(call, ticket_id)

    def _visible_ticket(self, call: Call, ticket_id: UUID | None) -> Row:
        row = None if ticket_id is None else call.ticket_rows.get(ticket_id)
        if self._may_see(call, row):
            assert row is not None
            return row
        # The read model may lag behind: the event log decides before access is denied.
        newest = None if ticket_id is None else call.ticket_rows.newest(ticket_id)
        if newest is not None and newest is not row and self._may_see(call, newest):
            return newest
        raise Problem("not-found", "There is no such ticket.")

    def _may_see(self, call: Call, row: Row | None) -> bool:
        # Evaluated for an absent ticket too, so that it takes the same queries.
        is_own = self._is_own(call, row)
        return row is not None and (is_own or (call.operation.access.published and bool(row["published"])))

    def _is_own(self, call: Call, row: Row | None) -> bool:
        principal = call.principal
        match principal.role:
            case Role.ADMIN | Role.AUDITOR:
                return True
            case Role.HOLDER if principal.session is not None:
                with self._database.reading() as cursor:
                    has_contact = contact_index.is_of(
                        cursor, ids.parse(call.path["ticket_id"]), list(principal.contact_indexes)
                    )
                return has_contact and row is not None and not row["erased"]
            case Role.HOLDER:
                return row is not None and principal.ticket == row["ticket_id"] and not row["erased"]
            case Role.CLIENT:
                return row is not None and principal.workspace == row["workspace"] and not row["erased"]
            case _:
                return False
