"""The sender takes mails out of the outbox to the post, each until it is out or nothing helps."""

from __future__ import annotations

import structlog

from adapters.mail.dead_mails import PERISHABLE
from adapters.mail.messages import composed
from adapters.mail.outbox import Outbox, QueuedMail
from adapters.mail.transports import MailTransport
from adapters.observability import counters, tracing
from adapters.postgres.background import BackgroundLoop
from adapters.postgres.database import Database
from domain.errors import DomainError, NotFoundError, RefusedError, UnavailableError
from domain.ports import Mail

POLL_SECONDS = 0.5
# Longer than the post takes over one mail, so that nobody else sends it meanwhile.
LEASE_SECONDS = 120
# Pauses that double up to an hour: nobody is served by a mail that comes after more than two days.
FIRST_PAUSE_SECONDS = 2
LONGEST_PAUSE_SECONDS = 3600
MOST_ATTEMPTS = 60

logger = structlog.get_logger()

_CLAIM = (
    "UPDATE outbox SET next_attempt_at = now() + make_interval(secs => %s), attempts = attempts + 1"
    " WHERE id = (SELECT id FROM outbox WHERE state = 'waiting' AND next_attempt_at <= now()"
    "  ORDER BY next_attempt_at LIMIT 1 FOR UPDATE SKIP LOCKED)"
    " RETURNING id, key, kind, ticket_id, sealed, attempts, created_at"
)
_SENT = "UPDATE outbox SET state = 'sent', sealed = '', error = NULL WHERE id = %s"
_DEAD = (
    "UPDATE outbox SET state = 'dead', next_attempt_at = now(), error = %s,"
    " sealed = CASE WHEN kind = ANY(%s) THEN ''::bytea ELSE sealed END WHERE id = %s AND state = 'waiting'"
)
_PUT_OFF = (
    "UPDATE outbox SET next_attempt_at = now() + make_interval(secs => %s), error = %s"
    " WHERE id = %s AND state = 'waiting'"
)


class MailSender:
    """Sends by hand, or in a thread of its own between `start` and `stop`; any number may, on any machine."""

    def __init__(self, database: Database, outbox: Outbox, post: MailTransport) -> None:
        self._database = database
        self._outbox = outbox
        self._post = post
        self._background = BackgroundLoop.steps("mail sender", self.send_one, POLL_SECONDS)

    def start(self) -> None:
        self._background.start()

    def stop(self) -> None:
        self._background.stop()

    def send_all(self) -> None:
        """Send until nothing that is due is left."""
        while self.send_one():
            pass

    def send_one(self) -> bool:
        """Send the mail that is due the longest; False if none is."""
        waiting = self._claim()
        if waiting is None:
            return False
        trace = self._outbox.trace(waiting) if tracing.is_enabled() else None
        with tracing.span(
            "mail", parent=trace, mail=str(waiting.id), kind=waiting.kind, ticket=_ticket(waiting)
        ) as span:
            outcome = self._send(waiting)
            span.set_attributes(outcome=outcome)
        counters.mails.labels(waiting.kind, outcome).inc()
        return True

    def _send(self, waiting: QueuedMail) -> str:
        """What became of it: sent, dead, again (later), dropped, since whom it is about was
        erased, or unwanted."""
        log = logger.bind(mail=str(waiting.id), kind=waiting.kind, ticket=_ticket(waiting), attempts=waiting.attempts)
        if waiting.attempts > MOST_ATTEMPTS:
            self._bury(waiting, "every attempt broke off")
            return "dead"
        try:
            mail = self._outbox.opened(waiting)
            if self._is_unwanted(mail):
                self._drop(waiting)
                return "unwanted"
            self._post.deliver(composed(mail, self._outbox.sender, waiting.created_at))
        except NotFoundError:
            self._drop(waiting)
            return "dropped"
        except DomainError as error:
            # Only the post's own words are free of people.
            reason = str(error) if isinstance(error, UnavailableError | RefusedError) else type(error).__name__
            if isinstance(error, RefusedError) or waiting.attempts == MOST_ATTEMPTS:
                self._bury(waiting, reason)
                return "dead"
            self._put_off(waiting, reason)
            log.warning("mail not sent yet", reason=reason)
            return "again"
        self._note_sent(waiting)
        log.info("mail sent")
        return "sent"

    def _claim(self) -> QueuedMail | None:
        with self._database.connection() as connection:
            row = connection.execute(_CLAIM, (LEASE_SECONDS,)).fetchone()
        return QueuedMail(*row) if row else None

    def _is_unwanted(self, mail: Mail) -> bool:
        with self._database.connection() as connection:
            return self._outbox.is_unwanted(connection, mail)

    def _note_sent(self, waiting: QueuedMail) -> None:
        with self._database.connection() as connection:
            forgotten = connection.execute(_SENT, (waiting.id,)).rowcount == 0
        if forgotten:
            self._outbox.recall(waiting.key)

    def _bury(self, waiting: QueuedMail, reason: str) -> None:
        with self._database.connection() as connection:
            connection.execute(_DEAD, (reason, list(PERISHABLE), waiting.id))
        logger.error("mail is dead", mail=str(waiting.id), kind=waiting.kind, ticket=_ticket(waiting), reason=reason)

    def _put_off(self, waiting: QueuedMail, error: str) -> None:
        pause = min(LONGEST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2 ** min(waiting.attempts - 1, 20))
        with self._database.connection() as connection:
            connection.execute(_PUT_OFF, (pause, error, waiting.id))

    def _drop(self, waiting: QueuedMail) -> None:
        with self._database.connection() as connection:
            connection.execute("DELETE FROM outbox WHERE id = %s", (waiting.id,))


def _ticket(waiting: QueuedMail) -> str | None:
    return str(waiting.ticket_id) if waiting.ticket_id else None
