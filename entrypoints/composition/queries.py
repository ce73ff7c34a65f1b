"""Queries of HTTP and the command line."""

from collections.abc import Iterator
from datetime import datetime
from itertools import chain, islice
from uuid import UUID

from psycopg import Cursor
from psycopg.rows import TupleRow

from adapters.event_store.log import EventLog
from adapters.health import lag
from adapters.postgres.database import Database
from adapters.read_models.reads import Reads
from adapters.read_models.replica import Replica
from projections import donation_ledger, fee_ledger
from projections.model import Row

EXPORT_PAGE = 1_000


class Queries:
    """Over the log and the read models; what may be long comes a page at a time."""

    def __init__(self, database: Database, log: EventLog, replica: Replica | None = None) -> None:
        self.database = database
        self.log = log
        self.replica = replica

    def reads(self, *, writes: bool = False) -> Reads:
        """For one request: what it shows may come from the read replica, unless it `writes`."""
        return Reads(self.database, self.log, None if writes else self.replica)

    def exported(
        self,
        ticket: UUID | None,
        workspace: str | None,
        since: datetime | None,
        until: datetime | None,
        reads: Reads | None = None,
    ) -> Iterator[tuple[Row, list[Row]]]:
        """Donations for accounting with what was settled of each, a page of them in memory at a time."""
        after: UUID | None = None
        reads = reads or self.reads()

        def asked(cursor: Cursor[TupleRow]) -> tuple[list[Row], dict[UUID, list[Row]]]:
            with cursor.connection.transaction():
                page = donation_ledger.donations_for_export(cursor, after, EXPORT_PAGE, ticket, workspace, since, until)
                settled: dict[UUID, list[Row]] = {row["donation_id"]: [] for row in page}
                for entry in fee_ledger.entries(cursor, list(settled)):
                    settled[entry["donation_id"]].append(entry)
            return page, settled

        while True:
            page, settled = reads.ask(asked)
            yield from ((row, settled[row["donation_id"]]) for row in page)
            if len(page) < EXPORT_PAGE:
                return
            after = page[-1]["donation_id"]

    def journal(self, ticket: UUID | None, since: datetime | None, until: datetime | None) -> Iterator[Row]:
        """Every movement of the donors' ledger in the order of the history, a page of them in memory at a time."""
        after = 0
        while True:
            with self.database.transaction() as cursor:
                page = donation_ledger.entries_for_export(cursor, after, EXPORT_PAGE, ticket, since, until)
            yield from page
            if not page:
                return
            after = page[-1]["position"]

    def settlements(self, ticket: UUID | None, since: datetime | None, until: datetime | None) -> Iterator[Row]:
        """Everything that was settled of the same donations, with the amounts in the donations' currencies."""
        settlements = chain.from_iterable(settled for _, settled in self.exported(ticket, None, since, until))
        while page := list(islice(settlements, EXPORT_PAGE)):
            with self.database.transaction() as cursor:
                converted = donation_ledger.with_converted(cursor, page)
            yield from converted

    def progress(self, ticket: UUID, recording: UUID, step: str) -> float:
        """How much of the present step is done, 0..1."""
        row = self.database.row(
            "SELECT done FROM step_progress WHERE ticket_id = %s AND recording_id = %s AND step = %s",
            (ticket, recording, step),
        )
        return float(row[0]) if row else 0.0

    def workspaces(self) -> list[str]:
        """Every workspace that has a key or a ticket."""
        rows = self.database.rows(
            "SELECT workspace FROM api_keys UNION SELECT workspace FROM read.ticket_status ORDER BY 1"
        )
        return [name for (name,) in rows]

    def projection_lags(self) -> dict[str, lag.ProjectionLag]:
        """Return the lag of each read model by its name."""
        with self.database.reading() as cursor:
            return lag.projections(cursor)
