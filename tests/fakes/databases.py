"""Databases that lose a connection when a test chooses, or record the statements of requests."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from psycopg import Connection, Cursor

from adapters.encryption.epochs import EPOCH_NAMES
from adapters.postgres.database import Database
from domain.errors import UnavailableError


class LosingDatabase(Database):
    """Loses the connection `losses` times, each time just after its transaction was committed."""

    losses = 0

    @contextmanager
    def connection(self) -> Iterator[Connection[Any]]:
        with super().connection() as connection:
            yield connection
        if self.losses:
            self.losses -= 1
            raise UnavailableError("The database is not available.")


@contextmanager
def recorded_statements(database: Database) -> Iterator[list[str]]:
    """Yield a list of the statements that the server's threads execute on this database while the block runs.

    Reading the names of the epochs is left out: the time alone decides when a process does so.
    """
    statements: list[str] = []

    class RecordingCursor(Cursor[Any]):
        def execute(self, query: Any, *args: Any, **more: Any) -> Any:
            if threading.current_thread().name.startswith("handler "):
                statement = query if isinstance(query, str) else query.decode()
                if statement != EPOCH_NAMES:
                    statements.append(statement)
            return super().execute(query, *args, **more)

    pooled = database.connection

    @contextmanager
    def connection() -> Iterator[Connection[Any]]:
        with pooled() as lent:
            lent.cursor_factory = RecordingCursor
            try:
                yield lent
            finally:
                lent.cursor_factory = Cursor

    database.connection = connection  # type: ignore[method-assign]
    try:
        yield statements
    finally:
        database.connection = pooled  # type: ignore[method-assign]
