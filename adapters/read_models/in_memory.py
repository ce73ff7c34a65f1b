"""Read models in memory, folded from any part of the event log."""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from projections import ticket_status
from projections.model import Key, Projection, RecordedEvent, Row, Table, lowest


class MemoryRows:
    """The port `projections.model.Rows` in dictionaries."""

    def __init__(self) -> None:
        self._rows: dict[str, dict[Key, Row]] = defaultdict(dict)

    def load(self, table: Table, keys: Iterable[Key]) -> None:
        """Do nothing: all rows are in memory."""

    def get(self, table: Table, key: Key) -> Row | None:
        row = self._rows[table.name].get(key)
        return None if row is None else dict(row)

    def lowest(self, table: Table, column: str, group: Row) -> Any:
        return lowest(self._rows[table.name].values(), column, group)

    def put(self, table: Table, row: Row) -> None:
        self._rows[table.name][table.key_of(row)] = row

    def delete(self, table: Table, key: Key) -> None:
        self._rows[table.name].pop(key, None)

    def all(self, table: Table) -> list[Row]:
        return list(self._rows[table.name].values())


def folded(projection: Projection, events: Iterable[RecordedEvent]) -> MemoryRows:
    """Fold these events into empty tables of the projection and return them."""
    rows = MemoryRows()
    projection.fold(list(events), rows)
    return rows


def ticket_row(events: Iterable[RecordedEvent]) -> Row | None:
    """Return the row of the ticket's read model after these events, or None if they open no ticket."""
    rows = folded(ticket_status, events)
    ticket_rows = rows.all(ticket_status.TICKETS)
    if not ticket_rows:
        return None
    return ticket_status.with_status(ticket_rows[0] | {"funded": bool(rows.all(ticket_status.FUNDED))})
