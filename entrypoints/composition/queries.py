"""Queries of HTTP and the command line."""

from collections.abc import Collection
from uuid import UUID

from adapters.event_store.log import EventLog
from adapters.health import lag
from adapters.identity.credentials import PUBLIC_WORKSPACE
from adapters.postgres.database import Database
from adapters.read_models.reads import Reads
from adapters.read_models.replica import Replica


class Queries:
    """Over the log and the read models; what may be long comes a page at a time."""

    def __init__(self, database: Database, log: EventLog, replica: Replica | None = None) -> None:
        self.database = database
        self.log = log
        self.replica = replica

    def reads(self, *, writes: bool = False) -> Reads:
        """For one request: what it shows may come from the read replica, unless it `writes`."""
        return Reads(self.database, self.log, None if writes else self.replica)

    def progress(self, ticket: UUID, recording: UUID, step: str) -> float:
        """How much of the present step is done, 0..1."""
        row = self.database.row(
            "SELECT done FROM step_progress WHERE ticket_id = %s AND recording_id = %s AND step = %s",
            (ticket, recording, step),
        )
        return float(row[0]) if row else 0.0

    def status_marks(self, tickets: Collection[UUID]) -> list[tuple[UUID, int, bool, float]]:
        """Return each ticket's version, whether it is funded, and how much of its present step is done."""
        rows = self.database.rows(
            "SELECT t.ticket_id, t.version, f.ticket_id IS NOT NULL, coalesce(p.done, 0)::float"
            " FROM read.ticket_status t LEFT JOIN read.funded_tickets f USING (ticket_id)"
            " LEFT JOIN step_progress p ON (p.ticket_id, p.recording_id, p.step)"
            " = (t.ticket_id, t.recording_id, t.step) WHERE t.ticket_id = ANY(%s)",
            (list(tickets),),
        )
        return [(ticket, version, funded, done) for ticket, version, funded, done in rows]

    def workspaces(self) -> list[str]:
        """Every workspace that has a member, a key or a ticket."""
        rows = self.database.rows(
            "SELECT workspace FROM api_keys UNION SELECT workspace FROM members"
            " UNION SELECT workspace FROM read.ticket_status ORDER BY 1"
        )
        return [name for (name,) in rows]

    def workspace_exists(self, name: str) -> bool:
        """Return True if the workspace has a member, a key or a ticket, or is the built-in one."""
        query = (
            "SELECT EXISTS (SELECT FROM api_keys WHERE workspace = %(name)s)"
            " OR EXISTS (SELECT FROM members WHERE workspace = %(name)s)"
            " OR EXISTS (SELECT FROM read.ticket_status WHERE workspace = %(name)s)"
        )
        return name == PUBLIC_WORKSPACE or (name.isprintable() and self.database.row(query, {"name": name}) == (True,))

    def projection_lags(self) -> dict[str, lag.ProjectionLag]:
        """Return the lag of each read model by its name."""
        return self.database.read(lag.projections)
