"""The mail sender takes mails from the outbox to the mail transport."""

from typing import Any

import structlog
from structlog.typing import FilteringBoundLogger

from adapters.mail.dead_mails import PERISHABLE
from adapters.mail.messages import compose
from adapters.mail.outbox import Outbox, QueuedMail
from adapters.mail.transports import MailTransport
from adapters.observability import counters, tracing
from adapters.postgres.background import StepLoop
from adapters.postgres.database import Database
from adapters.postgres.leased_queue import LeasedQueue
from domain.errors import DomainError, NotFoundError, RefusedError, UnavailableError
from domain.ports import Mail

POLL_SECONDS = 0.5
# Longer than the transport takes for one mail, so that no other process sends it meanwhile.
LEASE_SECONDS = 120
FIRST_PAUSE_SECONDS = 2
LONGEST_PAUSE_SECONDS = 3600
# With these pauses a mail is tried for a little more than two days.
MAX_ATTEMPTS = 60

logger = structlog.get_logger()

_QUEUE = LeasedQueue(
    "outbox",
    "id",
    "id, key, kind, ticket_id, sealed, created_at",
    lease_seconds=LEASE_SECONDS,
    max_attempts=MAX_ATTEMPTS,
    first_pause_seconds=FIRST_PAUSE_SECONDS,
    longest_pause_seconds=LONGEST_PAUSE_SECONDS,
)


class MailSender(StepLoop):
    """Sends mails, when called or in its own thread between `start` and `stop`, in any number of processes."""

    def __init__(self, database: Database, outbox: Outbox, transport: MailTransport) -> None:
        super().__init__("mail sender", self.send_one, POLL_SECONDS)
        self._database = database
        self._outbox = outbox
        self._transport = transport

    def send_one(self) -> bool:
        """Send the mail that has been due the longest; return False if none is due."""
        with self._database.transaction() as cursor:
            rows = _QUEUE.claim(cursor)
        for row in rows:
            queued = QueuedMail(*row)
            ids: dict[str, Any] = {"mail": str(queued.id), "kind": queued.kind, "ticket": _ticket(queued)}
            trace = self._outbox.trace(queued) if tracing.is_enabled() else None
            with tracing.span("mail", parent=trace, **ids) as span:
                outcome = self._send(queued, logger.bind(**ids, attempts=queued.attempts))
                span.set_attributes(outcome=outcome)
            counters.mails.labels(queued.kind, outcome).inc()
        return bool(rows)

    def _send(self, queued: QueuedMail, log: FilteringBoundLogger) -> str:
        """Return the outcome: sent, again (later), dead, dropped (its ticket is erased), or unwanted."""
        if queued.attempts > MAX_ATTEMPTS:
            return self._fail(queued, "every attempt broke off", log)
        try:
            mail = self._outbox.open(queued)
            if self._is_unwanted(mail):
                self._delete(queued)
                return "unwanted"
            self._transport.deliver(compose(mail, self._outbox.letterhead, queued.created_at))
        except NotFoundError:
            self._delete(queued)
            return "dropped"
        except DomainError as error:
            # Only the transport's own messages are free of personal data.
            reason = str(error) if isinstance(error, UnavailableError | RefusedError) else type(error).__name__
            return self._fail(queued, reason, log, is_final=isinstance(error, RefusedError))
        self._record_sent(queued)
        log.info("mail sent")
        return "sent"

    def _record_sent(self, queued: QueuedMail) -> None:
        with self._database.connection() as connection:
            exists = _QUEUE.done(connection, queued.id, "sent", sealed=b"")
        if not exists:
            # The ticket was erased while its mail was sent.
            self._outbox.recall(queued.key)

    def _fail(self, queued: QueuedMail, reason: str, log: FilteringBoundLogger, *, is_final: bool = False) -> str:
        if_dead = {"sealed": b""} if queued.kind in PERISHABLE else {}
        with self._database.connection() as connection:
            if is_final:
                _QUEUE.bury(connection, queued.id, queued.attempts, reason, **if_dead)
            elif not _QUEUE.retry(connection, queued.id, queued.attempts, reason, **if_dead):
                log.warning("mail not sent yet", reason=reason)
                return "again"
        log.error("mail is dead", reason=reason)
        return "dead"

    def _is_unwanted(self, mail: Mail) -> bool:
        with self._database.connection() as connection:
            return self._outbox.is_unwanted(connection, mail)

    def _delete(self, queued: QueuedMail) -> None:
        self._database.execute("DELETE FROM outbox WHERE id = %s", (queued.id,))


def _ticket(queued: QueuedMail) -> str | None:
    return str(queued.ticket_id) if queued.ticket_id else None
