"""Audit: the access log records the acts of administrators, who heard a recording, and denied writes."""

from collections.abc import Callable

import structlog

import projections
from adapters.identity.access_log import BEGUN, LOOKED, AccessLog, AccessRecord, logged_object
from adapters.identity.credentials import VISITOR, Credentials
from domain.errors import UnavailableError
from domain.values import Role
from entrypoints.http.cookies import SAFE_METHODS
from entrypoints.http.operations import Answer, Call, Operation
from entrypoints.http.problems import Problem, problem_of

logger = structlog.get_logger()


class AuditTrail:
    """Writes to the access log before an admin's act or a logged read begins, and before a denied write is answered."""

    def __init__(self, access_log: AccessLog, credentials: Credentials) -> None:
        self._access_log = access_log
        self._credentials = credentials

    def answer(self, call: Call, get_answer: Callable[[], Answer]) -> Answer:
        """Return the answer of the handler; log an admin's act, a read that is logged, and a write that is denied."""
        if call.principal.role is Role.ADMIN and _is_audited(call.operation):
            return self._answer_admin(call, get_answer)
        if call.operation.logs_reads and call.principal.role is not Role.HOLDER:
            self._log(call, LOOKED)
        try:
            return get_answer()
        except Problem as problem:
            # Some writes are denied only by the handler, such as one with a wrong login code.
            if problem.status in (401, 403):
                self.log_denied_write(call, problem)
            raise

    def _answer_admin(self, call: Call, get_answer: Callable[[], Answer]) -> Answer:
        if call.operation.method == "GET":
            self._log(call, LOOKED)
            return get_answer()
        self._log(call, BEGUN)
        try:
            answer = get_answer()
        except Exception as error:
            self._log_outcome(call, problem_of(error).status)
            raise
        self._log_outcome(call, answer.status)
        return answer

    def log_denied_write(self, call: Call, problem: Problem) -> None:
        """Log a denied write. If the credential is invalid, log the id of the revoked key that it belonged to.

        A call over its rate limit is not logged, so that nobody can fill the log.
        """
        if call.operation.method in SAFE_METHODS or problem.status == 429:
            return
        has_invalid_credential = call.principal is VISITOR and call.credential is not None
        actor = self._credentials.key_name(call.credential or "") if has_invalid_credential else call.principal.name
        self._log(call, f"denied {problem.status}", actor)

    def _log_outcome(self, call: Call, status: int) -> None:
        """Log the outcome; if the database is no longer available, the log still shows that the act began."""
        try:
            self._log(call, f"answered {status}")
        except UnavailableError:
            logger.warning("outcome of an act is missing in the access log", request_id=call.logged_id, status=status)

    def _log(self, call: Call, outcome: str, actor: str | None = None) -> None:
        self._access_log.append(
            AccessRecord(
                actor or call.principal.name,
                f"{call.operation.method} {call.operation.path}",
                logged_object(list(call.path_params.values()), fixed_names=projections.BY_NAME),
                outcome,
                call.logged_id,
            )
        )


def _is_audited(operation: Operation) -> bool:
    """Return True for every write, and for every read that needs a credential, except the lists under /admin.

    These lists show the service's state; a single object under /admin may be a person's.
    """
    if operation.method != "GET":
        return True
    is_admin_list = operation.path.startswith("/admin/") and "{" not in operation.path
    return not operation.access.is_open and not is_admin_list
