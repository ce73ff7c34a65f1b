"""Outgoing mail: queued in the transaction of the event that it reports, and sent once."""

from contextlib import suppress
from uuid import UUID

from psycopg import Cursor
from psycopg.rows import TupleRow

from adapters.contacts import ContactIndex
from adapters.mail import messages
from adapters.mail.dead_mails import DeadMails
from adapters.mail.holders import holder_values
from adapters.mail.letterhead import Letterhead
from adapters.mail.limits import UnverifiedMailLimits
from adapters.mail.outbox import OUTBOX_KEY_PURPOSE, Outbox
from adapters.mail.sender import MailSender
from adapters.mail.subscriptions import Subscriptions
from adapters.mail.transports import FileTransport, MailTransport, NoTransport, SmtpTransport
from adapters.texts.limits import TextLimits
from adapters.texts.transports import FileTexts, TwilioTexts
from domain.commands.retention import erasure_notice
from domain.errors import InvalidError
from domain.events import DraftProposed, ErasureAnnounced, TicketEvent, TicketSuspended
from domain.lifecycle import missing_fields
from domain.ports import Mail, TextMessages
from domain.tickets import RecordingTicket
from domain.values import ContactType
from entrypoints.composition.foundation import Foundation
from entrypoints.composition.history import History
from entrypoints.composition.settings import Settings


def text_sender(settings: Settings) -> TextMessages | None:
    """Return what sends text messages, or None if none are sent."""
    if settings.texts_are_off:
        return None
    provider = settings.text_provider
    return FileTexts(settings.outbox) if provider is None else TwilioTexts(provider)


class MailDelivery:
    """The outbox, its sender, and the mails that events cause."""

    def __init__(self, foundation: Foundation, history: History) -> None:
        settings = foundation.settings
        transport: MailTransport = FileTransport(settings.outbox)
        if settings.mail_is_off:
            transport = NoTransport()
        elif settings.smtp_url is not None:
            transport = SmtpTransport(settings.smtp_url, settings.sender)
        texts = text_sender(settings)
        self._database = foundation.database
        self._page_url, self._home = foundation.page_url, settings.public_url
        self.subscriptions = Subscriptions(foundation.database, foundation.secrets.peppers, settings.public_url)
        self.contact_index = ContactIndex(foundation.secrets.peppers)
        self.limits = UnverifiedMailLimits(foundation.database, self.contact_index, foundation.secrets.peppers)
        keyring = foundation.keyring(OUTBOX_KEY_PURPOSE)
        letterhead = Letterhead(settings.sender, settings.reply_to, settings.operator_name)
        self.text_limits = TextLimits(foundation.database, self.contact_index, settings.text_quota)
        self.outbox = Outbox(
            keyring, history.cipher, transport, letterhead, self.subscriptions, texts, self.text_limits
        )
        self.loads = [messages.load]
        self.sender = MailSender(foundation.database, self.outbox, transport, texts)
        self.dead = DeadMails(foundation.database)

    def erase(self, ticket: UUID) -> None:
        """Remove the mails about an erased ticket from the outbox."""
        with self._database.connection() as connection:
            self.outbox.erase(connection, ticket)

    def announce_erasure(self, cursor: Cursor[TupleRow], ticket: RecordingTicket, event: TicketEvent) -> None:
        """Queue a mail about the announced erasure, if the ticket has an e-mail address."""
        assert isinstance(event, ErasureAnnounced)
        if ticket.contact.type is ContactType.EMAIL:
            values = {**holder_values(ticket), "page": f"{self._home}/t/{ticket.id}"}
            self.outbox.queue(cursor.connection, erasure_notice(ticket, event, values))

    def tell_published(self, cursor: Cursor[TupleRow], ticket: RecordingTicket, event: TicketEvent) -> None:
        """Queue a mail about the first publication, if the ticket has an e-mail address and it got few such mails.

        It contains no text of the ticket but a name, because the address need not be verified.
        """
        del event
        if ticket.contact.type is not ContactType.EMAIL:
            return
        if not self.limits.allow(cursor.connection, ticket.contact.value, self.limits.asker()):
            return
        self._tell(cursor, ticket, "published", {"page": self._page_url(ticket.slug)}, f"published:{ticket.id}")

    def tell_finished(self, cursor: Cursor[TupleRow], ticket: RecordingTicket, event: TicketEvent) -> None:
        """Queue a mail that the work on a recording has ended, if the ticket has an e-mail address that got few mails.

        It contains no text of the ticket but a name, because the address need not be verified.
        """
        # While the work goes on with other recordings, one without speech is no failure yet.
        if ticket.contact.type is not ContactType.EMAIL or ticket.lifecycle.step is not None:
            return
        if not self.limits.allow(cursor.connection, ticket.contact.value, self.limits.asker()):
            return
        kind = "recording_failed"
        if isinstance(event, DraftProposed):
            kind = "draft_questions" if missing_fields(ticket.kind, ticket.draft) else "draft_ready"
        values = {"page": f"{self._home}/t/{ticket.id}"}
        self._tell(cursor, ticket, kind, values, f"{kind}:{ticket.id}:{event.originator_version}")

    def tell_suspended(self, cursor: Cursor[TupleRow], ticket: RecordingTicket, event: TicketEvent) -> None:
        """Queue a mail about the suspension and its reason, if the ticket has an e-mail address."""
        assert isinstance(event, TicketSuspended)
        values = {"reason": event.reason, "page": self._holder_page(ticket)}
        self._tell(cursor, ticket, "suspended", values, f"suspended:{ticket.id}:{event.originator_version}")

    def tell_reinstated(self, cursor: Cursor[TupleRow], ticket: RecordingTicket, event: TicketEvent) -> None:
        """Queue a mail that the suspension has ended, if the ticket has an e-mail address."""
        values = {"page": self._holder_page(ticket)}
        self._tell(cursor, ticket, "reinstated", values, f"reinstated:{ticket.id}:{event.originator_version}")

    def _tell(
        self, cursor: Cursor[TupleRow], ticket: RecordingTicket, kind: str, values: dict[str, str], key: str
    ) -> None:
        if ticket.contact.type is ContactType.EMAIL:
            values = {**values, **holder_values(ticket)}
            with suppress(InvalidError):
                self.outbox.queue(cursor.connection, Mail(kind, ticket.contact.value, values, key, ticket.id))

    def _holder_page(self, ticket: RecordingTicket) -> str:
        return f"{self._home}/t/{ticket.id}/manage"
