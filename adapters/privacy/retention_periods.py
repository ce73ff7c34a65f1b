"""How long workspaces keep tickets and donors' names: tables, which change in the transactions of the events."""

from psycopg import Cursor
from psycopg.rows import TupleRow

from adapters.event_store.history import EventEffects
from adapters.postgres.database import Database
from domain.events import RetentionChanged, TicketEvent
from domain.organisations import RetentionPeriods

TICKETS = "workspace_retention"
DONORS = "donor_retention"


class StoredRetention:
    """The port `RetentionReader`. Earlier versions wrote the tables without an event, so they say what holds."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def retention(self, workspace: str) -> RetentionPeriods:
        row = self._database.row(
            f"SELECT (SELECT days FROM {TICKETS} WHERE workspace = %(workspace)s),"  # noqa: S608
            f" (SELECT days FROM {DONORS} WHERE workspace = %(workspace)s)".encode(),
            {"workspace": workspace},
        )
        assert row is not None
        return RetentionPeriods(*row)

    def ticket_periods(self) -> dict[str, int]:
        """Return the workspaces that erase unused tickets, with the days without use."""
        return self._days(TICKETS)

    def donor_periods(self) -> dict[str, int]:
        """Return the workspaces that keep the names of donors who ask to be forgotten, with the days after a gift."""
        return self._days(DONORS)

    def _days(self, table: str) -> dict[str, int]:
        return dict(self._database.rows(f"SELECT workspace, days FROM {table} ORDER BY workspace".encode()))  # noqa: S608


def _store(cursor: Cursor[TupleRow], aggregate: object, event: TicketEvent) -> None:
    assert isinstance(event, RetentionChanged)
    workspace = aggregate.workspace  # type: ignore[attr-defined]
    for table, days in ((TICKETS, event.ticket_days), (DONORS, event.donor_days)):
        if days is None:
            cursor.execute(f"DELETE FROM {table} WHERE workspace = %s".encode(), (workspace,))  # noqa: S608
        else:
            cursor.execute(
                f"INSERT INTO {table} (workspace, days) VALUES (%s, %s)"  # noqa: S608
                " ON CONFLICT (workspace) DO UPDATE SET days = EXCLUDED.days, set_at = now()".encode(),
                (workspace, days),
            )


EFFECTS: EventEffects = {RetentionChanged: [_store]}
