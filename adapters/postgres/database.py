"""Connections to PostgreSQL: bounded waits, and one error for "it is away".

A URL with `?pgbouncer=true` leads to a PgBouncer that lends a server for one transaction at a time. Nothing may be left
on a session then: no prepared statements, no LISTEN, no settings but those that PgBouncer keeps for its clients (the
time zone). Time limits are the role's there: `ALTER ROLE … SET statement_timeout = '30s', lock_timeout = '10s'`.
"""

from __future__ import annotations

import os
import select
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit
from weakref import WeakSet

import psycopg
from psycopg import BaseConnection, Connection, Cursor
from psycopg.rows import TupleRow
from psycopg_pool import ConnectionPool, PoolClosed, PoolTimeout

from domain.errors import UnavailableError

CONNECT_SECONDS = 3
WAIT_FOR_CONNECTION_SECONDS = 1.5
STATEMENT_SECONDS = 30
LOCK_SECONDS = 10
# A machine that vanished gives back its locks within some seconds: its bookmark and its turn go to another.
DEAD = "-c tcp_keepalives_idle=5 -c tcp_keepalives_interval=2 -c tcp_keepalives_count=3"

# What psycopg raises when the server is away, going, full, or a copy that takes no writes: the caller may try later.
AWAY = (
    psycopg.OperationalError,
    psycopg.InterfaceError,
    psycopg.errors.ReadOnlySqlTransaction,
    PoolTimeout,
    PoolClosed,
)

# What is the matter, by what the server or libpq says. Their own words stay here: they name hosts and users.
_SIGNS = (
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
    """What is the matter with the database, in a few words that may be shown to anybody."""
    text = str(error).lower()
    return next((told for sign, told in _SIGNS if sign in text), "not reachable")


def connect(
    url: str,
    *,
    statement_seconds: int = STATEMENT_SECONDS,
    name: str = "storyledger",
    registry: ConnectionRegistry | None = None,
) -> Connection[TupleRow]:
    """A connection of one's own in autocommit mode, for work that would hold a pooled one too long.

    Whoever goes on by itself gives `registry`: a server that hangs would otherwise be waited for as long as it does.
    """
    connection = psycopg.connect(conninfo(url), autocommit=True, **settings(url, statement_seconds, name))
    if registry is not None:
        registry.add(connection)
    if is_pooled(url):
        _settle(connection)
    return connection


def is_pooled(url: str) -> bool:
    """Whether the URL says that a pooler lends servers for one transaction at a time."""
    return ("pgbouncer", "true") in parse_qsl(urlsplit(url).query)


def conninfo(url: str) -> str:
    """The URL without what only we understand."""
    if not is_pooled(url):
        return url
    parts = urlsplit(url)
    return urlunsplit(parts._replace(query=urlencode([p for p in parse_qsl(parts.query) if p[0] != "pgbouncer"])))


def goes_through_undeclared_pooler(connection: Connection[TupleRow], url: str) -> bool:
    """Whether the server that answers is not the one that we were connected to, and the URL does not say so."""
    row = connection.execute("SELECT pg_backend_pid()").fetchone()
    return not is_pooled(url) and row is not None and row[0] != connection.info.backend_pid


def _settle(connection: Connection[TupleRow]) -> None:
    connection.execute("SET timezone TO 'UTC'")


def settings(url: str, statement_seconds: int, name: str, connect_seconds: int = CONNECT_SECONDS) -> dict[str, Any]:
    """What every connection of ours is told beside its URL."""
    if is_pooled(url):
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
        "options": f"-c timezone=UTC -c statement_timeout={statement_seconds}s -c lock_timeout={LOCK_SECONDS}s {DEAD}",
    }


class ConnectionRegistry:
    """The connections that somebody may be waiting on just now, to be cut when nobody will answer any more."""

    def __init__(self) -> None:
        self._connections: WeakSet[BaseConnection[Any]] = WeakSet()
        self._lock = threading.Lock()

    def add(self, connection: BaseConnection[Any]) -> None:
        with self._lock:
            self._connections.add(connection)

    def disconnect_all(self) -> None:
        """Hang up on all of them: whoever waits for an answer gets psycopg's error at once, in whatever thread."""
        with self._lock:
            connections = list(self._connections)
            self._connections.clear()
        for connection in connections:
            with suppress(OSError, psycopg.Error):
                descriptor = os.dup(connection.fileno())
                # Still open after it was copied, so the copy is of its own socket and not of a successor's.
                with socket.socket(fileno=descriptor) as line:
                    if not connection.closed:
                        line.shutdown(socket.SHUT_RDWR)


