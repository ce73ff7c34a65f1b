"""Audit: the access log records acts of administrators and members, who heard a recording, and denied writes.

Of what members read, it has exports and everything about a single ticket. A member may open a ticket many times in an
hour, and the page of a ticket asks for its status again and again, so each of these reads is recorded once in an hour
by each process.
"""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable

import structlog

import projections
from adapters.identity.access_log import BEGUN, LOOKED, AccessDetails, AccessLog, AccessRecord, logged_object
from adapters.identity.credentials import VISITOR, Credentials
from domain.errors import UnavailableError
from domain.values import Role
from entrypoints.http.cookies import SAFE_METHODS
from entrypoints.http.operations import Answer, Call, Operation
from entrypoints.http.problems import Problem, problem_of

# For so long one record stands for repeated reads.
READ_SECONDS = 3600
MAX_RECENT_READS = 10_000
# The scope of the operations that export whole ledgers.
EXPORTS = "exports:read"

logger = structlog.get_logger()


class AuditTrail:
    """Writes to the access log before an act or a logged read begins, and before a denied write is answered.

    A workspace that does not exist is not recorded: its name is a text of the caller.
    """

    def __init__(
        self, access_log: AccessLog, credentials: Credentials, workspace_exists: Callable[[str], bool]
    ) -> None:
        self._access_log = access_log
        self._credentials = credentials
        self._workspace_exists = workspace_exists
        self._recent_reads = RecentReads()

    def answer(self, call: Call, get_answer: Callable[[], Answer]) -> Answer:
        """Return the answer of the handler; log an act, a read that is logged, and a write that is denied."""
        match call.principal.role:
            case Role.ADMIN if _is_audited(call.operation):
                return self._answer_act(call, get_answer)
            case Role.MEMBER if call.operation.method not in SAFE_METHODS:
                return self._answer_act(call, get_answer)
        if self._is_logged_read(call):
            self._log(call, LOOKED)
        try:
            return get_answer()
        except Problem as problem:
            # Some writes are denied only by the handler, such as one with a wrong login code.
            if problem.status in (401, 403):
                self.log_denied_write(call, problem)
            raise

    def _answer_act(self, call: Call, get_answer: Callable[[], Answer]) -> Answer:
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

    def _is_logged_read(self, call: Call) -> bool:
        role, operation = call.principal.role, call.operation
        if operation.logs_reads:
            return role is not Role.HOLDER
        if role is not Role.MEMBER or operation.method != "GET":
            return False
        if operation.access.scope == EXPORTS:
            return True
        return operation.access.names_ticket and self._recent_reads.is_new(
            (call.principal.name, operation.path, call.path_params["ticket_id"])
        )

    def log_denied_write(self, call: Call, problem: Problem) -> None:
        """Log a denied write. If the credential is invalid, log the id of the revoked key that it belonged to.

        A call over its rate limit is not logged, so that nobody can fill the log.
        """
        if call.operation.method in SAFE_METHODS or problem.status == 429:
            return
        has_invalid_credential = call.principal is VISITOR and call.credential is not None
        if not has_invalid_credential:
            self._log(call, f"denied {problem.status}")
            return
        owner = self._credentials.key_owner(call.credential or "")
        self._log(call, f"denied {problem.status}", owner.name, owner.workspace)

    def _log_outcome(self, call: Call, status: int) -> None:
        """Log the outcome; if the database is no longer available, the log still shows that the act began."""
        try:
            self._log(call, f"answered {status}")
        except UnavailableError:
            logger.warning("outcome of an act is missing in the access log", request_id=call.logged_id, status=status)

    def _log(self, call: Call, outcome: str, actor: str | None = None, workspace: str | None = None) -> None:
        self._access_log.append(
            AccessRecord(
                actor or call.principal.name,
                f"{call.operation.method} {call.operation.path}",
                logged_object(_path_values(call), fixed_names=projections.BY_NAME),
                outcome,
                call.logged_id,
            ),
            AccessDetails(workspace or self._workspace(call), call.principal.member_id, call.client_address),
        )

    def _workspace(self, call: Call) -> str | None:
        """Return the workspace that the call concerns, or None if that is not known.

        It is the caller's own where the caller has one, so that nobody learns from a log of what others have.
        """
        if call.principal.role in (Role.MEMBER, Role.CLIENT):
            return call.principal.workspace or call.workspace
        if call.principal.role in (Role.ADMIN, Role.AUDITOR):
            named = call.path_params.get("workspace") or call.query.get("workspace") or call.workspace
            if named is not None:
                return named if self._workspace_exists(named) else None
            if call.answer_ticket_id is not None:
                row = call.ticket_rows.get(call.answer_ticket_id)
                return None if row is None else row["workspace"]
        return None


class RecentReads:
    """Which reads were recorded in the last hour; the oldest are forgotten before they take much memory."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._lock = threading.Lock()
        self._ends: OrderedDict[tuple[str, ...], float] = OrderedDict()

    def is_new(self, read: tuple[str, ...]) -> bool:
        """Return True if the read was not recorded in the last hour; it is then taken as recorded."""
        now = self._now()
        with self._lock:
            if self._ends.get(read, now) > now:
                return False
            self._ends[read] = now + READ_SECONDS
            self._ends.move_to_end(read)
            if len(self._ends) > MAX_RECENT_READS:
                self._ends.popitem(last=False)
        return True


def _path_values(call: Call) -> list[str]:
    """Return the parts of the path that vary, without those that a handler added to the call."""
    return [value for name, value in call.path_params.items() if f"{{{name}}}" in call.operation.path]


def _is_audited(operation: Operation) -> bool:
    """Return True for every write, and for every read that needs a credential, except the lists under /admin.

    These lists show the service's state; a single object under /admin may be a person's.
    """
    if operation.method != "GET":
        return True
    is_admin_list = operation.path.startswith("/admin/") and "{" not in operation.path
    return not operation.access.is_open and not is_admin_list
