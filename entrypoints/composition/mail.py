"""Mails: what is queued with the facts it tells of, and sent once each."""

from __future__ import annotations

from contextlib import suppress
from uuid import UUID

from psycopg import Cursor
from psycopg.rows import TupleRow

from adapters.encryption.keyring import Keyring
from adapters.mail import messages
from adapters.mail.dead_mails import DeadMails
from adapters.mail.outbox import OUTBOX_RING, Outbox
from adapters.mail.sender import MailSender
from adapters.mail.subscriptions import Subscriptions
from adapters.mail.transports import FileTransport, SmtpTransport
from domain.commands.retention import erasure_notice
from domain.errors import InvalidError
from domain.events import ErasureAnnounced, TicketEvent
from domain.ports import Mail
from domain.tickets import RecordingTicket
from domain.values import ContactType
from entrypoints.composition.foundation import Foundation
from entrypoints.composition.history import History


class MailDelivery:
    """The outbox, what empties it, and which facts people hear of by mail."""

    def __init__(self, ground: Foundation, history: History) -> None:
        settings = ground.settings
        post = (
            SmtpTransport(settings.smtp_url, settings.sender) if settings.smtp_url else FileTransport(settings.outbox)
        )
        self._database = ground.database
        self._page_url = ground.page_url
        self.subscriptions = Subscriptions(ground.database, ground.secrets.peppers, settings.public_url)
        ring = Keyring(ground.secrets.master, OUTBOX_RING)
        self.outbox = Outbox(ring, history.cipher, post, settings.sender, self.subscriptions)
        self.loads = [messages.load]
        self.sender = MailSender(ground.database, self.outbox, post)
        self.dead = DeadMails(ground.database)

    def forget(self, ticket: UUID) -> None:
        with self._database.connection() as connection:
            self.outbox.forget(connection, ticket)

    def announce_erasure(self, cursor: Cursor[TupleRow], ticket: RecordingTicket, event: TicketEvent) -> None:
        """The person hears of it by mail, where they left an address."""
        assert isinstance(event, ErasureAnnounced)
        if ticket.contact.type is ContactType.EMAIL:
            self.outbox.queue(cursor.connection, erasure_notice(ticket, event))

    def tell_published(self, cursor: Cursor[TupleRow], ticket: RecordingTicket, event: TicketEvent) -> None:
        """The person hears of it by mail, where they left an address: the first time, however often it happens.

        It has no words of theirs, since nobody has yet shown that the address is their own.
        """
        del event
        if ticket.contact.type is ContactType.EMAIL:
            values = {"page": self._page_url(ticket.slug)}
            mail = Mail("published", ticket.contact.value, values, f"published:{ticket.id}", ticket.id)
            with suppress(InvalidError):
                self.outbox.queue(cursor.connection, mail)
