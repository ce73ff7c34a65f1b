"""Consents that are limited in time: when the one to the story ends, the page is taken down."""

from collections.abc import Callable
from contextlib import suppress
from datetime import datetime

import structlog

from adapters.postgres.database import Database
from adapters.privacy.retention import utc_now
from domain.commands.tickets import TicketCommands
from domain.errors import NotFoundError
from projections import ticket_status

logger = structlog.get_logger()


class ConsentEnds:
    """Records the end of consents; called by a chore of the worker.

    Nobody sees a page from the second on in which the consent ends. This follows within minutes, and with it the
    checkouts that are still open are expired.
    """

    def __init__(self, database: Database, commands: TicketCommands, now: Callable[[], datetime] = utc_now) -> None:
        self._database = database
        self._commands = commands
        self._now = now

    def run(self) -> None:
        now = self._now()
        with self._database.reading() as cursor:
            ended = ticket_status.with_ended_consents(cursor, now)
        for ticket_id in ended:
            # It may be erased at the same moment.
            with suppress(NotFoundError):
                self._commands.end_consents(ticket_id, now)
                logger.info("page taken down, because its consent has ended", ticket=str(ticket_id))
