"""Reminds owners and admins of disputes before their evidence is due."""

from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta

from adapters.postgres.database import Database
from adapters.privacy.retention import utc_now
from domain.commands.disputes import DisputeCommands, DueDispute
from domain.errors import NotFoundError
from domain.values import Money
from projections import disputes

# Evidence is collected in some days, and a mail that comes weeks before is forgotten.
REMIND_BEFORE = timedelta(days=4)
# The most disputes of one run of the chores; those whose evidence is due first come first.
MOST_AT_ONCE = 1_000


class DisputeReminders:
    """Called by a chore of the worker."""

    def __init__(self, database: Database, commands: DisputeCommands, now: Callable[[], datetime] = utc_now) -> None:
        self._database = database
        self._commands = commands
        self._now = now

    def run(self) -> None:
        now = self._now()
        with self._database.reading() as cursor:
            due = disputes.due(cursor, now, now + REMIND_BEFORE, MOST_AT_ONCE)
        for row in due:
            amount = Money(row["amount"], row["currency"])
            dispute = DueDispute(row["ticket_id"], row["donation_id"], row["dispute_id"], amount, row["due_by"])
            with suppress(NotFoundError):
                self._commands.remind(dispute)
