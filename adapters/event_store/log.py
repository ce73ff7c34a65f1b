"""The events table: appended to in one round trip, read in pages of positions."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from eventsourcing.persistence import Notification, StoredEvent
from psycopg import Connection, Cursor
from psycopg.rows import TupleRow

from adapters.event_store import codec
from adapters.postgres.database import Database
from adapters.postgres.group_commit import GroupCommit
from domain.errors import UnavailableError
from domain.events import TicketEvent


@dataclass(frozen=True)
class Entry(StoredEvent):
    """One event about to be stored: its bytes are final, personal texts already sealed."""

    originator_id: UUID
    ticket: UUID


@dataclass(frozen=True)
class StoredEntry(Notification):
    """One event as it is stored; `id` is its position in the one order of all events."""

    originator_id: UUID
    ticket: UUID
    recorded_at: datetime
    hash: bytes

    @property
    def position(self) -> int:
        return self.id

    def event(self, unseal: codec.Leaf | None = None) -> TicketEvent:
        """The event itself; without `unseal` its personal texts stay sealed."""
        return codec.decode(
            self.topic, self.state, self.originator_id, self.originator_version, self.recorded_at, unseal
        )


# Where a reader that names no end stops.
_LAST_VERSION = 2**31 - 1
_LAST_POSITION = 2**63 - 1

# Run on the same cursor, in the same transaction as the events that ask for it.
Alongside = Callable[[Cursor[TupleRow]], None]

_APPEND = "SELECT append_events(%b::integer[], %b::uuid[], %b::integer[], %b::text[], %b::uuid[], %b::bytea[])"
_COLUMNS = "stream, version, topic, state, position, ticket, recorded_at, hash"


def append(cursor: Cursor[TupleRow], groups: Sequence[Sequence[Entry]]) -> list[list[int] | None]:
    """Record each group all or none, in the cursor's transaction; None for a group whose version was taken."""
    entries = [(number, entry) for number, group in enumerate(groups) for entry in group]
    cursor.execute(
        _APPEND,
        (
            [number for number, _ in entries],
            [entry.originator_id for _, entry in entries],
            [entry.originator_version for _, entry in entries],
            [entry.topic for _, entry in entries],
            [entry.ticket for _, entry in entries],
            [entry.state for _, entry in entries],
        ),
        prepare=True,
    )
    row = cursor.fetchone()
    assert row is not None
    positions: dict[int, list[int | None]] = {number: [] for number in range(len(groups))}
    for (number, _), position in zip(entries, row[0] or [], strict=True):
        positions[number].append(position)
    return [None if None in found else [p for p in found if p is not None] for found in positions.values()]


class EventLog:
    """Appends groups of events and reads them back.

    Groups that wait at the same time share a transaction: appends take turns in the database anyway, so this costs
    nobody anything.
    """

    # More would only make the first of a batch wait for the whole of it.
    MOST_EVENTS_TOGETHER = 512

    def __init__(self, database: Database) -> None:
        self._database = database
        self._group_commit: GroupCommit[Sequence[Entry], list[int] | None] = GroupCommit(
            self._append_all, self.MOST_EVENTS_TOGETHER, len
        )

    def append(self, group: Sequence[Entry], alongside: Alongside | None = None) -> list[int] | None:
        """The positions of the group's events once they are durable; None if a version was taken.

        With `alongside` the group has a transaction of its own, which fails as a whole when `alongside` does.
        """
        if alongside is None:
            return self._group_commit.submit(group)
        with self._database.transaction() as cursor:
            [positions] = append(cursor, [group])
            if positions is not None:
                alongside(cursor)
        return positions

    def _append_all(self, groups: Sequence[Sequence[Entry]]) -> list[list[int] | None]:
        try:
            return self._append_once(groups)
        except UnavailableError:
            # A connection that died since it was last used says nothing about the next one; and if it died just
            # after the commit, the append knows its own rows again.
            return self._append_once(groups)

    def _append_once(self, groups: Sequence[Sequence[Entry]]) -> list[list[int] | None]:
        with self._database.connection() as connection, connection.cursor() as cursor:
            return append(cursor, groups)

    # Reading.

    def stream(self, stream: UUID, *, after: int = 0, until: int | None = None) -> list[StoredEntry]:
        """The events of one stream in order of version."""
        return self._select(
            "stream = %s AND version > %s AND version <= %s ORDER BY version",
            (stream, after, _LAST_VERSION if until is None else until),
        )

    def batch(self, after: int, limit: int, until: int | None = None) -> list[StoredEntry]:
        """Up to `limit` events after a position, in the order of all events."""
        return self._select(
            "position > %s AND position <= %s ORDER BY position LIMIT %s",
            (after, _LAST_POSITION if until is None else until, limit),
        )

    def ticket_page(self, ticket: UUID, after: int, limit: int, until: int | None = None) -> list[StoredEntry]:
        """Up to `limit` events of one ticket and its donations after a position."""
        # Compared as pairs, so that only the index on both gives the order: with the ticket fixed the planner may walk
        # all positions instead, past every other ticket's events.
        last = _LAST_POSITION if until is None else until
        return self._select(
            "(ticket, position) > (%s, %s) AND (ticket, position) <= (%s, %s) ORDER BY ticket, position LIMIT %s",
            (ticket, after, ticket, last, limit),
        )

    def ticket_events(self, ticket: UUID, until: int | None = None) -> Iterator[StoredEntry]:
        """All events of one ticket and its donations, a page at a time."""
        after = 0
        while page := self.ticket_page(ticket, after, 1000, until):
            yield from page
            after = page[-1].position

    def head(self) -> int:
        """The last position; 0 while nothing has happened."""
        with self._database.connection() as connection:
            row = connection.execute("SELECT position FROM events ORDER BY position DESC LIMIT 1").fetchone()
        return row[0] if row else 0

    def position_at(self, moment: datetime) -> int:
        """The last position recorded at or before a moment; 0 if there is none."""
        with self._database.connection() as connection:
            row = connection.execute("SELECT max(position) FROM events WHERE recorded_at <= %s", (moment,)).fetchone()
        return (row[0] if row else None) or 0

    def _select(self, where: str, params: tuple[Any, ...]) -> list[StoredEntry]:
        with self._database.connection() as connection:
            return select(connection, where, params)


def select(connection: Connection[TupleRow], where: str, params: tuple[Any, ...]) -> list[StoredEntry]:
    """The stored events that a condition of ours (never of a caller's) selects."""
    with connection.cursor(binary=True) as cursor:
        cursor.execute(f"SELECT {_COLUMNS} FROM events WHERE {where}".encode(), params, prepare=True)  # noqa: S608
        return [StoredEntry(*row) for row in cursor]
