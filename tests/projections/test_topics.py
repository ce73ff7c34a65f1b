"""A projection names the events that it folds, so that a rebuild need not read the others."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from hypothesis import given

import projections
from adapters.read_models.in_memory import MemoryRows, folded
from domain.events import TicketEvent
from projections.model import Projection, RecordedEvent
from tests.fakes.worlds import worlds


def recorded(events: Sequence[TicketEvent]) -> list[RecordedEvent]:
    return [RecordedEvent(position, datetime.now(UTC), event) for position, event in enumerate(events, 1)]


def rows(projection: Projection, tables: MemoryRows) -> list[object]:
    return [tables.all(table) for table in projection.TABLES]


@given(events=worlds())
def test_events_that_a_projection_does_not_name_change_nothing_in_it(events: list[TicketEvent]):
    history = recorded(events)
    for projection in projections.ALL:
        named = [entry for entry in history if entry.event.TOPIC in projection.TOPICS]
        folded_history = projection.NAME, rows(projection, folded(projection, history))
        assert folded_history == (projection.NAME, rows(projection, folded(projection, named)))
