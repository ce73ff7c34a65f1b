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

_SELECT = "SELECT position, recorded_at, topic, state, stream, version FROM events "


def after(connection: Connection[TupleRow], position: int, limit: int) -> list[RecordedEvent]:
    """Return up to `limit` events after a position."""
    return _read(connection, "WHERE position > %s ORDER BY position LIMIT %s", (position, limit))


def between(
    connection: Connection[TupleRow],
    after: int,
    until: int,
    topics: Iterable[str],
    limit: int,
    partition: Partition = WHOLE,
) -> list[RecordedEvent]:
    """Return up to `limit` events of these topics and tickets whose position is above `after` and at most `until`."""
    # PostgreSQL builds a hash table from a list of literals. The elements of an array that is a parameter of a prepared
    # statement are compared one by one.
    among_topics = ", ".join(f"'{topic}'" for topic in sorted(topics))
    where, params = f"WHERE position > %s AND position <= %s AND topic IN ({among_topics})", (after, until)
    if partition == WHOLE:
        return _read(connection, where + " ORDER BY position LIMIT %s", (*params, limit))
    # The planner assumes that a function is true for a third of the rows. For `=` it assumes so few rows that it starts
    # parallel workers for each page.
    in_partition = f" AND int4eq(get_byte(%s, {SHARD}), %s) ORDER BY position LIMIT %s"
    return _read(connection, where + in_partition, (*params, partition.partition_of_shard, partition.number, limit))


def of_ticket(connection: Connection[TupleRow], ticket_id: UUID, topics: Sequence[str]) -> list[RecordedEvent]:
    """Return all events of a ticket with these topics."""
    return _read(connection, "WHERE ticket = %s AND topic = ANY(%s) ORDER BY position", (ticket_id, list(topics)))


def _read(connection: Connection[TupleRow], where: str, params: tuple[object, ...]) -> list[RecordedEvent]:
    with connection.cursor(binary=True) as cursor:
        cursor.execute((_SELECT + where).encode(), params, prepare=True)
        return [
            RecordedEvent(position, recorded_at, codec.decode(topic, state, stream, version, recorded_at))
            for position, recorded_at, topic, state, stream, version in cursor.fetchall()
        ]
