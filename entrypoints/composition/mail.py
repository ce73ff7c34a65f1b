"""Outgoing mails and text messages: queued in the transaction of the event that they report, and sent once."""

from uuid import UUID

from psycopg import Cursor
from psycopg.rows import TupleRow

from adapters.contacts import ContactIndex
from adapters.mail import messages
from adapters.mail.dead_mails import DeadMails
from adapters.mail.forget_links import ForgetLinks
from adapters.mail.holder_messages import HolderMessages
from adapters.mail.letterhead import Letterhead
from adapters.mail.limits import UnverifiedMailLimits
from adapters.mail.outbox import OUTBOX_KEY_PURPOSE, Outbox
from adapters.mail.sender import MailSender
from adapters.mail.subscriptions import Subscriptions
from adapters.mail.transports import FileTransport, MailTransport, NoTransport, SmtpTransport
from adapters.texts import messages as text_messages
from adapters.texts.limits import TextLimits
from adapters.texts.transports import FileTexts, TwilioTexts
from domain.commands.retention import erasure_notice
from domain.events import ChangesRequested, DraftProposed, ErasureAnnounced, TicketEvent, TicketSuspended
from domain.lifecycle import missing_fields
from domain.ports import TextMessages
from domain.tickets import RecordingTicket
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
    """The outbox, its sender, and the messages that events cause."""

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
        self.forget_links = ForgetLinks(foundation.secrets.peppers, settings.public_url)
        self.contact_index = ContactIndex(foundation.secrets.peppers)
        self.limits = UnverifiedMailLimits(foundation.database, self.contact_index, foundation.secrets.peppers)
        keyring = foundation.keyring(OUTBOX_KEY_PURPOSE)
        letterhead = Letterhead(settings.sender, settings.reply_to, settings.operator_name)
        self.text_limits = TextLimits(foundation.database, self.contact_index, settings.text_quota)
        self.outbox = Outbox(
            keyring, history.cipher, transport, letterhead, self.subscriptions, texts, self.text_limits
        )
        self.holders = HolderMessages(self.outbox, self.limits)
        self.loads = [messages.load, text_messages.load]
        self.sender = MailSender(foundation.database, self.outbox, transport, texts)
        self.dead = DeadMails(foundation.database, self.outbox)

    def erase(self, ticket: UUID) -> None:
        """Remove the messages about an erased ticket from the outbox."""
        with self._database.connection() as connection:
            self.outbox.erase(connection, ticket)

    def announce_erasure(self, cursor: Cursor[TupleRow], ticket: RecordingTicket, event: TicketEvent) -> None:
        """Queue a message about the announced erasure."""
        assert isinstance(event, ErasureAnnounced)
        notice = erasure_notice(ticket, event, {"page": f"{self._home}/t/{ticket.id}"})
        self.holders.tell(cursor.connection, ticket, notice.kind, notice.values, notice.key, is_limited=False)

    def tell_published(self, cursor: Cursor[TupleRow], ticket: RecordingTicket, event: TicketEvent) -> None:
        """Queue a mail about the first publication, if the ticket's address got few such mails.

        It contains no text of the ticket but a name, because the address need not be verified.
        """
        del event
        values = {"page": self._page_url(ticket.slug)}
        self.holders.tell(cursor.connection, ticket, "published", values, f"published:{ticket.id}", is_limited=True)

    def tell_finished(self, cursor: Cursor[TupleRow], ticket: RecordingTicket, event: TicketEvent) -> None:
        """Queue a message that the work on a recording has ended, if the ticket's contact got few messages.

        It contains no text of the ticket but a name, because the contact need not be verified.
        """
        # While the work goes on with other recordings, one without speech is no failure yet.
        if ticket.lifecycle.step is not None:
            return
        kind = "recording_failed"
        if isinstance(event, DraftProposed):
            kind = "draft_questions" if missing_fields(ticket.kind, ticket.draft) else "draft_ready"
        values, key = {"page": f"{self._home}/t/{ticket.id}"}, f"{kind}:{ticket.id}:{event.originator_version}"
        self.holders.tell(cursor.connection, ticket, kind, values, key, is_limited=True)

    def tell_suspended(self, cursor: Cursor[TupleRow], ticket: RecordingTicket, event: TicketEvent) -> None:
        """Queue a message about the suspension; a mail has its reason."""
        assert isinstance(event, TicketSuspended)
        self._tell_of_act(cursor, ticket, event, "suspended", {"reason": event.reason})

    def tell_reinstated(self, cursor: Cursor[TupleRow], ticket: RecordingTicket, event: TicketEvent) -> None:
        """Queue a message that the suspension has ended."""
        self._tell_of_act(cursor, ticket, event, "reinstated", {})

    def tell_approved(self, cursor: Cursor[TupleRow], ticket: RecordingTicket, event: TicketEvent) -> None:
        """Queue a message that the page was approved, so that its holder can publish it."""
        self._tell_of_act(cursor, ticket, event, "approved", {})

    def tell_changes_requested(self, cursor: Cursor[TupleRow], ticket: RecordingTicket, event: TicketEvent) -> None:
        """Queue a message that the page is to be changed before it is approved; a mail says what."""
        assert isinstance(event, ChangesRequested)
        self._tell_of_act(cursor, ticket, event, "changes_requested", {"note": event.note})

    def _tell_of_act(
        self, cursor: Cursor[TupleRow], ticket: RecordingTicket, event: TicketEvent, kind: str, values: dict[str, str]
    ) -> None:
        """Queue a message about what somebody of the organisation did."""
        key = f"{kind}:{ticket.id}:{event.originator_version}"
        all_values = {**values, "page": self._holder_page(ticket)}
        self.holders.tell(cursor.connection, ticket, kind, all_values, key, is_limited=False)

    def _holder_page(self, ticket: RecordingTicket) -> str:
        return f"{self._home}/t/{ticket.id}/manage"
