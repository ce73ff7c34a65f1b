"""Reminds members of the tickets that they take care of, once these are due."""

from collections.abc import Callable
from contextlib import suppress
from datetime import datetime

from adapters.postgres.database import Database
from adapters.privacy.retention import utc_now
from domain.commands.desk import DeskCommands
from domain.errors import NotFoundError
from projections import desk

# The most tickets of one run of the chores; those that are due for longest come first.
MOST_AT_ONCE = 1_000


class DueReminders:
    """Called by a chore of the worker, so a reminder comes within ten minutes of the due date."""

    def __init__(self, database: Database, commands: DeskCommands, now: Callable[[], datetime] = utc_now) -> None:
        self._database = database
        self._commands = commands
        self._now = now

    def run(self) -> None:
        now = self._now()
        with self._database.reading() as cursor:
            due = desk.due(cursor, now, MOST_AT_ONCE)
        for ticket_id in due:
            # It may be erased at the same moment.
            with suppress(NotFoundError):
                self._commands.remind(ticket_id, now)
