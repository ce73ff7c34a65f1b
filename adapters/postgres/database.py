"""Connections to PostgreSQL with bounded waits; an unavailable database raises UnavailableError.

A URL with `?pgbouncer=true` leads to a PgBouncer in transaction mode. Sessions then keep no state: no prepared
statements, no LISTEN, and no settings except those that PgBouncer tracks for its clients (the time zone). Time limits
belong to the role there: `ALTER ROLE … SET statement_timeout = '30s', lock_timeout = '10s'`.
"""

from __future__ import annotations

import os
import select
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, Concatenate, ParamSpec, TypeVar
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit
from weakref import WeakSet

import msgspec
import psycopg
from psycopg import BaseConnection, Connection, Cursor
from psycopg.abc import Params, QueryNoTemplate
from psycopg.rows import TupleRow
from psycopg.types.json import set_json_loads
from psycopg_pool import ConnectionPool, PoolClosed, PoolTimeout

from domain.errors import UnavailableError

P = ParamSpec("P")
Result = TypeVar("Result")

CONNECT_SECONDS = 3
# A pool opens these at its start, and keeps them for its next callers.
READY_CONNECTIONS = 2
WAIT_FOR_CONNECTION_SECONDS = 1.5
STATEMENT_SECONDS = 30
LOCK_SECONDS = 10
# The server drops the session of a machine that vanished, and with it its locks, within 11 seconds.
SERVER_KEEPALIVES = "-c tcp_keepalives_idle=5 -c tcp_keepalives_interval=2 -c tcp_keepalives_count=3"

# The errors of a server that is unreachable, stopping, full, or a read-only standby: the caller may try again later.
CONNECTION_ERRORS = (
    psycopg.OperationalError,
    psycopg.InterfaceError,
    psycopg.errors.ReadOnlySqlTransaction,
    PoolTimeout,
    PoolClosed,
)

# Categories of faults, by a fragment of the message of the server or of libpq. The messages themselves are never shown,
# because they name hosts and users.
_FAULT_CATEGORIES = (
    ("password", "wrong user or password"),
    ("authentication", "wrong user or password"),
    ("pg_hba.conf", "does not let this user in from here"),
    ("does not exist", "no such database or role"),
    ("starting up", "is starting"),
    ("recovery", "is starting"),
    ("shutting down", "is stopping"),
    ("too many c", "takes no more connections"),
    ("no space left", "disk is full"),
    ("could not extend", "disk is full"),
    ("timeout", "does not answer"),
    ("refused", "refuses connections"),
    ("no such file", "refuses connections"),
)


def fault_category(error: BaseException) -> str:
    """Return why the database is unavailable in a few words that name no host or user and so may be public."""
    text = str(error).lower()
    return next((category for fragment, category in _FAULT_CATEGORIES if fragment in text), "not reachable")


def connect(
    url: str,
    *,
    statement_seconds: int = STATEMENT_SECONDS,
    name: str = "storyledger",
    registry: ConnectionRegistry | None = None,
) -> Connection[TupleRow]:
    """Open a connection outside the pools in autocommit mode, for work that would hold a pooled one too long.

    Background work passes `registry`, so that the watchdog can end its wait for a server that hangs.
    """
    connection = psycopg.connect(conninfo(url), autocommit=True, **settings(url, statement_seconds, name))
    if registry is not None:
        registry.add(connection)
    _set_up(connection, url)
    return connection


def uses_pgbouncer(url: str) -> bool:
    """Return True if the URL says that it leads to a PgBouncer in transaction mode."""
    return ("pgbouncer", "true") in parse_qsl(urlsplit(url).query)


def conninfo(url: str) -> str:
    """Return the URL without the `pgbouncer` parameter, which libpq does not know."""
    if not uses_pgbouncer(url):
        return url
    parts = urlsplit(url)
    return urlunsplit(parts._replace(query=urlencode([p for p in parse_qsl(parts.query) if p[0] != "pgbouncer"])))


def goes_through_undeclared_pooler(connection: Connection[TupleRow], url: str) -> bool:
    """Return True if the URL leads to a pooler without saying so: another server process answers than the first."""
    row = connection.execute("SELECT pg_backend_pid()").fetchone()
    return not uses_pgbouncer(url) and row is not None and row[0] != connection.info.backend_pid


def _set_up(connection: Connection[TupleRow], url: str) -> None:
    # A ticket's row has seven values of JSON: 2 µs of processor instead of 19 with the standard library.
    set_json_loads(msgspec.json.decode, connection)
    if uses_pgbouncer(url):
        connection.execute("SET timezone TO 'UTC'")


