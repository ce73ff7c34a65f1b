"""The base of all events."""

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
        """The id of the ticket that the event belongs to; a ticket has several streams."""
        return self.originator_id

    def apply(self, aggregate: Any) -> None:
        aggregate.evolve(self)
