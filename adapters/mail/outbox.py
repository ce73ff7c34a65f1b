"""The outbox: a mail or text message is queued in the transaction of the fact that it reports, and sent after it.

States: waiting → sent | dead. Address and values are sealed, and removed once the message is sent.
"""

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
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
from adapters.texts import messages as text_messages
from adapters.texts.limits import TextLimits
from domain.errors import InvalidError, NotFoundError
from domain.ports import Mail, Message, TextMessage, TextMessages
from domain.values import Contact, ContactType

LONGEST_KEY = 255
# The messages without which a person cannot come in or prove a new contact.
CODE_KINDS = frozenset({"access_code", "contact_code"})
# The reminders to members, whose keys end with the id of the member. An index has the same condition.
REMINDER_KINDS = frozenset({"dispute_due", "ticket_due"})
OF_REMINDED_MEMBER = "kind IN ('dispute_due', 'ticket_due') AND right(key, 36) = %(member)s::text"
# The purpose of the key that seals mails without a ticket.
OUTBOX_KEY_PURPOSE = "outbox"

_HEALTH = (
    "SELECT count(*) FILTER (WHERE state = 'waiting'), count(*) FILTER (WHERE state = 'dead'),"
    " greatest(0, coalesce(extract(epoch FROM now() - min(created_at) FILTER (WHERE state = 'waiting')), 0))::float"
    " FROM outbox WHERE (state = 'waiting' OR state = 'dead') AND (%(channel)s::text IS NULL OR channel = %(channel)s)"
)


class Channel(StrEnum):
    """The kind of transport that sends a message."""

    MAIL = "mail"
    TEXT = "text"


@dataclass(frozen=True)
class QueuedMessage:
    """A mail or text message in the outbox, sealed."""

    id: UUID
    key: str
    kind: str
    ticket_id: UUID | None
    sealed: bytes
    created_at: datetime
    channel: str
    attempts: int


