"""Reads batches of events for the read models: only the columns that folds need, with personal texts still sealed."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple
from uuid import UUID

from psycopg import Connection
from psycopg.rows import TupleRow

from adapters.event_store import codec
from projections.desk import SHARDS
from projections.model import RecordedEvent

# An event's shard, in SQL: the last byte of the ticket's id is random.
SHARD = f"mod(get_byte(uuid_send(ticket), 15), {SHARDS})"


class Partition(NamedTuple):
    """A part of the tickets: those of the shards for which `partition_of_shard` has this number."""

    number: int
    partition_of_shard: bytes


WHOLE = Partition(0, bytes(SHARDS))

# A batch is read in pages of so many events, and ends with the page at which its events have MAX_BYTES of JSON. So long
# events, such as drafts, do not take much more memory than others.
PAGE_EVENTS = 250
MAX_BYTES = 8_000_000

_SELECT = "SELECT position, recorded_at, topic, state, stream, version FROM events "


class Batch(NamedTuple):
    """Events in the order of their positions, and the position up to which there are no others that were asked for."""

    events: list[RecordedEvent]
    until: int


def after(connection: Connection[TupleRow], position: int, limit: int) -> list[RecordedEvent]:
    """Return the next events after a position: at most `limit`, and fewer if they reach MAX_BYTES."""
    events, _ = _read_batch(connection, "WHERE position > %s ORDER BY position LIMIT %s", position, (), limit)
    return events


def between(
    connection: Connection[TupleRow],
    after: int,
    until: int,
    topics: Iterable[str],
    limit: int,
    partition: Partition = WHOLE,
) -> Batch:
    """Return the next events of these topics and tickets whose position is above `after` and at most `until`.

    They are at most `limit`, and fewer if they reach MAX_BYTES.
    """
    # PostgreSQL builds a hash table from a list of literals. The elements of an array that is a parameter of a prepared
    # statement are compared one by one.
    among_topics = ", ".join(f"'{topic}'" for topic in sorted(topics))
    where = f"WHERE position > %s AND position <= %s AND topic IN ({among_topics})"
    params: tuple[object, ...] = (until,)
    if partition != WHOLE:
        # The planner assumes that a function is true for a third of the rows. For `=` it assumes so few rows that it
        # starts parallel workers for each page.
        where += f" AND int4eq(get_byte(%s, {SHARD}), %s)"
        params = (until, partition.partition_of_shard, partition.number)
    events, is_complete = _read_batch(connection, where + " ORDER BY position LIMIT %s", after, params, limit)
    return Batch(events, until if is_complete else events[-1].position)


def of_ticket(connection: Connection[TupleRow], ticket_id: UUID, topics: Sequence[str]) -> list[RecordedEvent]:
    """Return all events of a ticket with these topics."""
    with connection.cursor(binary=True) as cursor:
        cursor.execute(
            f"{_SELECT}WHERE ticket = %s AND topic = ANY(%s) ORDER BY position".encode(), (ticket_id, list(topics))
        )
        return list(map(_decoded, cursor))


def _read_batch(
    connection: Connection[TupleRow], where: str, after: int, params: tuple[object, ...], limit: int
) -> tuple[list[RecordedEvent], bool]:
    """Return the events of a batch, and whether these are all that meet the condition.

    The first parameter of `where` is the position `after`, and the last one the number of events.
    """
    query = (_SELECT + where).encode()
    events: list[RecordedEvent] = []
    size = 0
    with connection.cursor(binary=True) as cursor:
        while len(events) < limit and size < MAX_BYTES:
            page_events = min(PAGE_EVENTS, limit - len(events))
            rows = cursor.execute(query, (after, *params, page_events), prepare=True).fetchall()
            events += map(_decoded, rows)
            if len(rows) < page_events:
                return events, True
            after = events[-1].position
            size += sum(len(state) for _, _, _, state, _, _ in rows)
    return events, False


def _decoded(row: TupleRow) -> RecordedEvent:
    position, recorded_at, topic, state, stream, version = row
    return RecordedEvent(position, recorded_at, codec.decode(topic, state, stream, version, recorded_at))
