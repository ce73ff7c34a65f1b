"""The event log: appends in one round trip, and reads in the order of positions.

An append calls one SQL function that takes a lock, chains the hashes and inserts the rows. Appends that wait at the
same time share a call. `python -m tests.benchmarks --only appends` measures the rate: with 16 writers of single events
4.7 to 7.8 × the library's `save()`, and 0.65 to 0.83 × a bare psycopg INSERT and COMMIT.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from eventsourcing.persistence import Notification, StoredEvent
from psycopg import Connection, Cursor
from psycopg.rows import TupleRow

from adapters.encryption.ticket_keys import WrappedKey
from adapters.event_store import codec
from adapters.postgres.database import Database
from adapters.postgres.group_commit import GroupCommit
from domain.errors import UnavailableError
from domain.events import TicketEvent


@dataclass(frozen=True)
class NewEntry(StoredEvent):
    """One event to be appended; the personal texts in its `state` are sealed.

    `new_key` returns a key that is stored for the event's stream, unless the stream has one. It is called for each
    attempt to append the event, because a key is wrapped in an epoch, which may end.
    """

    originator_id: UUID
    ticket: UUID
    new_key: Callable[[], WrappedKey] | None = None


@dataclass(frozen=True)
class StoredEntry(Notification):
    """One stored event; `id` is its position in the order of all events."""

    originator_id: UUID
    ticket: UUID
    recorded_at: datetime
    hash: bytes

    @property
    def position(self) -> int:
        return self.id

    def event(self, unseal: codec.TextTransform | None = None) -> TicketEvent:
        """Decode the event; without `unseal` its personal texts stay sealed."""
        return codec.decode(
            self.topic, self.state, self.originator_id, self.originator_version, self.recorded_at, unseal
        )


# The upper bounds of a read without `until`.
_LAST_VERSION = 2**31 - 1
_LAST_POSITION = 2**63 - 1

# Further writes in the transaction of appended events; called with its cursor.
Effects = Callable[[Cursor[TupleRow]], None]

_APPEND = "SELECT append_events(%b::integer[], %b::uuid[], %b::integer[], %b::text[], %b::uuid[], %b::bytea[])"
_APPEND_WITH_KEYS = f"""
WITH keys AS (
    INSERT INTO ticket_keys (ticket_id, wrapped, wrapped_by)
    SELECT * FROM unnest(%b::uuid[], %b::bytea[], %b::text[]) ON CONFLICT DO NOTHING
) {_APPEND}
"""  # noqa: S608 - a constant
_COLUMNS = "stream, version, topic, state, position, ticket, recorded_at, hash"


def append(cursor: Cursor[TupleRow], groups: Sequence[Sequence[NewEntry]]) -> list[list[int] | None]:
    """Append each group in the cursor's transaction, all of it or nothing.

    Return the positions of each group's events, or None for a group with a version that exists already.
    """
    entries = [(number, entry) for number, group in enumerate(groups) for entry in group]
    keys = [(entry.originator_id, *entry.new_key()) for _, entry in entries if entry.new_key is not None]
    cursor.execute(
        _APPEND_WITH_KEYS if keys else _APPEND,
        (
            *map(list, zip(*keys, strict=True)),
            [number for number, _ in entries],
            [entry.originator_id for _, entry in entries],
            [entry.originator_version for _, entry in entries],
            [entry.topic for _, entry in entries],
            [entry.ticket for _, entry in entries],
            [entry.state for _, entry in entries],
        ),
        prepare=True,
    )
    [(recorded,)] = cursor.fetchall()
    positions: dict[int, list[int | None]] = {number: [] for number in range(len(groups))}
    for (number, _), position in zip(entries, recorded or [], strict=True):
        positions[number].append(position)
    return [None if None in group else [p for p in group if p is not None] for group in positions.values()]


class TicketExtent(NamedTuple):
    """The number of a ticket's events, and their first and last position; zeros for a ticket without events."""

    events: int
    first: int
    last: int


