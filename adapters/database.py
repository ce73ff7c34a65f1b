"""Connections to PostgreSQL: bounded waits, and one error for "it is away"."""

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


def category(error: BaseException) -> str:
    """What is the matter with the database, in a few words that may be shown to anybody."""
    text = str(error).lower()
    return next((told for sign, told in _SIGNS if sign in text), "not reachable")


def connect(url: str, *, statement_seconds: int = STATEMENT_SECONDS, name: str = "storyledger") -> Connection[TupleRow]:
    """A connection of one's own in autocommit mode, for work that would hold a pooled one too long."""
    return psycopg.connect(url, autocommit=True, **settings(statement_seconds, name))


def settings(statement_seconds: int, name: str, connect_seconds: int = CONNECT_SECONDS) -> dict[str, Any]:
    """What every connection of ours is told beside its URL."""
    return {
        "connect_timeout": connect_seconds,
        "application_name": name,
        "keepalives_idle": 5,
        "keepalives_interval": 2,
        "keepalives_count": 2,
        "tcp_user_timeout": 5000,
        "options": f"-c timezone=UTC -c statement_timeout={statement_seconds}s -c lock_timeout={LOCK_SECONDS}s",
    }


class Opened:
    """The connections that somebody may be waiting on just now, to be cut when nobody will answer any more."""

    def __init__(self) -> None:
        self._connections: WeakSet[BaseConnection[Any]] = WeakSet()
        self._lock = threading.Lock()

    def add(self, connection: BaseConnection[Any]) -> None:
        with self._lock:
            self._connections.add(connection)

    def cut(self) -> None:
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
        self._opened = Opened()
        self._available = True
        self._pool = self._new_pool()

    def _new_pool(self) -> ConnectionPool[Connection[TupleRow]]:
        return ConnectionPool(
            self.url,
            min_size=min(2, self._size),
            max_size=self._size,
            open=False,
            configure=self._opened.add,
            timeout=WAIT_FOR_CONNECTION_SECONDS,
            name=self._name,
            kwargs={"autocommit": True, **settings(STATEMENT_SECONDS, self._name)},
        )

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
        self._opened.cut()

    def reopen(self) -> None:
        """Let callers in, with new connections; whoever is at work on an old one may finish."""
        old, self._pool = self._pool, self._new_pool()
        self._pool.open()
        self._available = True
        old.close(timeout=0)

    @contextmanager
    def connection(self) -> Iterator[Connection[TupleRow]]:
        """A pooled connection; UnavailableError when the database is away."""
        try:
            pool, connection = self._take()
            try:
                with connection:
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
            if not _hung_up(connection):
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


def _hung_up(connection: Connection[TupleRow]) -> bool:
    """Whether the other end of an idle connection has something to say, which is always good-bye. No round trip."""
    poll = select.poll()
    poll.register(connection.pgconn.socket, select.POLLIN)
    return bool(poll.poll(0))
