"""The read models of a moment: the same folds over a part of the history, in memory."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from projections import ticket_status
from projections.model import Key, Projection, Recorded, Row, Table


class MemoryRows:
    """The port `projections.model.Rows` in dictionaries."""

    def __init__(self) -> None:
        self._rows: dict[str, dict[Key, Row]] = defaultdict(dict)

    def load(self, table: Table, keys: Iterable[Key]) -> None:
        """Everything is here already."""

    def get(self, table: Table, key: Key) -> Row | None:
        row = self._rows[table.name].get(key)
        return None if row is None else dict(row)

    def put(self, table: Table, row: Row) -> None:
        self._rows[table.name][tuple(row[name] for name in table.key)] = row

    def delete(self, table: Table, key: Key) -> None:
        self._rows[table.name].pop(key, None)

    def all(self, table: Table) -> list[Row]:
        return list(self._rows[table.name].values())


def folded(projection: Projection, events: Iterable[Recorded]) -> MemoryRows:
    """The projection's tables after these events and no others."""
    rows = MemoryRows()
    projection.fold(list(events), rows)
    return rows


def ticket_row(events: Iterable[Recorded]) -> Row | None:
    """The ticket's row as its events leave it, which is what its read model shows once it has seen them."""
    rows = folded(ticket_status, events)
    found = rows.all(ticket_status.TICKETS)
    return ticket_status.with_status(found[0] | {"funded": bool(rows.all(ticket_status.FUNDED))}) if found else None
