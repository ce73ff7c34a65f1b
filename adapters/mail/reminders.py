"""Reminders to members, which chores of the worker send, so that they come within ten minutes."""

from contextlib import suppress
from datetime import timedelta

from adapters.clock import utc_now
from adapters.postgres.database import Database
from domain.commands.desk import DeskCommands
from domain.commands.disputes import DisputeCommands, DueDispute
from domain.errors import NotFoundError
from domain.ports import Clock
from domain.values import Money
from projections import desk, disputes

# Evidence is collected in some days, and a mail that comes weeks before is forgotten.
REMIND_BEFORE = timedelta(days=4)
# The most tickets or disputes of one run of the chores; those that are due first come first.
MOST_AT_ONCE = 1_000


def remind_of_due_tickets(database: Database, commands: DeskCommands, now: Clock = utc_now) -> None:
    """Remind members of the tickets that they take care of, once these are due."""
    moment = now()
    due = database.read(desk.due, moment, MOST_AT_ONCE)
    for ticket_id in due:
        # The ticket may be erased at the same moment.
        with suppress(NotFoundError):
            commands.remind(ticket_id, moment)


def remind_of_disputes(database: Database, commands: DisputeCommands, now: Clock = utc_now) -> None:
    """Remind owners and admins of disputes before their evidence is due."""
    moment = now()
    due = database.read(disputes.due, moment, moment + REMIND_BEFORE, MOST_AT_ONCE)
    for row in due:
        amount = Money(row["amount"], row["currency"])
        dispute = DueDispute(row["ticket_id"], row["donation_id"], row["dispute_id"], amount, row["due_by"])
        with suppress(NotFoundError):
            commands.remind(dispute)
