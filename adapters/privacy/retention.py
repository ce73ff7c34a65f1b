"""The review that announces and executes the erasure of tickets that nobody used for the time of their workspace."""

from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from uuid import UUID

import structlog

from adapters.postgres.database import Database
from adapters.privacy.retention_periods import StoredRetention
from domain.commands.retention import RetentionCommands, Verdict, inactivity_before_notice
from domain.errors import DomainError, UnavailableError
from domain.events import DeskEvent
from projections.model import topics

BATCH = 200

logger = structlog.get_logger()

# What staff note about a ticket is no use of it.
_DESK_TOPICS = sorted(topics(DeskEvent))
# The last act of a person is the ticket's last event whose actor is neither the system nor Stripe.
_LAST_ACTS = """
SELECT ticket_id, last_act FROM (
    SELECT t.ticket_id, (
        SELECT e.recorded_at FROM events e
         WHERE e.ticket = t.ticket_id AND convert_from(e.state, 'UTF8')::json #>> '{actor,role}'
               NOT IN ('system', 'stripe') AND e.topic <> ALL(%(desk)s)
         ORDER BY e.ticket DESC, e.position DESC LIMIT 1
    ) AS last_act FROM (
        SELECT ticket_id FROM read.ticket_status
         WHERE workspace = %(workspace)s AND NOT erased AND created_at < %(before)s
           AND (%(after)s::uuid IS NULL OR ticket_id > %(after)s)
         ORDER BY ticket_id LIMIT %(batch)s
    ) t
) s ORDER BY ticket_id
"""


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
        self._now = now

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

    def _reviewed(self, workspace: str, days: int) -> Iterator[Verdict]:
        now = self._now()
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
