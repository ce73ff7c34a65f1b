"""The numbers of receipts, without gaps for each workspace and year.

A number is chosen before its event is appended, and written to a table in the transaction of the event. Only the number
after the last one can be written, and the append lets one transaction write at a time, so of two that chose the same
number one fails as a whole and chooses again.
"""

from contextlib import AbstractContextManager
from threading import Lock

from eventsourcing.persistence import IntegrityError
from psycopg import Cursor
from psycopg.rows import TupleRow

from adapters.event_store.history import EventEffects
from adapters.postgres.database import Database
from domain.events import ReceiptNumbered, TicketEvent
from domain.organisations import ReceiptNumber

_LAST = "SELECT coalesce(max(number), 0) FROM receipt_numbers WHERE workspace = %(workspace)s AND year = %(year)s"


class StoredReceiptNumbers:
    """The port `ReceiptNumbers` over the table."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock = Lock()

    def turn(self) -> AbstractContextManager[object]:
        return self._lock

    def next(self, workspace: str, year: int) -> ReceiptNumber:
        row = self._database.row(_LAST, {"workspace": workspace, "year": year})
        assert row is not None
        return ReceiptNumber(year, row[0] + 1)


def _write(cursor: Cursor[TupleRow], _: object, event: TicketEvent) -> None:
    """Write the number; IntegrityError if it is not the one after the last."""
    assert isinstance(event, ReceiptNumbered)
    written = cursor.execute(
        "INSERT INTO receipt_numbers (workspace, year, number, ticket_id, donation_id, issued_at)"
        " SELECT %(workspace)s, %(year)s, %(number)s, %(ticket)s, %(donation)s, now()"
        f" WHERE ({_LAST}) + 1 = %(number)s ON CONFLICT DO NOTHING",
        {
            "workspace": event.workspace,
            "year": event.year,
            "number": event.number,
            "ticket": event.ticket_id,
            "donation": event.donation_id,
        },
    )
    if written.rowcount == 0:
        raise IntegrityError("the number of the receipt was given meanwhile")


EFFECTS: EventEffects = {ReceiptNumbered: [_write]}