def settings(url: str, statement_seconds: int, name: str, connect_seconds: int | None = None) -> dict[str, Any]:
    """Return the arguments of psycopg's `connect` that all our connections have besides their URL."""
    connect_seconds = CONNECT_SECONDS if connect_seconds is None else connect_seconds
    if uses_pgbouncer(url):
        return {
            "connect_timeout": connect_seconds,
            "application_name": name,
            "prepare_threshold": None,
            "tcp_user_timeout": 5000,
        }
    return {
        "connect_timeout": connect_seconds,
        "application_name": name,
        "keepalives_idle": 5,
        "keepalives_interval": 2,
        "keepalives_count": 2,
        "tcp_user_timeout": 5000,
        "options": f"-c timezone=UTC -c statement_timeout={statement_seconds}s -c lock_timeout={LOCK_SECONDS}s"
        f" {SERVER_KEEPALIVES}",
    }


class ShortTimeoutConnection(Connection[TupleRow]):
    """A connection in autocommit mode that waits at most `answer_seconds` for any answer."""

    answer_seconds = 1

    @classmethod
    def to(cls, url: str, *, name: str, answer_seconds: int) -> ShortTimeoutConnection:
        """Connect within `answer_seconds`."""
        connection = cls.connect(
            conninfo(url), autocommit=True, **settings(url, STATEMENT_SECONDS, name, connect_seconds=answer_seconds)
        )
        connection.answer_seconds = answer_seconds
        return connection

    def wait(self, gen: Any, interval: float = 0.1, timeout: float | None = None) -> Any:
        return super().wait(gen, interval, self.answer_seconds if timeout is None else timeout)


class ConnectionRegistry:
    """The open connections, so that all of them can be disconnected when the server does not answer any more."""

    def __init__(self) -> None:
        self._connections: WeakSet[BaseConnection[Any]] = WeakSet()
        self._lock = threading.Lock()

    def add(self, connection: BaseConnection[Any]) -> None:
        with self._lock:
            self._connections.add(connection)

    def disconnect_all(self) -> None:
        """Shut down the sockets of all connections: threads that wait for an answer get psycopg's error at once."""
        with self._lock:
            connections = list(self._connections)
            self._connections.clear()
        for connection in connections:
            with suppress(OSError, psycopg.Error):
                descriptor = os.dup(connection.fileno())
                # The connection is still open after the copy, so the copy is of its socket and not of a later file
                # that got the same number.
                with socket.socket(fileno=descriptor) as copied_socket:
                    if not connection.closed:
                        copied_socket.shutdown(socket.SHUT_RDWR)


@dataclass(frozen=True)
class Occupancy:
    """The number of a pool's connections in use and idle, its maximum size, and the number of waiting callers."""

    in_use: int
    idle: int
    max_size: int
    waiting: int


