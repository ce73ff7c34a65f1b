"""Handler for the status of a ticket as server-sent events."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from entrypoints.composition.queries import Queries
from entrypoints.http.event_streams import EventId, Mark, Status, StatusStreams, Watch, read_event_id
from entrypoints.http.middleware.rate_limits import client_network
from entrypoints.http.operations import Answer, Call, EventStream
from entrypoints.presentation.progress import TicketProgress
from entrypoints.presentation.responses import encode
from projections import ticket_status
from projections.model import Row


@dataclass(frozen=True)
class StatusReader:
    """Reads what the streams show, the same as `/status`."""

    queries: Queries

    def marks(self, ticket_ids: Collection[UUID]) -> Mapping[UUID, Mark]:
        rows = self.queries.status_marks(ticket_ids)
        return {ticket: Mark(version, funded, done) for ticket, version, funded, done in rows}

    def statuses(self, ticket_ids: Sequence[UUID]) -> Mapping[UUID, Status]:
        rows = self.queries.database.read(ticket_status.tickets, ticket_ids)
        return {ticket_id: self.status(row) for ticket_id, row in rows.items()}

    def status(self, row: Row) -> Status:
        progress = TicketProgress.of(row, self.queries.progress)
        event_id = EventId(row["version"], progress.progress, int(row["funded"]))
        return Status(event_id, encode(progress))


@dataclass(frozen=True)
class StatusEventHandlers:
    reader: StatusReader
    streams: StatusStreams

    def events(self, call: Call) -> Answer[EventStream]:
        """Stream the status. After a lost connection the browser gets the events since the last one that it got."""
        ticket_id, network = call.ticket_id, client_network(call.client_address)
        sent, status = read_event_id(call.headers.get("last-event-id")), self.reader.status(call.ticket)
        stream = EventStream(
            lambda require_access: self.streams.opened(Watch(ticket_id, network, sent, status, require_access))
        )
        # nginx would otherwise hold events back until there are many.
        return Answer(stream, 200, {"X-Accel-Buffering": "no"}, EventStream.MEDIA_TYPE)
