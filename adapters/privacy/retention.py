"""The review that announces and executes the erasure of tickets that nobody used for the time of their workspace."""

from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from uuid import UUID

import structlog

from adapters.postgres.database import Database
from adapters.privacy.retention_periods import StoredRetention
from domain.commands.retention import DueErasure, RetentionCommands, Verdict, inactivity_before_notice
from domain.errors import DomainError, NotFoundError, UnavailableError
from domain.events import DeskEvent, SupportAssigned, SupportUnassigned
from projections.model import topics

BATCH = 200

logger = structlog.get_logger()

# What staff note about a ticket is no use of it.
_DESK_TOPICS = sorted(topics(DeskEvent, SupportAssigned, SupportUnassigned))
# The last act of a person is the ticket's last event whose actor is neither the system nor Stripe.
_LAST_ACT = """
    SELECT e.recorded_at FROM events e
     WHERE e.ticket = t.ticket_id AND convert_from(e.state, 'UTF8')::json #>> '{actor,role}'
           NOT IN ('system', 'stripe') AND e.topic <> ALL(%(desk)s)
     ORDER BY e.ticket DESC, e.position DESC LIMIT 1
"""
_OLD = "workspace = %(workspace)s AND NOT erased AND created_at < %(before)s"
_LAST_ACTS = f"""
SELECT ticket_id, last_act FROM (
    SELECT t.ticket_id, ({_LAST_ACT}) AS last_act FROM (
        SELECT ticket_id FROM read.ticket_status
         WHERE {_OLD} AND (%(after)s::uuid IS NULL OR ticket_id > %(after)s)
         ORDER BY ticket_id LIMIT %(batch)s
    ) t
) s ORDER BY ticket_id
"""  # noqa: S608
# In the order of the last acts. Few tickets are that old and not erased, because the worker erases those without use.
_LONGEST_UNUSED = f"""
SELECT ticket_id, last_act FROM (
    SELECT t.ticket_id, ({_LAST_ACT}) AS last_act FROM read.ticket_status t WHERE {_OLD}
) s WHERE last_act < %(before)s
      AND (%(at)s::timestamptz IS NULL OR (last_act, ticket_id) > (%(at)s, %(after)s::uuid))
 ORDER BY last_act, ticket_id LIMIT %(batch)s
"""  # noqa: S608


def utc_now() -> datetime:
    return datetime.now(UTC)


class Retention:
    """Reviews the tickets of workspaces with a retention period; called by a chore of the worker or by hand."""

    def __init__(
        self,
        database: Database,
        periods: StoredRetention,
        commands: RetentionCommands,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        self._database = database
        self._periods = periods
        self._commands = commands
        self.now = now

    def run(self) -> None:
        """Announce and execute the erasures that are due."""
        for workspace, days in self._periods.ticket_periods().items():
            verdicts = Counter(self._reviewed(workspace, days))
            if verdicts[Verdict.ANNOUNCE] or verdicts[Verdict.ERASE]:
                logger.info(
                    "retention",
                    workspace=workspace,
                    announced=verdicts[Verdict.ANNOUNCE],
                    erased=verdicts[Verdict.ERASE],
                )

    def longest_unused(
        self, workspace: str, limit: int, after: tuple[datetime, UUID] | None = None
    ) -> list[tuple[UUID, datetime]]:
        """Return tickets whose erasure is announced or due to be, those without use for longest first, with that time.

        `after` is the last use and the id of the last ticket of the page before.
        """
        days = self._periods.retention(workspace).ticket_days
        if days is None:
            return []
        at, ticket = after or (None, None)
        before = self.now() - inactivity_before_notice(days)
        parameters = {"workspace": workspace, "before": before, "desk": _DESK_TOPICS}
        page = {"at": at, "after": ticket, "batch": limit}
        return [(row[0], row[1]) for row in self._database.rows(_LONGEST_UNUSED.encode(), parameters | page)]

    def due_erasure(self, workspace: str, ticket: UUID, last_act: datetime) -> DueErasure | None:
        """Return when a ticket that was not used for long is erased; None if a person used or erased it meanwhile."""
        days = self._periods.retention(workspace).ticket_days
        try:
            return None if days is None else self._commands.due_erasure(ticket, days, last_act, self.now())
        except NotFoundError:
            return None

    def _reviewed(self, workspace: str, days: int) -> Iterator[Verdict]:
        now = self.now()
        before = now - inactivity_before_notice(days)
        for ticket, last_act in self._old(workspace, before):
            if last_act is None or last_act >= before:
                continue
            try:
                yield self._commands.review(ticket, days, last_act, now)
            except UnavailableError:
                raise
            except DomainError as error:
                logger.error("ticket could not be reviewed", ticket=str(ticket), error=type(error).__name__)

    def _old(self, workspace: str, before: datetime) -> Iterator[tuple[UUID, datetime | None]]:
        """Yield the workspace's tickets created before a time, each with the time of the last act of a person."""
        after: UUID | None = None
        while True:
            tickets = self._database.rows(
                _LAST_ACTS.encode(),
                {"workspace": workspace, "before": before, "after": after, "batch": BATCH, "desk": _DESK_TOPICS},
            )
            yield from tickets
            if len(tickets) < BATCH:
                return
            after = tickets[-1][0]
