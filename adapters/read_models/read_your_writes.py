"""Read-your-writes for tickets: a client sees its own writes, also while the read models lag behind the event log."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from uuid import UUID

from adapters.event_store.log import EventLog
from adapters.postgres.database import Database
from adapters.read_models.in_memory import ticket_row
from adapters.read_models.projection_barrier import ProjectionBarrier
from projections import ticket_status
from projections.model import Cursor, RecordedEvent, Row

# A query of the projections that reads the rows of those tickets that exist, by their ids; it may add more columns.
TicketQuery = Callable[[Cursor, Sequence[UUID]], Mapping[UUID, Row]]


class ReadYourWrites:
    """Reads ticket rows, and folds a row from the ticket's events if its read model lags behind.

    Only the ticket's own stream is read, and first only its last event, so the cost does not depend on the donations.
    """

    def __init__(self, database: Database, log: EventLog, barrier: ProjectionBarrier) -> None:
        self._database = database
        self._log = log
        self._barrier = barrier
        # The position of the last acknowledged event that the read models may lack, or 0.
        self._unprojected = 0
        self._lock = threading.Lock()

    def note_unprojected(self, position: int) -> None:
        """Remember that an event was acknowledged to a client before the read models contained it."""
        with self._lock:
            self._unprojected = max(self._unprojected, position)

    def _all_projected(self) -> bool:
        """Return True if the read models have every event that this process acknowledged."""
        unprojected = self._unprojected
        if not unprojected:
            return True
        if not self._barrier.has_reached(unprojected):
            return False
        with self._lock:
            if self._unprojected == unprojected:
                self._unprojected = 0
        return True

    def ticket(self, ticket: UUID) -> Row | None:
        """Return the ticket's row with every write that this process acknowledged, or None for an unknown ticket."""
        return self.tickets((ticket,), ticket_status.tickets)[ticket]

    def tickets(self, tickets: Collection[UUID], query: TicketQuery) -> dict[UUID, Row | None]:
        """Return the rows of these tickets by their ids, as `ticket` does; None for an unknown ticket.

        A row that is folded from events has only the ticket's columns, even if the query reads more.
        """
        # Checked before the rows are read, because the read models may reach the position in between.
        all_projected = self._all_projected()
        rows = self._database.read(query, list(tickets))
        return {id: rows.get(id) if all_projected else self.newest_ticket(id, rows.get(id)) for id in tickets}

    def newest_ticket(self, ticket: UUID, row: Row | None) -> Row | None:
        """Return `row` if it contains all events of the ticket, else a row folded from them."""
        last_event = self._database.row(
            "SELECT position FROM events WHERE stream = %s ORDER BY version DESC LIMIT 1", (ticket,)
        )
        if last_event is None or (row is not None and last_event[0] <= row["position"]):
            return row
        events = (RecordedEvent(entry.position, entry.recorded_at, entry.event()) for entry in self._log.stream(ticket))
        folded_row = ticket_row(events)
        if folded_row is not None and row is not None:
            # Payments are in the streams of the donations.
            folded_row["funded"] = row["funded"]
        return folded_row and ticket_status.present(folded_row)


class TicketRows:
    """The ticket rows of one request; each is read at most once.

    `expected` is the only ticket that the request will read, or None if it may read others. `read_expected` reads it
    together with those of other requests.
    """

    def __init__(
        self, reader: ReadYourWrites, query: TicketQuery = ticket_status.tickets, expected: UUID | None = None
    ) -> None:
        self._reader = reader
        self._query = query
        self.expected = expected
        self._rows: dict[UUID, Row | None] = {}

    @staticmethod
    def read_expected(requests: Iterable[TicketRows]) -> None:
        """Read the expected tickets of these requests, in one round trip for each of their queries."""
        by_query: defaultdict[TicketQuery, list[TicketRows]] = defaultdict(list)
        for request in requests:
            by_query[request._query].append(request)
        for query, with_query in by_query.items():
            ids = {request.expected for request in with_query if request.expected is not None}
            rows = with_query[0]._reader.tickets(ids, query)
            for request in with_query:
                if request.expected is not None:
                    request._rows[request.expected] = rows[request.expected]

    def get(self, ticket: UUID) -> Row | None:
        """Return the row with every acknowledged write, or None if the ticket does not exist."""
        if ticket not in self._rows:
            self._rows |= self._reader.tickets((ticket,), self._query)
        return self._rows[ticket]

    def newest(self, ticket: UUID) -> Row | None:
        """Return the row with all recorded events. Access is denied only by this row, never by a read model's row."""
        row = self._rows[ticket] = self._reader.newest_ticket(ticket, self.get(ticket))
        return row
