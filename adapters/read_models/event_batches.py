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


def between(
    connection: Connection[TupleRow],
    after: int,
    upto: int,
    topics: Sequence[str],
    limit: int,
    share: tuple[int, int] = (0, 1),
) -> list[Recorded]:
    """Up to `limit` events of these topics whose position is above `after` and not above `upto`.

    Of several shares only the events of its tickets: `share` is its number, from 0, and how many there are.
    """
    where, params = "WHERE position > %s AND position <= %s AND topic = ANY(%s)", (after, upto, list(topics))
    if share == (0, 1):
        return _read(connection, where + " ORDER BY position LIMIT %s", (*params, limit))
    # The last byte of an id is as random as any.
    whose = " AND get_byte(uuid_send(ticket), 15) %% %s = %s ORDER BY position LIMIT %s"
    return _read(connection, where + whose, (*params, share[1], share[0], limit))


def _read(connection: Connection[TupleRow], where: str, params: tuple[object, ...]) -> list[Recorded]:
    with connection.cursor(binary=True) as cursor:
        cursor.execute((_SELECT + where).encode(), params, prepare=True)
        return [
            Recorded(position, recorded_at, codec.decode(topic, state, stream, version, recorded_at))
            for position, recorded_at, topic, state, stream, version in cursor
        ]
