"""Sees to it that what administrators do, and what is denied, is on record."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import structlog

import projections
from adapters.identity.access_log import BEGUN, LOOKED, AccessRecord, logged_object
from domain.errors import DomainError, UnavailableError
from domain.values import Role
from entrypoints.http import problems
from entrypoints.http.operations import Answer, Call, Operation
from entrypoints.http.problems import Problem

if TYPE_CHECKING:
    from entrypoints.composition.service import Service

logger = structlog.get_logger()


class AuditTrail:
    """Writes to the access log before an admin's act is begun, and before a denied write is answered."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def denied(self, call: Call, operation: Operation, denial: Problem, credential: str | None = None) -> None:
        """A write that was not let in, on record; of a `credential` that is none, the key that it once was."""
        if operation.method == "GET":
            return
        actor = call.principal.name if credential is None else self._service.credentials.whose(credential)
        self._note(call, operation, f"denied {denial.kind.status}", actor)

    def seen(self, call: Call, operation: Operation, do: Callable[[], Answer]) -> Answer:
        """Does it. What an admin does is on record before it begins, and what came of it after."""
        if call.principal.role is not Role.ADMIN or not _counts(operation):
            return self._done(call, operation, do)
        if operation.method == "GET":
            self._note(call, operation, LOOKED, call.principal.name)
            return do()
        self._note(call, operation, BEGUN, call.principal.name)
        try:
            answer = do()
        except Exception as error:
            self._note_outcome(call, operation, _status(error))
            raise
        self._note_outcome(call, operation, answer.status)
        return answer

    def _done(self, call: Call, operation: Operation, do: Callable[[], Answer]) -> Answer:
        """Does it; a wrong code, say, is denied by its handler."""
        try:
            return do()
        except Problem as denial:
            if denial.kind.status in (401, 403):
                self.denied(call, operation, denial)
            raise

    def _note_outcome(self, call: Call, operation: Operation, status: int) -> None:
        """Missing where the database went away meanwhile: that it was begun is on record."""
        try:
            self._note(call, operation, f"answered {status}", call.principal.name)
        except UnavailableError:
            logger.warning("outcome not on record", request_id=call.request_id, status=status)

    def _note(self, call: Call, operation: Operation, outcome: str, actor: str) -> None:
        self._service.access_log.append(
            AccessRecord(
                actor,
                f"{operation.method} {operation.path}",
                logged_object(list(call.path.values()), projections.BY_NAME),
                outcome,
                call.request_id,
            )
        )


def _counts(operation: Operation) -> bool:
    """Every write, and every look at what is a person's; how the service itself is doing may be looked at freely."""
    if operation.method != "GET":
        return True
    return not operation.access.open and not operation.path.startswith("/admin/")


def _status(error: Exception) -> int:
    if isinstance(error, Problem):
        return error.kind.status
    return problems.of(error).kind.status if isinstance(error, DomainError) else 500
