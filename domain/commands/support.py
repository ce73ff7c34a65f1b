"""Commands for support tickets, and for a holder who lost access to their contact address."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from domain.commands.desk import require_assignable
from domain.errors import FaultCode, InvalidError, NotFoundError, RefusedError
from domain.ports import Contents, Mail, Message, SupportTickets, TextMessage, Tickets, Workspaces
from domain.support import SupportTicket
from domain.tickets import RecordingTicket
from domain.values import SYSTEM, Actor, Contact, ContactType, SupportCategory


@dataclass(frozen=True)
class HelpRequest:
    """A support ticket about to be opened. The caller makes the id, so that a repeated request opens only one.

    `about` is the ticket that the author names; `belongs_to_ticket` is True if the author proved to belong to it.
    """

    support_id: UUID
    category: SupportCategory
    message: str
    about: UUID | None
    belongs_to_ticket: bool
    contact: Contact | None
    contact_index: str | None


@dataclass(frozen=True)
class ContactReset:
    """A new contact and a new token for a ticket. The caller makes the id and the token, as for `HelpRequest`."""

    reset_id: UUID
    contact: Contact
    contact_index: str
    token: str
    token_digest: str


@dataclass(frozen=True)
class SupportCommands:
    """`contact_indexes` returns all keyed hashes that a contact may be stored under.

    `home_url` is the URL of the service, which the mails name. `holder_values` returns what every mail to the holder of
    a ticket says. `reaches` tells if mails or text messages can be sent to a contact, and `fits_text` if a text message
    has room for a reply.
    """

    tickets: Tickets
    support: SupportTickets
    workspaces: Workspaces
    contents: Contents
    contact_indexes: Callable[[Contact], Iterable[str]]
    home_url: str
    holder_values: Callable[[RecordingTicket], Mapping[str, str]]
    reaches: Callable[[Contact], bool]
    fits_text: Callable[[str], bool]

    def open(self, actor: Actor, request: HelpRequest) -> None:
        """Open a support ticket, encrypted with the key of the ticket that the author belongs to, or with its own."""
        own_ticket = request.about if request.belongs_to_ticket else None
        self.support.add(
            SupportTicket.open(
                actor,
                request.support_id,
                ticket_id=own_ticket or request.support_id,
                category=request.category,
                message=request.message,
                about=request.about,
                contact=request.contact,
                contact_index=request.contact_index,
            )
        )

    def reply(self, actor: Actor, support_id: UUID, reply_id: UUID, text: str) -> None:
        """Keep a reply of the staff, and send it to the author by mail or text message.

        RefusedError if the author can be reached by neither, or if the reply does not fit in a text message and the
        author has no page on which to read it.
        """
        support = self.support.get(support_id)
        ticket = None if support.has_own_key else self.tickets.get(support.ticket_id)
        contact = support.contact or (ticket.contact if ticket else None)
        if contact is None or not self.reaches(contact):
            raise RefusedError("We can send this person neither mails nor text messages. Reach them in another way.")
        is_mail = contact.type is ContactType.EMAIL
        if ticket is None and not is_mail and not self.fits_text(text):
            raise RefusedError("This person has no page to read a long answer on. Write a shorter one.")

        def decide(support: SupportTicket) -> UUID:
            support.reply(actor, reply_id, text)
            return support.ticket_id

        def messages(key_owner: UUID) -> list[Message]:
            holder = self.holder_values(ticket) if ticket else {"name": "", "language": ""}
            page = f"{self.home_url}/t/{ticket.id}/help" if ticket else ""
            # A text message has room for the shorter link only.
            page += f"/{support_id}" if page and is_mail else ""
            message = Mail if is_mail else TextMessage
            values = {**holder, "message": text, "page": page}
            return [message("support_reply", contact.value, values, reply_key(reply_id), key_owner)]

        self.support.change(support_id, decide, messages)

    def reply_as_author(self, actor: Actor, ticket_id: UUID, support_id: UUID, reply_id: UUID, text: str) -> None:
        """Keep what the holder of the ticket wrote again; NotFoundError if the request is not that holder's."""

        def decide(support: SupportTicket) -> None:
            if support.ticket_id != ticket_id:
                raise NotFoundError("There is no such support ticket.")
            support.reply_as_author(actor, reply_id, text)

        self.support.change(support_id, decide)

    def assign(self, actor: Actor, support_id: UUID, workspace: str, assignee: UUID | None) -> None:
        """Make a member responsible, or nobody; InvalidError unless the member works with the workspace's stories."""

        def decide(support: SupportTicket) -> None:
            if assignee not in (None, support.assignee):
                require_assignable(self.workspaces, workspace, assignee)
            support.assign(actor, assignee)

        self.support.change(support_id, decide)

    def resolve(self, actor: Actor, support_id: UUID) -> None:
        self.support.change(support_id, lambda support: support.resolve(actor))

    def reset(
        self, actor: Actor, ticket_id: UUID, reset: ContactReset, *, now: datetime, if_match: int | None = None
    ) -> None:
        """Give the ticket a new contact, and a new token that is mailed to it; the old token is no longer valid.

        If the old contact is another address or phone number, a message to it says that the contact was changed.
        Nothing else of the ticket changes. InvalidError if the new contact is not an e-mail address, because the token
        must not be shown to the admin who approves the reset.
        """
        require_mail(reset.contact.type)

        def change(ticket: RecordingTicket) -> list[Message]:
            values = {**self.holder_values(ticket), "token": reset.token, "home": self.home_url}
            access = Mail("new_access", reset.contact.value, values, f"new-access:{reset.reset_id}", ticket_id)
            notices = self._notices(ticket, reset.reset_id, reset.contact, now)
            ticket.change_contact(actor, reset.contact, reset.contact_index, reset.token_digest)
            return [access, *notices]

        self.tickets.change(ticket_id, change, if_match, mails=list)
        for support_id in self._concerning(self.tickets.get(ticket_id)):
            if self.support.get(support_id).asks_to_reset(ticket_id):
                self.resolve(actor, support_id)

    def change_contact(
        self, actor: Actor, ticket_id: UUID, contact: Contact, contact_index: str, *, change_id: UUID, now: datetime
    ) -> None:
        """Give the ticket the new contact that its holder has confirmed; the access token stays as it is.

        If the old contact is another address or phone number, a message to it says that the contact was changed.
        """

        def change(ticket: RecordingTicket) -> list[Message]:
            notices = self._notices(ticket, change_id, contact, now)
            ticket.change_contact(actor, contact, contact_index, ticket.token_digest)
            return notices

        self.tickets.change(ticket_id, change, mails=list)

    def _notices(self, ticket: RecordingTicket, change_id: UUID, contact: Contact, now: datetime) -> list[Message]:
        """Return the message that tells the present contact that another one replaces it.

        The list is empty if the contact stays the same, or is an account that receives no messages.
        """
        present = ticket.contact
        if present.type is ContactType.SOCIAL or present == contact:
            return []
        message = Mail if present.type is ContactType.EMAIL else TextMessage
        values = {**self.holder_values(ticket), "changed": now.isoformat(), "home": self.home_url}
        return [message("contact_changed", present.value, values, f"contact-changed:{change_id}", ticket.id)]

    def erase(self, ticket_id: UUID) -> None:
        """Make every support ticket about an erased ticket unreadable, and those from a contact that it ever had."""
        for support_id in self._concerning(self.tickets.get(ticket_id)):
            # The key is destroyed first: after a crash, a support ticket recorded as erased is not visited again.
            if self.support.get(support_id).has_own_key:
                self.contents.erase(support_id)
            self.support.change(support_id, lambda support: support.erase(SYSTEM))

    def _concerning(self, ticket: RecordingTicket) -> Sequence[UUID]:
        # The contacts of an erased ticket may be unreadable, but their recorded hashes are not encrypted.
        indexes = {index for contact in ticket.contacts for index in self.contact_indexes(contact)}
        return self.support.concerning(ticket.id, indexes | ticket.contact_indexes)


def reply_key(reply_id: UUID) -> str:
    """Return the key of the message that brings a reply to the author."""
    return f"support-reply:{reply_id}"


def require_mail(type: ContactType) -> None:
    """InvalidError unless a new access token can be sent to a contact of this type."""
    if type is not ContactType.EMAIL:
        detail = "must be EMAIL: the new access token is sent by mail"
        raise InvalidError(detail, "/newContactType", FaultCode.UNKNOWN_VALUE)