@dataclass(frozen=True)
class Outbox:
    """Queues mails and text messages; the sender takes them out. Without `texts` no text message is sent."""

    keyring: Keyring
    cipher: FieldCipher
    transport: MailTransport
    letterhead: Letterhead
    subscriptions: Subscriptions
    texts: TextMessages | None = None
    text_limits: TextLimits | None = None

    def queue(self, connection: Connection[TupleRow], message: Message, asker: str | None = None) -> bool:
        """Have the message sent after the connection's transaction is committed; once for each key.

        InvalidError if it could never be sent. Return False if it will not be sent: to an erased person, an optional
        one to an address that wants none of this kind, and a text message where none are sent or above their limits,
        which count it for `asker`.
        """
        if not 1 <= len(message.key) <= LONGEST_KEY:
            raise InvalidError(f"the key of a message has 1 to {LONGEST_KEY} characters")
        if isinstance(message, Mail) and message.kind in OPTIONAL_KINDS:
            link = self.subscriptions.link(message.to)
            message = replace(message, values={**message.values, "unsubscribe": f"{link}?kind={message.kind}"})
        message = _checked(message)
        if self.is_unwanted(connection, message):
            return False
        if isinstance(message, TextMessage) and not self._may_text(connection, message, asker):
            return False
        id = uuid7()
        try:
            sealed = self._seal(id, message)
        except NotFoundError:
            return False
        channel = Channel.MAIL if isinstance(message, Mail) else Channel.TEXT
        connection.execute(
            "INSERT INTO outbox (id, key, kind, ticket_id, sealed, channel) VALUES (%s, %s, %s, %s, %s, %s)"
            " ON CONFLICT (key) DO NOTHING",
            (id, message.key, message.kind, message.ticket_id, sealed, channel),
        )
        return True

    def _may_text(self, connection: Connection[TupleRow], message: TextMessage, asker: str | None) -> bool:
        if self.texts is None or self.text_limits is None:
            return False
        # The limits count a message once, however often it is queued.
        if self.is_queued(connection, message.key):
            return True
        return self.text_limits.allow(connection, message.to, asker, is_code=message.kind in CODE_KINDS)

    def is_queued(self, connection: Connection[TupleRow], key: str) -> bool:
        """Return True if a message with this key was queued, and perhaps sent."""
        return connection.execute("SELECT FROM outbox WHERE key = %s", (key,)).rowcount > 0

    @property
    def sends_texts(self) -> bool:
        """Return True if text messages are sent at all."""
        return self.texts is not None

    def reaches(self, contact: Contact) -> bool:
        """Return True if a message can be sent to contacts of this type, and of this country for phone numbers."""
        if contact.type is ContactType.PHONE and self.text_limits is not None:
            return self.sends_texts and self.text_limits.may_reach(contact.value)
        return contact.type is ContactType.EMAIL

    def erase(self, connection: Connection[TupleRow], ticket_id: UUID) -> None:
        """Delete every message of the ticket, and the files of those that were sent into our own folder."""
        self._erase(connection, "ticket_id = %(ticket)s", ticket=ticket_id)

    def erase_mails(self, connection: Connection[TupleRow], keys: Sequence[str]) -> None:
        """Do the same for the messages with these keys."""
        self._erase(connection, "key = ANY(%(keys)s)", keys=list(keys))

    def erase_reminders(self, connection: Connection[TupleRow], member_id: UUID) -> None:
        """Do the same for the reminders to this member."""
        self._erase(connection, OF_REMINDED_MEMBER, member=member_id)

    def _erase(self, connection: Connection[TupleRow], condition: str, **values: object) -> None:
        deleted = connection.execute(
            f"DELETE FROM outbox WHERE {condition} RETURNING id, key, channel".encode(),  # noqa: S608 (constants)
            values,
        ).fetchall()
        for id, key, channel in deleted:
            self.recall(id, key, channel)

    def recall(self, id: UUID, key: str, channel: str) -> None:
        """Delete the sent message if it is still in our own folder."""
        if channel == Channel.MAIL:
            self.transport.recall(messages.message_id(key, self.letterhead.sender))
        elif self.texts is not None:
            self.texts.recall(str(id))

    def is_unwanted(self, connection: Connection[TupleRow], message: Message) -> bool:
        """Return True if the message is optional and its address wants none of its kind."""
        return message.kind in OPTIONAL_KINDS and self.subscriptions.is_unwanted(connection, message.to, message.kind)

    def opt_out(self, address: str) -> None:
        """Queue no optional message to the address any more: its owner told the provider so."""
        self.subscriptions.opt_out(address)

    def open(self, queued: QueuedMessage) -> Message:
        """Return the message as it was queued; NotFoundError if its ticket was erased meanwhile."""
        content = self._open(queued)
        message = Mail if queued.channel == Channel.MAIL else TextMessage
        return message(queued.kind, content["to"], content["values"], queued.key, queued.ticket_id)

    def trace(self, queued: QueuedMessage) -> str | None:
        """Return the trace context of the request that queued the message, or None if it was not traced."""
        with suppress(NotFoundError):
            return self._open(queued).get("trace")
        return None

    def _seal(self, id: UUID, mail: Message) -> bytes:
        trace = {"trace": traceparent} if (traceparent := tracing.traceparent()) else {}
        content = json.dumps({"to": mail.to, "values": dict(mail.values), **trace})
        if mail.ticket_id is None:
            return self.keyring.seal(content.encode(), id.bytes)
        return self.cipher.seal(mail.ticket_id, _context(id), content).encode()

    def _open(self, queued: QueuedMessage) -> Mapping[str, Any]:
        if queued.ticket_id is None:
            content: dict[str, Any] = json.loads(self.keyring.open(queued.sealed, queued.id.bytes))
        else:
            content = json.loads(self.cipher.open(queued.ticket_id, queued.sealed.decode(), _context(queued.id)))
        return content


def _checked(message: Message) -> Message:
    return messages.checked(message) if isinstance(message, Mail) else text_messages.checked(message)


def _context(id: UUID) -> FieldContext:
    return FieldContext(id, 1, "outbox", "mail")


@dataclass(frozen=True)
class OutboxHealth:
    """The numbers of messages that wait to be sent and of dead ones, and the age of the oldest waiting message."""

    waiting: int
    dead: int
    oldest_seconds: float


def health(cursor: Cursor[TupleRow], channel: Channel | None = None) -> OutboxHealth:
    """Return the present state of the outbox, or of one channel."""
    [row] = cursor.execute(_HEALTH, {"channel": channel}).fetchall()
    return OutboxHealth(*row)
