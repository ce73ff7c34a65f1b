"""Consents that are limited in time: when the one to the story ends, the page is taken down."""

from contextlib import suppress

import structlog

from adapters.clock import utc_now
from adapters.postgres.database import Database
from domain.commands.tickets import TicketCommands
from domain.errors import NotFoundError
from domain.ports import Clock
from projections import ticket_status

logger = structlog.get_logger()


def end_consents(database: Database, commands: TicketCommands, now: Clock = utc_now) -> None:
    """Record the end of consents; called by a chore of the worker.

    Nobody sees a page from the second on in which the consent ends. This follows within minutes, and with it the
    checkouts that are still open are expired.
    """
    moment = now()
    ended = database.read(ticket_status.with_ended_consents, moment)
    for ticket_id in ended:
        # The ticket may be erased at the same moment.
        with suppress(NotFoundError):
            commands.end_consents(ticket_id, moment)
            logger.info("page taken down, because its consent has ended", ticket=str(ticket_id))
