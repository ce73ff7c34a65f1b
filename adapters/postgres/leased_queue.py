"""Work that waits in the rows of a table. Any number of processes may take rows; one at a time works on each.

The table has the columns `state`, `attempts`, `next_attempt_at` and `error`. A claimed row is locked until the claiming
transaction ends. With a lease it stays hidden after that until the lease is over, so that slow work needs no open
transaction and the row of a killed process comes back by itself.
"""

from typing import Any

from psycopg import Connection, Cursor, sql
from psycopg.rows import TupleRow

DEAD = "dead"


class LeasedQueue:
    """The rows of `table` in the state `waiting` that meet `condition`; `columns` are what a claim returns of each.

    After a failure the row is tried again, with pauses that double from `first_pause_seconds` to
    `longest_pause_seconds`. After `max_attempts` failures it gets the state `dead_state`; without `max_attempts` it is
    tried for ever. Table, columns and condition are SQL of our own, never input.
    """

    def __init__(
        self,
        table: str,
        key: str,
        columns: str,
        *,
        waiting: str = "waiting",
        condition: str = "true",
        lease_seconds: float | None = None,
        max_attempts: int | None = None,
        first_pause_seconds: float = 1.0,
        longest_pause_seconds: float = 600.0,
        dead_state: str = DEAD,
    ) -> None:
        self._lease_seconds = lease_seconds
        self._max_attempts = max_attempts
        self._first_pause = first_pause_seconds
        self._longest_pause = longest_pause_seconds
        self._waiting = waiting
        self._dead_state = dead_state
        in_queue = f"state = '{waiting}' AND {condition}"
        due = f"FROM {table} WHERE {in_queue} AND next_attempt_at <= now()"
        order = f"ORDER BY next_attempt_at, {key}"
        only = f"(%(key)s::text IS NULL OR {key}::text = %(key)s)"
        locked = f"{due} AND {only} {order} LIMIT %(limit)s FOR UPDATE SKIP LOCKED"
        # The SQL condition that a row is due. To query it costs less than a claim, which needs a transaction.
        self.is_due = f"EXISTS (SELECT {due})"
        self._due = f"SELECT {key}, attempts + 1 {due} {order} LIMIT %s".encode()
        self._claim = f"SELECT {columns}, attempts + 1 {locked}".encode()
        if lease_seconds is not None:
            # As an array the rows are selected once; a join might lock more rows than the limit.
            self._claim = (
                f"UPDATE {table} SET attempts = attempts + 1,"  # noqa: S608 - SQL of our own
                " next_attempt_at = now() + make_interval(secs => %(lease)s)"
                f" WHERE {key} = ANY(ARRAY(SELECT {key} {locked})) RETURNING {columns}, attempts"
            ).encode()
        self._update = (
            f"UPDATE {table} SET state = %(state)s, error = %(error)s,"  # noqa: S608 - SQL of our own
            " attempts = coalesce(%(attempts)s, attempts), next_attempt_at = now() + make_interval(secs => %(pause)s){}"
            f" WHERE {key} = %(key)s"
        )
        self._only_in_queue = f" AND {in_queue}"

    def claim(self, cursor: Cursor[TupleRow], limit: int = 1, key: str | None = None) -> list[TupleRow]:
        """Return the rows that have been due the longest, or the one with this key if it is due.

        The last value of each row is the number of this attempt, counted from 1.
        """
        values = {"limit": limit, "key": key, "lease": self._lease_seconds}
        # A prepared plan that was made while few rows waited would sort all rows when many wait.
        return cursor.execute(self._claim, values, prepare=False, binary=True).fetchall()

    def due(self, connection: Connection[TupleRow], limit: int) -> list[tuple[Any, int]]:
        """Return the key and the number of the next attempt of the rows due the longest, without claiming them."""
        return connection.execute(self._due, (limit,)).fetchall()

    def done(
        self, connection: Connection[TupleRow], key: object, state: str, error: str | None = None, **columns: object
    ) -> bool:
        """Set the row's final state and these columns; return False if the row was deleted meanwhile."""
        return self._set(connection, key, "", columns, state=state, error=error)

    def retry(
        self, connection: Connection[TupleRow], key: object, attempts: int, error: str, **if_dead: object
    ) -> bool:
        """Record that this attempt failed; return True if it was the last one.

        A row whose last attempt failed becomes dead, and gets the columns `if_dead`.
        """
        if self._max_attempts is not None and attempts >= self._max_attempts:
            self.bury(connection, key, attempts, error, **if_dead)
            return True
        pause = min(self._longest_pause, self._first_pause * 2 ** min(attempts - 1, 20))
        self._set(
            connection, key, self._only_in_queue, {}, state=self._waiting, error=error, attempts=attempts, pause=pause
        )
        return False

    def bury(self, connection: Connection[TupleRow], key: object, attempts: int, error: str, **columns: object) -> None:
        """Give the row up now and set these columns; `next_attempt_at` becomes the time of its death."""
        self._set(connection, key, self._only_in_queue, columns, state=self._dead_state, error=error, attempts=attempts)

    def _set(
        self,
        connection: Connection[TupleRow],
        key: object,
        condition: str,
        columns: dict[str, object],
        *,
        state: str,
        error: str | None,
        attempts: int | None = None,
        pause: float = 0.0,
    ) -> bool:
        assignments = sql.SQL("").join(
            sql.SQL(", {} = {}").format(sql.Identifier(name), sql.Placeholder(name)) for name in columns
        )
        values = {"key": key, "state": state, "error": error, "attempts": attempts, "pause": pause, **columns}
        statement = sql.SQL(self._update + condition).format(assignments)
        return connection.execute(statement, values).rowcount > 0
