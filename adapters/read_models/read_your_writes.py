"""Rows as new as the history, for when the read models have not come so far yet."""

from __future__ import annotations

from uuid import UUID

from adapters.event_store.log import EventLog
from adapters.postgres.database import Database
from adapters.read_models.follower import ProjectionBarrier
from adapters.read_models.in_memory import ticket_row
from projections.model import Recorded, Row


class ReadYourWrites:
    """Folds a ticket's row anew where its read model lacks something of it.

    Only the ticket's own stream is looked at, and first only at its end: that costs as much for a ticket with a hundred
    thousand gifts as for one that never was.
    """

    def __init__(self, database: Database, log: EventLog, barrier: ProjectionBarrier) -> None:
        self._database = database
        self._log = log
        self._barrier = barrier
        self._unseen = 0

    def answered_unseen(self, position: int) -> None:
        """Somebody here is told of an event that the read models have not seen."""
        self._unseen = max(self._unseen, position)

    def ticket(self, ticket: UUID, shown: Row | None) -> Row | None:
        """The row as its history leaves it; `shown` is what the read model has, and comes back where that is all."""
        with self._database.connection() as connection:
            newest = connection.execute(
                "SELECT position FROM events WHERE stream = %s ORDER BY version DESC LIMIT 1", (ticket,)
            ).fetchone()
        if newest is None or (shown is not None and newest[0] <= shown["position"]):
            return shown
        own = (Recorded(entry.position, entry.recorded_at, entry.event()) for entry in self._log.stream(ticket))
        row = ticket_row(own)
        if row is not None and shown is not None:
            row["funded"] = shown["funded"]
        return row

    def ticket_as_answered(self, ticket: UUID, shown: Row | None) -> Row | None:
        """The same, asked only while something that was answered here is unseen: else what is shown is new enough."""
        if not self._unseen:
            return shown
        unseen = self._unseen
        if self._barrier.has_seen(unseen):
            if self._unseen == unseen:
                self._unseen = 0
            return shown
        return self.ticket(ticket, shown)