@dataclass(frozen=True)
class Occupancy:
    """How many connections a pool has lent out and has left, how many it may have, and who waits for one."""

    in_use: int
    idle: int
    most: int
    waiting: int


class Database:
    """A pool of connections in autocommit mode; open it with `with`, or `open()` and `close()`.

    While it is `shut` every caller is turned away at once. `reopen` begins with new connections: the pool's own way
    back to a server that was away is to try in ever longer pauses.
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
            min_size=min(2, self._size),
            max_size=self._size,
            open=False,
            configure=self._prepare,
            timeout=WAIT_FOR_CONNECTION_SECONDS,
            name=self._name,
            kwargs={"autocommit": True, **settings(self.url, STATEMENT_SECONDS, self._name)},
        )

    def _prepare(self, connection: Connection[TupleRow]) -> None:
        self._registry.add(connection)
        if is_pooled(self.url):
            _settle(connection)

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
        """Whether callers are let in."""
        return self._available

    def occupancy(self) -> Occupancy:
        """How full the pool is; asks nobody."""
        pool = self._pool.get_stats()
        size, idle = pool.get("pool_size", 0), pool.get("pool_available", 0)
        return Occupancy(max(0, size - idle), idle, self._size, pool.get("requests_waiting", 0))

    def shut(self) -> None:
        """Turn everybody away, at once also those who wait for a connection or an answer, until `reopen`."""
        self._available = False
        self._pool.close(timeout=0)
        self._registry.disconnect_all()

    def reopen(self, *, hang_up: bool = False) -> None:
        """Let callers in, with new connections; whoever is at work on an old one may finish, unless we `hang_up`."""
        before = self._registry
        if hang_up:
            self._registry = ConnectionRegistry()
        old, self._pool = self._pool, self._new_pool()
        self._pool.open()
        self._available = True
        old.close(timeout=0)
        if hang_up:
            before.disconnect_all()

    @contextmanager
    def connection(self) -> Iterator[Connection[TupleRow]]:
        """A pooled connection; UnavailableError when the database is away."""
        try:
            pool, connection = self._take()
            try:
                # In autocommit mode there is nothing to commit, and what was left open the pool rolls back.
                yield connection
            finally:
                pool.putconn(connection)
        except AWAY as error:
            raise UnavailableError("The database is not available.") from error

    def _take(self) -> tuple[ConnectionPool[Connection[TupleRow]], Connection[TupleRow]]:
        """A connection whose other end has not hung up, and the pool that it goes back to."""
        deadline = time.monotonic() + WAIT_FOR_CONNECTION_SECONDS
        while self._available:
            pool = self._pool
            try:
                connection = pool.getconn(deadline - time.monotonic())
            except PoolClosed:
                if pool is self._pool:
                    raise
                continue  # replaced meanwhile
            # Idle, it has nothing to say but good-bye.
            if not has_spoken(connection):
                return pool, connection
            connection.close()
            pool.putconn(connection)
        raise UnavailableError("The database is not available.")

    @contextmanager
    def reading(self) -> Iterator[Cursor[TupleRow]]:
        """A cursor whose every statement stands for itself: one round trip, and the newest state each time."""
        with self.connection() as connection, connection.cursor() as cursor:
            yield cursor

    @contextmanager
    def transaction(self) -> Iterator[Cursor[TupleRow]]:
        """A cursor in a transaction of its own, committed when the block ends well."""
        with self.connection() as connection, connection.transaction(), connection.cursor() as cursor:
            yield cursor


def has_spoken(connection: Connection[TupleRow]) -> bool:
    """Whether the other end has said something that nobody has read yet, or hung up. No round trip."""
    poll = select.poll()
    poll.register(connection.pgconn.socket, select.POLLIN)
    return bool(poll.poll(0))
