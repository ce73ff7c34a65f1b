"""Messages to the holder of a ticket, by mail or by text as the contact is, in the language of the story."""

from collections.abc import Mapping
from contextlib import suppress

from psycopg import Connection
from psycopg.rows import TupleRow

from adapters.mail.holders import holder_values
from adapters.mail.limits import UnverifiedMailLimits
from adapters.mail.outbox import Outbox
from adapters.texts import messages as text_messages
from domain.errors import InvalidError
from domain.ports import Mail, TextMessage
from domain.tickets import RecordingTicket
from domain.values import ContactType


class HolderMessages:
    """Queues the messages; a holder whose contact is neither an address nor a phone number gets none."""

    def __init__(self, outbox: Outbox, limits: UnverifiedMailLimits) -> None:
        self._outbox = outbox
        self._limits = limits

    def tell(
        self,
        connection: Connection[TupleRow],
        ticket: RecordingTicket,
        kind: str,
        values: Mapping[str, str],
        key: str,
        *,
        is_limited: bool,
    ) -> None:
        """Queue a message of this kind in the connection's transaction, once for each key.

        `is_limited` is for mails that an address gets few of until it is verified. Text messages always have limits.
        """
        contact, asker = ticket.contact, self._limits.asker()
        is_mail = contact.type is ContactType.EMAIL
        if not is_mail and not (contact.type is ContactType.PHONE and text_messages.is_kind(kind)):
            return
        message_of = Mail if is_mail else TextMessage
        message = message_of(kind, contact.value, {**values, **holder_values(ticket)}, key, ticket.id)
        # A stored contact may be one that today's rules refuse.
        with suppress(InvalidError):
            # The limits count only what is sent.
            if self._outbox.is_queued(connection, key) or self._outbox.is_unwanted(connection, message):
                return
            if is_mail and is_limited and not self._limits.allow(connection, contact.value, asker):
                return
            self._outbox.queue(connection, message, asker)