class EventLog:
    """Appends groups of events, and reads events.

    Groups that wait at the same time share a transaction, since a lock in the database lets only one append run anyway.
    """

    # The largest number of events in one transaction, so that its first group does not wait for arbitrarily many.
    MAX_BATCH_EVENTS = 512

    def __init__(self, database: Database) -> None:
        self._database = database
        self._group_commit: GroupCommit[Sequence[NewEntry], list[int] | None] = GroupCommit(
            self._append_all, self.MAX_BATCH_EVENTS, len
        )

    def append(
        self, group: Sequence[NewEntry], effects: Effects | None = None, lock: Effects | None = None
    ) -> list[int] | None:
        """Return the positions of the group's events once they are durable, or None if a version exists already.

        With `effects` the group has a transaction of its own, which is rolled back if `effects` fails. `lock` takes the
        locks that `effects` needs and that other transactions take before the lock of the append.
        """
        if effects is None:
            return self._group_commit.submit(group)
        with self._database.transaction() as cursor:
            if lock is not None:
                lock(cursor)
            [positions] = append(cursor, [group])
            if positions is not None:
                effects(cursor)
        return positions

    def _append_all(self, groups: Sequence[Sequence[NewEntry]]) -> list[list[int] | None]:
        try:
            return self._append_once(groups)
        except UnavailableError:
            # The connection may have failed while it was idle, so a second one is tried. If the first one failed after
            # the commit, `append_events` recognises the rows and returns their positions.
            return self._append_once(groups)

    def _append_once(self, groups: Sequence[Sequence[NewEntry]]) -> list[list[int] | None]:
        with self._database.connection() as connection, connection.cursor() as cursor:
            return append(cursor, groups)

    # Reading.

    def stream(self, stream: UUID, *, after: int = 0, until: int | None = None) -> list[StoredEntry]:
        """Return the events of one stream in the order of versions, from those after `after` up to `until`."""
        return self._select(
            "stream = %s AND version > %s AND version <= %s ORDER BY version",
            (stream, after, _LAST_VERSION if until is None else until),
        )

    def batch(self, after: int, limit: int, until: int | None = None) -> list[StoredEntry]:
        """Return up to `limit` events after a position, in the order of positions."""
        return self._select(
            "position > %s AND position <= %s ORDER BY position LIMIT %s",
            (after, _LAST_POSITION if until is None else until, limit),
        )

    def ticket_page(self, ticket: UUID, after: int, limit: int, until: int | None = None) -> list[StoredEntry]:
        """Return up to `limit` events of one ticket and its donations after a position."""
        # The comparison of pairs makes the planner use the index on (ticket, position). With `ticket = …` it may scan
        # the index on positions instead, through the events of all other tickets.
        last = _LAST_POSITION if until is None else until
        return self._select(
            "(ticket, position) > (%s, %s) AND (ticket, position) <= (%s, %s) ORDER BY ticket, position LIMIT %s",
            (ticket, after, ticket, last, limit),
        )

    def ticket_events(self, ticket: UUID, until: int | None = None) -> Iterator[StoredEntry]:
        """Yield all events of one ticket and its donations, read in batches."""
        after = 0
        while batch := self.ticket_page(ticket, after, 1000, until):
            yield from batch
            after = batch[-1].position

    def ticket_extent(self, ticket: UUID) -> TicketExtent:
        """Return how many events one ticket and its donations have, and the first and last of their positions."""
        [(count, first, last)] = self._database.rows(
            "SELECT count(*), min(position), max(position) FROM events WHERE ticket = %s", (ticket,)
        )
        return TicketExtent(count, first or 0, last or 0)

    def head(self) -> int:
        """Return the last position, or 0 in an empty log."""
        row = self._database.row("SELECT position FROM events ORDER BY position DESC LIMIT 1")
        return row[0] if row else 0

    def position_at(self, time: datetime) -> int:
        """Return the last position recorded at or before a time, or 0."""
        row = self._database.row("SELECT max(position) FROM events WHERE recorded_at <= %s", (time,))
        return (row[0] if row else None) or 0

    def _select(self, where: str, params: tuple[object, ...]) -> list[StoredEntry]:
        with self._database.connection() as connection:
            return select(connection, where, params)


def select(connection: Connection[TupleRow], where: str, params: tuple[object, ...]) -> list[StoredEntry]:
    """Return the stored events that match the condition, which must be a constant of our code."""
    with connection.cursor(binary=True) as cursor:
        cursor.execute(f"SELECT {_COLUMNS} FROM events WHERE {where}".encode(), params, prepare=True)  # noqa: S608
        return [StoredEntry(*row) for row in cursor]
