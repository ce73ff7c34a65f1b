"""The bases of all events, and of those about a donation."""

from datetime import UTC, datetime
from typing import Any, ClassVar, dataclass_transform
from uuid import UUID

import msgspec
from eventsourcing.domain import CanInitAggregate, CanMutateAggregate
from eventsourcing.utils import register_topic

from domain.value import Value
from domain.values import Actor


class _EventClass(msgspec.StructMeta):
    """Lets the constructor of every event take keyword arguments only, and registers the event's topic."""

    def __new__(cls, name: str, bases: tuple[type, ...], namespace: dict[str, Any], kw_only: bool = True) -> Any:
        event_class = super().__new__(cls, name, bases, namespace, kw_only=kw_only)
        if "TOPIC" in namespace:
            register_topic(namespace["TOPIC"], event_class)
        return event_class


@dataclass_transform(frozen_default=True, kw_only_default=True)
class TicketEvent(Value, metaclass=_EventClass, kw_only=True):
    """One fact about one ticket, caused by `actor`.

    The first three fields are its place in the history. They have columns of their own, so stored JSON leaves them out.
    `timestamp` is the time at which the store recorded the event. Before that it is the earliest `datetime`.
    """

    TOPIC: ClassVar[str]
    # The library's rules for the order of a stream's events.
    mutate: ClassVar[Any] = CanMutateAggregate.mutate

    originator_id: UUID = UUID(int=0)
    originator_version: int = 0
    timestamp: datetime = datetime.min.replace(tzinfo=UTC)
    actor: Actor

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


class AggregateCreated(TicketEvent):
    """The first event of a stream, from which the library makes the aggregate that has the topic `originator_topic`."""

    originator_topic: ClassVar[str]
    mutate: ClassVar[Any] = CanInitAggregate.mutate

    def _as_dict(self) -> dict[str, Any]:
        return msgspec.structs.asdict(self)


class DonationEvent(TicketEvent):
    """One fact about one donation under a ticket."""

    ticket_id: UUID
    donation_id: UUID

    @property
    def ticket(self) -> UUID:
        return self.ticket_id
