"""Databases that fail in the moment a test chose, or tell what was asked of them."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from psycopg import Connection, Cursor

from adapters.postgres.database import Database
from domain.errors import UnavailableError


class LosingDatabase(Database):
    """Loses the connection, as often as `losses` says, just after what was done on it became durable."""

    losses = 0

    @contextmanager
    def connection(self) -> Iterator[Connection[Any]]:
        with super().connection() as connection:
            yield connection
        if self.losses:
            self.losses -= 1
            raise UnavailableError("The database is not available.")


@contextmanager
def overheard(database: Database) -> Iterator[list[str]]:
    """Every statement that requests execute by way of this object while the block runs, in threads of the server."""
    said: list[str] = []

    class Telling(Cursor[Any]):
        def execute(self, query: Any, *args: Any, **more: Any) -> Any:
            if threading.current_thread().name.startswith("handler "):
                said.append(query if isinstance(query, str) else query.decode())
            return super().execute(query, *args, **more)

    pooled = database.connection

    @contextmanager
    def connection() -> Iterator[Connection[Any]]:
        with pooled() as lent:
            lent.cursor_factory = Telling
            try:
                yield lent
            finally:
                lent.cursor_factory = Cursor

    database.connection = connection  # type: ignore[method-assign]
    try:
        yield said
    finally:
        database.connection = pooled  # type: ignore[method-assign]
