"""The bases of all events, and of those about a donation."""

from typing import Any, ClassVar
from uuid import UUID

from eventsourcing.domain import AggregateEvent
from eventsourcing.utils import register_topic

from domain.values import Actor


class TicketEvent(AggregateEvent):
    """One fact about one ticket, caused by `actor`; the store adds the time of recording."""

    TOPIC: ClassVar[str]
    actor: Actor

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if "TOPIC" in cls.__dict__:
            register_topic(cls.TOPIC, cls)

    @property
    def ticket(self) -> UUID:
        """The id of the ticket that the event belongs to; a ticket has several streams.

        Its key seals the event's personal texts. Where these belong to no ticket, it is the id of who has the key.
        """
        return self.originator_id

    @property
    def makes_key(self) -> bool:
        """Return True if the key that seals the event is made with it."""
        return self.ticket == self.originator_id and self.originator_version == 1

    def apply(self, aggregate: Any) -> None:
        aggregate.evolve(self)


class DonationEvent(TicketEvent):
    """One fact about one donation under a ticket."""

    ticket_id: UUID
    donation_id: UUID

    @property
    def ticket(self) -> UUID:
        return self.ticket_id
