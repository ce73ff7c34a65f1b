"""The outbox: a mail is queued in the transaction of the fact that it reports, and sent some time after it.

States: waiting → sent | dead. Address and values are sealed, and removed once the mail is sent.
"""

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg import Connection, Cursor
from psycopg.rows import TupleRow

from adapters.encryption.field_cipher import FieldCipher, FieldContext
from adapters.encryption.keyring import Keyring
from adapters.ids import uuid7
from adapters.mail import messages
from adapters.mail.letterhead import Letterhead
from adapters.mail.subscriptions import OPTIONAL_KINDS, Subscriptions
from adapters.mail.transports import MailTransport
from adapters.observability import tracing
from domain.errors import InvalidError, NotFoundError
from domain.ports import Mail

LONGEST_KEY = 255
# The purpose of the key that seals mails without a ticket.
OUTBOX_KEY_PURPOSE = "outbox"

_HEALTH = (
    "SELECT count(*) FILTER (WHERE state = 'waiting'), count(*) FILTER (WHERE state = 'dead'),"
    " greatest(0, coalesce(extract(epoch FROM now() - min(created_at) FILTER (WHERE state = 'waiting')), 0))::float"
    " FROM outbox WHERE state = 'waiting' OR state = 'dead'"
)


@dataclass(frozen=True)
class QueuedMail:
    """A mail in the outbox, sealed."""

    id: UUID
    key: str
    kind: str
    ticket_id: UUID | None
    sealed: bytes
    created_at: datetime
    attempts: int


class Outbox:
    """Queues mails; the mail sender takes them out."""

    def __init__(
        self,
        keyring: Keyring,
        cipher: FieldCipher,
        transport: MailTransport,
        letterhead: Letterhead,
        subscriptions: Subscriptions,
    ) -> None:
        self._keyring = keyring
        self._cipher = cipher
        self._transport = transport
        self._subscriptions = subscriptions
        self.letterhead = letterhead

    def queue(self, connection: Connection[TupleRow], mail: Mail) -> None:
        """Have the mail sent after the connection's transaction is committed; once for each key.

        InvalidError if the mail could never be sent. Nothing is queued for an erased person, nor an optional mail for
        an address that unsubscribed.
        """
        if not 1 <= len(mail.key) <= LONGEST_KEY:
            raise InvalidError(f"the key of a mail has 1 to {LONGEST_KEY} characters")
        if mail.kind in OPTIONAL_KINDS:
            mail = replace(mail, values={**mail.values, "unsubscribe": self._subscriptions.link(mail.to)})
        mail, id = messages.checked(mail), uuid7()
        if self.is_unwanted(connection, mail):
            return
        try:
            sealed = self._seal(id, mail)
        except NotFoundError:
            return
        connection.execute(
            "INSERT INTO outbox (id, key, kind, ticket_id, sealed) VALUES (%s, %s, %s, %s, %s)"
            " ON CONFLICT (key) DO NOTHING",
            (id, mail.key, mail.kind, mail.ticket_id, sealed),
        )

    def erase(self, connection: Connection[TupleRow], ticket_id: UUID) -> None:
        """Delete every mail of the ticket, and the files of those that were sent into our own folder."""
        for (key,) in connection.execute("DELETE FROM outbox WHERE ticket_id = %s RETURNING key", (ticket_id,)):
            self.recall(key)

    def recall(self, key: str) -> None:
        """Delete the sent mail if it is still in our own folder."""
        self._transport.recall(messages.message_id(key, self.letterhead.sender))

    def is_unwanted(self, connection: Connection[TupleRow], mail: Mail) -> bool:
        """Return True if the mail is optional and its address unsubscribed."""
        return mail.kind in OPTIONAL_KINDS and self._subscriptions.is_unsubscribed(connection, mail.to)

    def open(self, queued: QueuedMail) -> Mail:
        """Return the mail as it was queued; NotFoundError if its ticket was erased meanwhile."""
        content = self._open(queued)
        return Mail(queued.kind, content["to"], content["values"], queued.key, queued.ticket_id)

    def trace(self, queued: QueuedMail) -> str | None:
        """Return the trace context of the request that queued the mail, or None if it was not traced."""
        with suppress(NotFoundError):
            return self._open(queued).get("trace")
        return None

    def _seal(self, id: UUID, mail: Mail) -> bytes:
        trace = {"trace": traceparent} if (traceparent := tracing.traceparent()) else {}
        content = json.dumps({"to": mail.to, "values": dict(mail.values), **trace})
        if mail.ticket_id is None:
            return self._keyring.seal(content.encode(), id.bytes)
        return self._cipher.seal(mail.ticket_id, _context(id), content).encode()

    def _open(self, queued: QueuedMail) -> Mapping[str, Any]:
        if queued.ticket_id is None:
            content: dict[str, Any] = json.loads(self._keyring.open(queued.sealed, queued.id.bytes))
        else:
            content = json.loads(self._cipher.open(queued.ticket_id, queued.sealed.decode(), _context(queued.id)))
        return content


def _context(id: UUID) -> FieldContext:
    return FieldContext(id, 1, "outbox", "mail")


@dataclass(frozen=True)
class OutboxHealth:
    """The numbers of mails that wait to be sent and of dead mails, and the age of the oldest waiting mail."""

    waiting: int
    dead: int
    oldest_seconds: float


def health(cursor: Cursor[TupleRow]) -> OutboxHealth:
    row = cursor.execute(_HEALTH).fetchone()
    assert row is not None
    return OutboxHealth(*row)
