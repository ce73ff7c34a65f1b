"""The base of all aggregates."""

from typing import Any, Self, cast
from uuid import UUID

from eventsourcing.domain import BaseAggregate

from domain.events import AggregateCreated, TicketEvent
from domain.values import Actor


class Aggregate(BaseAggregate[UUID]):
    """The library's aggregate with events that are structs, and not dataclasses of the library."""

    @classmethod
    def _begin(cls, event_type: type[AggregateCreated], id: UUID, actor: Actor, **fields: Any) -> Self:
        event = event_type(originator_id=id, originator_version=1, actor=actor, **fields)
        aggregate: Self = event.mutate(None)
        cast(list[TicketEvent], aggregate.pending_events).append(event)
        return aggregate

    def _record(self, event_type: type[TicketEvent], actor: Actor, **fields: Any) -> None:
        """Apply a new event, which `collect_events` then returns."""
        version = self.version + 1
        event = event_type(originator_id=self.id, originator_version=version, actor=actor, **fields)
        event.mutate(self)
        cast(list[TicketEvent], self.pending_events).append(event)
