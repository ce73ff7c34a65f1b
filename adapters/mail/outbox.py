"""The outbox: a mail is queued in the transaction of what it tells, and sent some time after it.

States: waiting → sent | dead. Address and values are sealed, and gone once the mail is out or can help nobody any more.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg import Connection
from psycopg.rows import TupleRow

from adapters.encryption.field_cipher import FieldCipher, FieldContext
from adapters.encryption.keyring import Keyring
from adapters.ids import uuid7
from adapters.mail import messages
from adapters.mail.subscriptions import LEAVABLE, Subscriptions
from adapters.mail.transports import MailTransport
from adapters.observability import tracing
from domain.errors import InvalidError, NotFoundError
from domain.ports import Mail

LONGEST_KEY = 255
# What the master key seals a mail with that is about no ticket.
OUTBOX_RING = "outbox"


@dataclass(frozen=True)
class QueuedMail:
    """A mail as it waits: sealed."""

    id: UUID
    key: str
    kind: str
    ticket_id: UUID | None
    sealed: bytes
    attempts: int
    created_at: datetime


class Outbox:
    """Takes mails in; the sender takes them out."""

    def __init__(
        self, ring: Keyring, cipher: FieldCipher, post: MailTransport, sender: str, subscriptions: Subscriptions
    ) -> None:
        self._ring = ring
        self._subscriptions = subscriptions
        self._cipher = cipher
        self._post = post
        self.sender = sender

    def queue(self, connection: Connection[TupleRow], mail: Mail) -> None:
        """Have the mail sent once the connection's transaction is committed, and only then; once for each key.

        InvalidError if it could never be sent. To somebody who was erased nothing is sent, and to somebody who left
        only what they must get.
        """
        if not 1 <= len(mail.key) <= LONGEST_KEY:
            raise InvalidError(f"the key of a mail has 1 to {LONGEST_KEY} characters")
        if mail.kind in LEAVABLE:
            mail = replace(mail, values={**mail.values, "unsubscribe": self._subscriptions.link(mail.to)})
        mail, id = messages.checked(mail), uuid7()
        if self.is_unwanted(connection, mail):
            return
        try:
            sealed = self._sealed(id, mail)
        except NotFoundError:
            return
        connection.execute(
            "INSERT INTO outbox (id, key, kind, ticket_id, sealed) VALUES (%s, %s, %s, %s, %s)"
            " ON CONFLICT (key) DO NOTHING",
            (id, mail.key, mail.kind, mail.ticket_id, sealed),
        )

    def forget(self, connection: Connection[TupleRow], ticket_id: UUID) -> None:
        """Drop every mail of the ticket, and what lies in our own folder of those that were sent."""
        for (key,) in connection.execute("DELETE FROM outbox WHERE ticket_id = %s RETURNING key", (ticket_id,)):
            self.recall(key)

    def recall(self, key: str) -> None:
        """Take back what is still in our own hands of a mail that was sent."""
        self._post.recall(messages.message_id(key, self.sender))

    def is_unwanted(self, connection: Connection[TupleRow], mail: Mail) -> bool:
        """Whoever would get it has said that they want no such mail."""
        return mail.kind in LEAVABLE and self._subscriptions.has_left(connection, mail.to)

    def opened(self, waiting: QueuedMail) -> Mail:
        """The mail as it was queued; NotFoundError if its ticket was erased meanwhile."""
        told = self._unsealed(waiting)
        return Mail(waiting.kind, told["to"], told["values"], waiting.key, waiting.ticket_id)

    def trace(self, waiting: QueuedMail) -> str | None:
        """What queued the mail, if somebody traced it."""
        with suppress(NotFoundError):
            return self._unsealed(waiting).get("trace")
        return None

    def _sealed(self, id: UUID, mail: Mail) -> bytes:
        trace = {"trace": traceparent} if (traceparent := tracing.traceparent()) else {}
        told = json.dumps({"to": mail.to, "values": dict(mail.values), **trace})
        if mail.ticket_id is None:
            return self._ring.seal(told.encode(), id.bytes)
        return self._cipher.seal(mail.ticket_id, _place(id), told).encode()

    def _unsealed(self, waiting: QueuedMail) -> Mapping[str, Any]:
        if waiting.ticket_id is None:
            told: dict[str, Any] = json.loads(self._ring.open(waiting.sealed, waiting.id.bytes))
        else:
            told = json.loads(self._cipher.open(waiting.ticket_id, waiting.sealed.decode(), _place(waiting.id)))
        return told


def _place(id: UUID) -> FieldContext:
    return FieldContext(id, 1, "outbox", "mail")
