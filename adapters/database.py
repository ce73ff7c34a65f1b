"""Connections to PostgreSQL: bounded waits, and one error for "it is away".

A URL with `?pgbouncer=true` leads to a PgBouncer that lends a server for one transaction at a time. Nothing may be left
on a session then: no prepared statements, no LISTEN, no settings but those that PgBouncer keeps for its clients (the
time zone). Time limits are the role's there: `ALTER ROLE … SET statement_timeout = '30s', lock_timeout = '10s'`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import psycopg
from psycopg import Connection, Cursor
from psycopg.rows import TupleRow
from psycopg_pool import ConnectionPool, PoolClosed, PoolTimeout

from domain.errors import UnavailableError

CONNECT_SECONDS = 3
WAIT_FOR_CONNECTION_SECONDS = 2.0
STATEMENT_SECONDS = 30
LOCK_SECONDS = 10
# A machine that vanished gives back its locks within some seconds: its bookmark and its turn go to another.
DEAD = "-c tcp_keepalives_idle=5 -c tcp_keepalives_interval=2 -c tcp_keepalives_count=3"

# What psycopg raises when the server is away or going: the caller may try again later.
AWAY = (psycopg.OperationalError, psycopg.InterfaceError, PoolTimeout, PoolClosed)


def connect(url: str, *, statement_seconds: int = STATEMENT_SECONDS, name: str = "storyledger") -> Connection[TupleRow]:
    """A connection of one's own in autocommit mode, for work that would hold a pooled one too long."""
    connection = psycopg.connect(conninfo(url), autocommit=True, **_settings(url, statement_seconds, name))
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


def goes_through_unsaid_pooler(connection: Connection[TupleRow], url: str) -> bool:
    """Whether the server that answers is not the one that we were connected to, and the URL does not say so."""
    row = connection.execute("SELECT pg_backend_pid()").fetchone()
    return not is_pooled(url) and row is not None and row[0] != connection.info.backend_pid


def _settle(connection: Connection[TupleRow]) -> None:
    connection.execute("SET timezone TO 'UTC'")


def _settings(url: str, statement_seconds: int, name: str) -> dict[str, Any]:
    if is_pooled(url):
        return {
            "connect_timeout": CONNECT_SECONDS,
            "application_name": name,
            "prepare_threshold": None,
            "tcp_user_timeout": 5000,
        }
    return {
        "connect_timeout": CONNECT_SECONDS,
        "application_name": name,
        "keepalives_idle": 5,
        "keepalives_interval": 2,
        "keepalives_count": 2,
        "tcp_user_timeout": 5000,
        "options": f"-c timezone=UTC -c statement_timeout={statement_seconds}s -c lock_timeout={LOCK_SECONDS}s {DEAD}",
    }


class Database:
    """A pool of connections in autocommit mode; open it with `with`, or `open()` and `close()`."""

    def __init__(self, url: str, *, size: int = 16, name: str = "storyledger") -> None:
        self.url = url
        self._pool: ConnectionPool[Connection[TupleRow]] = ConnectionPool(
            conninfo(url),
            min_size=min(2, size),
            max_size=size,
            open=False,
            timeout=WAIT_FOR_CONNECTION_SECONDS,
            name=name,
            kwargs={"autocommit": True, **_settings(url, STATEMENT_SECONDS, name)},
            configure=_settle if is_pooled(url) else None,
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

    @contextmanager
    def connection(self) -> Iterator[Connection[TupleRow]]:
        """A pooled connection; UnavailableError when the database is away."""
        try:
            with self._pool.connection() as connection:
                yield connection
        except AWAY as error:
            raise UnavailableError("The database is not available.") from error

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
