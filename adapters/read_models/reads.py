"""Chooses the database for the reads of a request: the replica if it has every acknowledged write, else the primary."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar
from uuid import UUID

import psycopg
from psycopg import Cursor
from psycopg.rows import TupleRow

from adapters.event_store.log import EventLog
from adapters.observability.counters import reads
from adapters.postgres.database import Database
from adapters.read_models.replica import Replica
from domain.errors import UnavailableError
from projections.model import RecordedEvent

Result = TypeVar("Result")


@dataclass
class Reads:
    """The reads of one request.

    Without a `replica` everything is read from the primary. A query may run twice, so it must only read. Access is
    never decided from these reads, but on the primary.
    """

    primary: Database
    log: EventLog
    replica: Replica | None = None
    _caught_up: bool = False

    def ask(self, query: Callable[[Cursor[TupleRow]], Result]) -> Result:
        """Return the result of the query, which gets a cursor in autocommit mode."""
        return self._read(lambda replica: replica.database.read(query), lambda: self.primary.read(query))

    def ask_log(self, query: Callable[[EventLog], Result]) -> Result:
        """Return the result of a query of the event log."""
        return self._read(lambda replica: query(replica.log), lambda: query(self.log))

    def ticket_history(self, ticket: UUID, until: int | None = None) -> list[RecordedEvent]:
        """Return a ticket's events up to the position `until`, for the folds of read models."""
        entries = self.ask_log(lambda log: list(log.ticket_events(ticket, until)))
        return [RecordedEvent(entry.position, entry.recorded_at, entry.event()) for entry in entries]

    def _read(self, on_replica: Callable[[Replica], Result], on_primary: Callable[[], Result]) -> Result:
        replica = self.replica
        if replica is None:
            return on_primary()
        # A replica never loses an event, so once it has caught up, the request need not check again.
        self._caught_up = self._caught_up or replica.is_caught_up()
        if self._caught_up:
            try:
                result = on_replica(replica)
            except (UnavailableError, psycopg.Error) as error:
                replica.report_failure(error)
            else:
                reads.labels("replica").inc()
                return result
        # Stay on the primary until the end of the request, so that its reads do not go back in time.
        self.replica = None
        reads.labels("primary").inc()
        return on_primary()
