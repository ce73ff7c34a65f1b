"""Support tickets. Each has a stream of its own."""

from __future__ import annotations

from uuid import UUID

from eventsourcing.domain import AggregateCreated

from domain.events.base import TicketEvent
from domain.values import Contact, Personal, SupportCategory


class SupportEvent(TicketEvent):
    """One fact about one support ticket.

    `ticket_id` is the ticket whose key seals the message: the ticket it is about if the author proved to belong to it,
    and otherwise the support ticket's own id.
    """

    ticket_id: UUID

    @property
    def ticket(self) -> UUID:
        return self.ticket_id


class SupportTicketOpened(SupportEvent, AggregateCreated):
    """A person asks for help. The ticket that they name in `about` may not exist, or not be theirs."""

    TOPIC = "support_ticket_opened"
    category: SupportCategory
    message: Personal
    about: UUID | None = None
    contact: Contact | None = None
    contact_index: str | None = None


class SupportTicketResolved(SupportEvent):
    TOPIC = "support_ticket_resolved"


class SupportTicketErased(SupportEvent):
    """Its author was erased, and with that the key to the message."""

    TOPIC = "support_ticket_erased"
