"""Databases that fail in the moment a test chose."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from psycopg import Connection

from adapters.database import Database
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
