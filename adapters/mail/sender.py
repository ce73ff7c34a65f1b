"""The sender takes mails and text messages from the outbox to what delivers them."""

from datetime import UTC, datetime
from typing import Any

import structlog
from structlog.typing import FilteringBoundLogger

from adapters.mail.dead_mails import PERISHABLE
from adapters.mail.messages import compose
from adapters.mail.outbox import REMINDER_KINDS, Outbox, QueuedMessage
from adapters.mail.transports import MailTransport
from adapters.observability import counters, tracing
from adapters.postgres.background import StepLoop
from adapters.postgres.database import Database
from adapters.postgres.leased_queue import LeasedQueue
from adapters.texts import messages as text_messages
from domain.errors import DomainError, NotFoundError, OptedOutError, RefusedError, UnavailableError
from domain.ports import Mail, Message, TextMessages
from projections.workspaces import settings_of_ticket

# Longer than the transport takes for one mail, so that no other process sends it meanwhile.
LEASE_SECONDS = 120
FIRST_PAUSE_SECONDS = 2
LONGEST_PAUSE_SECONDS = 3600
# With these pauses a mail is tried for a little more than two days.
MAX_ATTEMPTS = 60
# A text message costs money, so none is sent with a code that has expired.
PERISHABLE_SECONDS = 600

# The key of a reminder ends with the id of the member.
_REMINDED_MEMBER = "SELECT true FROM members WHERE member_id = substring(%s FROM '[0-9a-f-]{36}$')::uuid"

logger = structlog.get_logger()

_QUEUE = LeasedQueue(
    "outbox",
    "id",
    "id, key, kind, ticket_id, sealed, created_at, channel",
    lease_seconds=LEASE_SECONDS,
    max_attempts=MAX_ATTEMPTS,
    first_pause_seconds=FIRST_PAUSE_SECONDS,
    longest_pause_seconds=LONGEST_PAUSE_SECONDS,
)


class MailSender(StepLoop):
    """Sends messages, when called or in its own thread between `start` and `stop`, in any number of processes."""

    def __init__(
        self, database: Database, outbox: Outbox, transport: MailTransport, texts: TextMessages | None = None
    ) -> None:
        super().__init__("mail sender", self.send_one, _QUEUE.is_due)
        self._database = database
        self._outbox = outbox
        self._transport = transport
        self._texts = texts

    def send_one(self) -> bool:
        """Send the message that has been due the longest; return False if none is due."""
        with self._database.transaction() as cursor:
            rows = _QUEUE.claim(cursor)
        for row in rows:
            queued = QueuedMessage(*row)
            ids: dict[str, Any] = {queued.channel: str(queued.id), "kind": queued.kind, "ticket": _ticket(queued)}
            trace = self._outbox.trace(queued) if tracing.is_enabled() else None
            with tracing.span(queued.channel, parent=trace, **ids) as span:
                outcome = self._send(queued, logger.bind(**ids, attempts=queued.attempts))
                span.set_attributes(outcome=outcome)
            counters.mails.labels(queued.kind, outcome).inc()
        return bool(rows)

    def _send(self, queued: QueuedMessage, log: FilteringBoundLogger) -> str:
        """Return the outcome: sent, again (later), dead, dropped (nobody may get it any more), or unwanted."""
        if queued.attempts > MAX_ATTEMPTS:
            return self._fail(queued, "every attempt broke off", log)
        if self._is_for_former_member(queued):
            self._delete(queued)
            return "dropped"
        try:
            message = self._outbox.open(queued)
            if self._is_unwanted(message):
                self._delete(queued)
                return "unwanted"
            self._deliver(queued, message)
        except NotFoundError:
            self._delete(queued)
            return "dropped"
        except OptedOutError:
            self._outbox.opt_out(message.to)
            self._delete(queued)
            return "unwanted"
        except DomainError as error:
            # Only the transport's own messages are free of personal data.
            reason = str(error) if isinstance(error, UnavailableError | RefusedError) else type(error).__name__
            return self._fail(queued, reason, log, is_final=isinstance(error, RefusedError))
        self._record_sent(queued)
        log.info(f"{queued.channel} sent")
        return "sent"

    def _deliver(self, queued: QueuedMessage, message: Message) -> None:
        letterhead = self._outbox.letterhead
        if queued.ticket_id is not None and (settings := self._database.read(settings_of_ticket, queued.ticket_id)):
            letterhead = letterhead.of(settings)
        if isinstance(message, Mail):
            self._transport.deliver(compose(message, letterhead, queued.created_at))
            return
        if self._texts is None:
            raise RefusedError("no text messages are sent")
        age = datetime.now(UTC) - queued.created_at
        if message.kind in PERISHABLE and age.total_seconds() > PERISHABLE_SECONDS:
            raise RefusedError("the code of the text message has expired")
        values = letterhead.known_language(message.values)
        text = text_messages.compose(message.kind, values, letterhead.organisation or letterhead.operator)
        self._texts.send(str(queued.id), message.to, text)

    def _record_sent(self, queued: QueuedMessage) -> None:
        with self._database.connection() as connection:
            exists = _QUEUE.done(connection, queued.id, "sent", sealed=b"")
        if not exists:
            # The ticket was erased while its message was sent.
            self._outbox.recall(queued.id, queued.key, queued.channel)

    def _fail(self, queued: QueuedMessage, reason: str, log: FilteringBoundLogger, *, is_final: bool = False) -> str:
        if_dead = {"sealed": b""} if queued.kind in PERISHABLE else {}
        with self._database.connection() as connection:
            if is_final:
                _QUEUE.bury(connection, queued.id, queued.attempts, reason, **if_dead)
            elif not _QUEUE.retry(connection, queued.id, queued.attempts, reason, **if_dead):
                log.warning(f"{queued.channel} not sent yet", reason=reason)
                return "again"
        log.error(f"{queued.channel} is dead", reason=reason)
        return "dead"

    def _is_unwanted(self, message: Message) -> bool:
        with self._database.connection() as connection:
            return self._outbox.is_unwanted(connection, message)

    def _is_for_former_member(self, queued: QueuedMessage) -> bool:
        if queued.kind not in REMINDER_KINDS:
            return False
        return not self._database.rows(_REMINDED_MEMBER, (queued.key,))

    def _delete(self, queued: QueuedMessage) -> None:
        self._database.execute("DELETE FROM outbox WHERE id = %s", (queued.id,))


def _ticket(queued: QueuedMessage) -> str | None:
    return str(queued.ticket_id) if queued.ticket_id else None
