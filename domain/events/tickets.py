"""A ticket and its holder: opening, contact, and name."""

from __future__ import annotations

from eventsourcing.domain import AggregateCreated

from domain.events.base import TicketEvent
from domain.values import Contact, Kind, Personal


class TicketOpened(TicketEvent, AggregateCreated):
    TOPIC = "ticket_opened"
    workspace: str
    kind: Kind
    slug: str
    contact: Contact
    contact_index: str
    display_name: Personal | None
    token_digest: str


class ContactChanged(TicketEvent):
    TOPIC = "contact_changed"
    contact: Contact
    contact_index: str
    token_digest: str


class ContactReindexed(TicketEvent):
    """The contact is the same; its keyed hash was made anew with another secret."""

    TOPIC = "contact_reindexed"
    contact_index: str


class DisplayNameChanged(TicketEvent):
    TOPIC = "display_name_changed"
    display_name: Personal | None
