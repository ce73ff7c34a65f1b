"""Projections made for a test: one that counts, and one that fails while it is told to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from domain.events import TicketEvent
from projections.model import Recorded, Rows, Table, topics

TALLY = Table("tally", {"ticket": "uuid", "events": "bigint", "position": "bigint"}, key=("ticket",))


@dataclass(eq=False)
class Tally:
    """How many events each ticket has: taking one twice, or leaving one out, shows."""

    VERSION: int = 1
    NAME: str = "tally"
    TOPICS: frozenset[str] = topics(TicketEvent)
    TABLES: Sequence[Table] = (TALLY,)
    failure: Exception | None = None
    fails_at: int = 0
    folded: list[int] = field(default_factory=list)

    def fold(self, page: Sequence[Recorded], rows: Rows) -> None:
        if self.failure is not None and any(entry.position >= self.fails_at for entry in page):
            raise self.failure
        rows.load(TALLY, {(entry.event.ticket,) for entry in page})
        for entry in page:
            row: dict[str, Any] = rows.get(TALLY, (entry.event.ticket,)) or {"ticket": entry.event.ticket, "events": 0}
            rows.put(TALLY, row | {"events": row["events"] + 1, "position": entry.position})
        self.folded.append(len(page))
