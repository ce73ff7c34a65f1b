"""How long each workspace keeps its tickets, and the look for those whose time has come."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from uuid import UUID

import structlog

from adapters.postgres.database import Database
from domain.commands import Commands
from domain.errors import DomainError, InvalidError, UnavailableError
from domain.retention import Retiring, Verdict, silence

LONGEST_DAYS = 36_500
PAGE = 200

logger = structlog.get_logger()

# When anybody last did something is told by the history itself: machines' own events are nobody's doing.
_SILENT = """
SELECT ticket_id, last_act FROM (
    SELECT t.ticket_id, (
        SELECT e.recorded_at FROM events e
         WHERE e.ticket = t.ticket_id AND convert_from(e.state, 'UTF8')::json #>> '{actor,role}'
               NOT IN ('system', 'stripe')
         ORDER BY e.ticket DESC, e.position DESC LIMIT 1
    ) AS last_act FROM (
        SELECT ticket_id FROM read.ticket_status
         WHERE workspace = %(workspace)s AND NOT erased AND created_at < %(before)s
           AND (%(after)s::uuid IS NULL OR ticket_id > %(after)s)
         ORDER BY ticket_id LIMIT %(page)s
    ) t
) s ORDER BY ticket_id
"""


class Retention:
    """Reviews by hand, or as a chore of the worker; none is reviewed where no workspace asks for it."""

    def __init__(self, database: Database, commands: Commands) -> None:
        self._database = database
        self._commands = commands
        self._retiring = Retiring(commands)

    def periods(self) -> dict[str, int]:
        """The workspaces that let go of their tickets, each with the days that it keeps them."""
        with self._database.connection() as connection:
            return dict(
                connection.execute("SELECT workspace, days FROM workspace_retention ORDER BY workspace").fetchall()
            )

    def keep_for(self, workspace: str, days: int | None) -> None:
        """From now on erase what nobody used for so many days; None keeps everything, as it was before."""
        if days is not None and not 1 <= days <= LONGEST_DAYS:
            raise InvalidError(f"must be from 1 to {LONGEST_DAYS}", "/days")
        with self._database.connection() as connection:
            if days is None:
                connection.execute("DELETE FROM workspace_retention WHERE workspace = %s", (workspace,))
            else:
                connection.execute(
                    "INSERT INTO workspace_retention (workspace, days) VALUES (%s, %s)"
                    " ON CONFLICT (workspace) DO UPDATE SET days = EXCLUDED.days, set_at = now()",
                    (workspace, days),
                )

    def run(self) -> None:
        """Announce and erase whatever is due."""
        for workspace, days in self.periods().items():
            done = Counter(self._reviewed(workspace, days))
            if done[Verdict.ANNOUNCE] or done[Verdict.ERASE]:
                logger.info(
                    "retention",
                    workspace=workspace,
                    announced=done[Verdict.ANNOUNCE],
                    erased=done[Verdict.ERASE],
                )

    def _reviewed(self, workspace: str, days: int) -> Iterator[Verdict]:
        before = self._commands.now() - silence(days)
        for ticket, last_act in self._old(workspace, before):
            if last_act is None or last_act >= before:
                continue
            try:
                yield self._retiring.review(ticket, days, last_act)
            except UnavailableError:
                raise
            except DomainError as error:
                logger.error("not reviewed", ticket=str(ticket), error=type(error).__name__)

    def _old(self, workspace: str, before: datetime) -> Iterator[tuple[UUID, datetime | None]]:
        """The workspace's tickets that are old enough, each with when somebody last did anything."""
        after: UUID | None = None
        while True:
            with self._database.connection() as connection:
                page = connection.execute(
                    _SILENT.encode(), {"workspace": workspace, "before": before, "after": after, "page": PAGE}
                ).fetchall()
            yield from page
            if len(page) < PAGE:
                return
            after = page[-1][0]
