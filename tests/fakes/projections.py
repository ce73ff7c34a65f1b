"""A projection for tests: it counts events, and fails on request."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from domain.events import TicketEvent
from projections.model import RecordedEvent, Rows, Table, topics

TALLY = Table("tally", {"ticket_id": "uuid", "events": "bigint", "position": "bigint"}, key=("ticket_id",))


@dataclass(eq=False)
class Tally:
    """Counts the events of each ticket, so that an event folded twice or left out shows."""

    VERSION: int = 1
    NAME: str = "tally"
    TOPICS: frozenset[str] = topics(TicketEvent)
    TABLES: Sequence[Table] = (TALLY,)
    failure: Exception | None = None
    fails_at: int = 0
    folded: list[int] = field(default_factory=list)

    def fold(self, batch: Sequence[RecordedEvent], rows: Rows) -> None:
        if self.failure is not None and any(entry.position >= self.fails_at for entry in batch):
            raise self.failure
        rows.load(TALLY, {(entry.event.ticket,) for entry in batch})
        for entry in batch:
            row: dict[str, Any] = rows.get(TALLY, (entry.event.ticket,)) or {
                "ticket_id": entry.event.ticket,
                "events": 0,
            }
            rows.put(TALLY, row | {"events": row["events"] + 1, "position": entry.position})
        self.folded.append(len(batch))
