"""Audit: the access log records the acts of administrators, and writes that were denied."""

from collections.abc import Callable
from typing import TypeVar

import structlog

import projections
from adapters.identity.access_log import BEGUN, LOOKED, AccessLog, AccessRecord, logged_object
from adapters.identity.credentials import VISITOR, Credentials
from domain.errors import UnavailableError
from domain.values import Role
from entrypoints.http.operations import Answer, Call, Operation
from entrypoints.http.problems import Problem, problem_of

T = TypeVar("T")

logger = structlog.get_logger()


class AuditTrail:
    """Writes to the access log before an admin's act begins, and before a denied write is answered."""

    def __init__(self, access_log: AccessLog, credentials: Credentials) -> None:
        self._access_log = access_log
        self._credentials = credentials

    def denied_writes(self, call: Call, proceed: Callable[[Call], T]) -> T:
        """Call middleware around the access checks: log a write that they deny."""
        try:
            return proceed(call)
        except Problem as problem:
            # A client over its limit writes no log entries either.
            if problem.status != 429:
                self._log_denied(call, problem)
            raise

    def acts(self, call: Call, proceed: Callable[[Call], Answer]) -> Answer:
        """Call middleware around the handler: log an admin's act before it begins, and its outcome afterwards."""
        if call.principal.role is not Role.ADMIN or not _is_audited(call.operation):
            return self._with_denials_logged(call, proceed)
        if call.operation.method == "GET":
            self._log(call, LOOKED)
            return proceed(call)
        self._log(call, BEGUN)
        try:
            answer = proceed(call)
        except Exception as error:
            self._log_outcome(call, problem_of(error).status)
            raise
        self._log_outcome(call, answer.status)
        return answer

    def _with_denials_logged(self, call: Call, proceed: Callable[[Call], Answer]) -> Answer:
        """Log what a handler denies by itself, such as a wrong login code."""
        try:
            return proceed(call)
        except Problem as problem:
            if problem.status in (401, 403):
                self._log_denied(call, problem)
            raise

    def _log_denied(self, call: Call, problem: Problem) -> None:
        """Log a denied write. If the credential is invalid, log the id of the revoked key that it belonged to."""
        if call.operation.method == "GET":
            return
        has_invalid_credential = call.principal is VISITOR and call.credential is not None
        actor = self._credentials.key_name(call.credential or "") if has_invalid_credential else call.principal.name
        self._log(call, f"denied {problem.status}", actor)

    def _log_outcome(self, call: Call, status: int) -> None:
        """Log the outcome; if the database is no longer available, the log still shows that the act began."""
        try:
            self._log(call, f"answered {status}")
        except UnavailableError:
            logger.warning("outcome not logged", request_id=call.request_id, status=status)

    def _log(self, call: Call, outcome: str, actor: str | None = None) -> None:
        self._access_log.append(
            AccessRecord(
                actor or call.principal.name,
                f"{call.operation.method} {call.operation.path}",
                logged_object(list(call.path.values()), projections.BY_NAME),
                outcome,
                call.request_id,
            )
        )


def _is_audited(operation: Operation) -> bool:
    """Return True for every write, and for reads of personal data; the service's own state may be read freely."""
    if operation.method != "GET":
        return True
    return not operation.access.open and not operation.path.startswith("/admin/")