class Database:
    """A pool of connections in autocommit mode; open it with `with`, or `open()` and `close()`.

    After `shut` every caller gets UnavailableError at once, until `reopen` makes a new pool: the old one would
    reconnect in ever longer pauses.
    """

    def __init__(self, url: str, *, size: int = 16, name: str = "storyledger") -> None:
        self.url = url
        self._size = size
        self._name = name
        self._registry = ConnectionRegistry()
        self._available = True
        self._pool = self._new_pool()

    def _new_pool(self) -> ConnectionPool[Connection[TupleRow]]:
        return ConnectionPool(
            conninfo(self.url),
            min_size=min(READY_CONNECTIONS, self._size),
            max_size=self._size,
            open=False,
            configure=self._prepare,
            timeout=WAIT_FOR_CONNECTION_SECONDS,
            name=self._name,
            kwargs={"autocommit": True, **settings(self.url, STATEMENT_SECONDS, self._name)},
        )

    def _prepare(self, connection: Connection[TupleRow]) -> None:
        self._registry.add(connection)
        _set_up(connection, self.url)

    def open(self) -> None:
        self._pool.open()

    def close(self) -> None:
        self._pool.close(timeout=2)

    def __enter__(self) -> Database:
        self.open()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def available(self) -> bool:
        """False while the pool is shut."""
        return self._available

    def occupancy(self) -> Occupancy:
        """Return how full the pool is, without a query."""
        pool = self._pool.get_stats()
        size, idle = pool.get("pool_size", 0), pool.get("pool_available", 0)
        return Occupancy(max(0, size - idle), idle, self._size, pool.get("requests_waiting", 0))

    def shut(self) -> None:
        """Fail all callers until `reopen`, at once also those that wait for a connection or an answer."""
        self._available = False
        self._pool.close(timeout=0)
        self._registry.disconnect_all()

    def reopen(self, *, disconnect: bool = False) -> None:
        """Serve callers with new connections. Work on an old connection may finish, unless `disconnect` ends it."""
        old_registry = self._registry
        if disconnect:
            self._registry = ConnectionRegistry()
        old_pool, self._pool = self._pool, self._new_pool()
        self._pool.open()
        self._available = True
        old_pool.close(timeout=0)
        if disconnect:
            old_registry.disconnect_all()

    @contextmanager
    def connection(self) -> Iterator[Connection[TupleRow]]:
        """Lend a pooled connection, or raise UnavailableError."""
        try:
            pool, connection = self._live_connection()
            try:
                # In autocommit mode there is nothing to commit, and the pool rolls back a transaction left open.
                yield connection
            finally:
                pool.putconn(connection)
        except CONNECTION_ERRORS as error:
            raise UnavailableError("The database is not available.") from error

    def _live_connection(self) -> tuple[ConnectionPool[Connection[TupleRow]], Connection[TupleRow]]:
        """Return a connection that the server has not closed, and the pool that it goes back to."""
        deadline = time.monotonic() + WAIT_FOR_CONNECTION_SECONDS
        while self._available:
            pool = self._pool
            try:
                connection = pool.getconn(deadline - time.monotonic())
            except PoolClosed:
                if pool is self._pool:
                    raise
                continue  # the pool was replaced meanwhile
            # The only thing that a server sends to an idle connection is that it closes it.
            if not has_unread_data(connection):
                return pool, connection
            connection.close()
            pool.putconn(connection)
        raise UnavailableError("The database is not available.")

    def row(self, query: QueryNoTemplate, params: Params | None = None) -> TupleRow | None:
        """Return the first row of a query, or None."""
        with self.connection() as connection:
            return connection.execute(query, params).fetchone()

    def rows(self, query: QueryNoTemplate, params: Params | None = None) -> list[TupleRow]:
        with self.connection() as connection:
            return connection.execute(query, params).fetchall()

    def execute(self, statement: QueryNoTemplate, params: Params | None = None) -> int:
        """Execute one statement, which commits by itself. Return the number of rows that it changed."""
        with self.connection() as connection:
            return connection.execute(statement, params).rowcount

    @contextmanager
    def reading(self) -> Iterator[Cursor[TupleRow]]:
        """Lend a cursor without a transaction: each statement costs one round trip and sees the newest state."""
        with self.connection() as connection, connection.cursor() as cursor:
            yield cursor

    def read(self, query: Callable[Concatenate[Cursor[TupleRow], P], Result], *args: P.args, **kw: P.kwargs) -> Result:
        """Call the query with a cursor of `reading` and these arguments, and return its result."""
        with self.reading() as cursor:
            return query(cursor, *args, **kw)

    @contextmanager
    def snapshot(self, statement_seconds: float | None = None) -> Iterator[Cursor[TupleRow]]:
        """Lend a cursor in a read-only transaction, all statements of which see the same state."""
        with self.transaction() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            if statement_seconds is not None:
                cursor.execute(f"SET LOCAL statement_timeout = {int(statement_seconds * 1000)}")
            yield cursor

    @contextmanager
    def transaction(self) -> Iterator[Cursor[TupleRow]]:
        """Lend a cursor in a transaction of its own, which commits when the block ends without an error."""
        with self.connection() as connection, connection.transaction(), connection.cursor() as cursor:
            yield cursor


def has_unread_data(connection: Connection[TupleRow], seconds: float | None = 0.0) -> bool:
    """Return True if the server has sent data that was not read yet, or has closed the connection.

    It makes no round trip. It waits at most this many seconds, or without a limit if `seconds` is None.
    """
    poll = select.poll()
    poll.register(connection.pgconn.socket, select.POLLIN)
    return bool(poll.poll(None if seconds is None else seconds * 1000))


def wait_for_notifications(connection: Connection[TupleRow]) -> None:
    """Return once a notification has arrived, or other data; raise psycopg's error when the connection ends.

    While it waits it uses no processor time, whereas psycopg's own wait wakes up ten times a second.
    """
    has_unread_data(connection, None)
    for _ in connection.notifies(timeout=0):
        pass
