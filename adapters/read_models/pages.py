"""Pages of the history as read models fold them: nothing is fetched that no fold asks for, nothing is unsealed."""

from __future__ import annotations

from collections.abc import Sequence

from psycopg import Connection
from psycopg.rows import TupleRow

from adapters.event_store import codec
from projections.model import Recorded

_SELECT = "SELECT position, recorded_at, topic, state, stream, version FROM events "


def after(connection: Connection[TupleRow], position: int, limit: int) -> list[Recorded]:
    """Up to `limit` events after a position."""
    return _read(connection, "WHERE position > %s ORDER BY position LIMIT %s", (position, limit))


def between(connection: Connection[TupleRow], after: int, upto: int, topics: Sequence[str]) -> list[Recorded]:
    """The events of these topics whose position is above `after` and not above `upto`."""
    return _read(
        connection,
        "WHERE position > %s AND position <= %s AND topic = ANY(%s) ORDER BY position",
        (after, upto, list(topics)),
    )


def _read(connection: Connection[TupleRow], where: str, params: tuple[object, ...]) -> list[Recorded]:
    with connection.cursor(binary=True) as cursor:
        cursor.execute((_SELECT + where).encode(), params, prepare=True)
        return [
            Recorded(position, recorded_at, codec.decode(topic, state, stream, version, recorded_at))
            for position, recorded_at, topic, state, stream, version in cursor
        ]
