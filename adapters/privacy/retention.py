"""The review that announces and executes the erasure of tickets that nobody used for the time of their workspace."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

import structlog

from adapters.clock import utc_now
from adapters.postgres.database import Database
from adapters.privacy.retention_periods import StoredRetention
from domain.commands.retention import DueErasure, RetentionCommands, Verdict, inactivity_before_notice
from domain.errors import DomainError, NotFoundError, UnavailableError
from domain.events import DeskEvent, SupportAssigned, SupportUnassigned
from domain.ports import Clock
from projections.model import topics

# The tickets whose last acts are looked up at once.
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
# In the order in which the tickets were opened, which an index has. The desk lists no erased tickets.
_LAST_ACTS = f"""
SELECT t.created_at, t.ticket_id, ({_LAST_ACT}) AS last_act FROM (
    SELECT created_at, ticket_id FROM read.desk_tickets
     WHERE workspace = %(workspace)s AND created_at < %(before)s
       AND (%(at)s::timestamptz IS NULL OR (created_at, ticket_id) > (%(at)s, %(after)s::uuid))
     ORDER BY created_at, ticket_id LIMIT %(batch)s
) t ORDER BY t.created_at, t.ticket_id
"""  # noqa: S608

# When a ticket was opened, and its id: the last one that was looked at.
PageEnd = tuple[datetime, UUID]


class OldTicket(NamedTuple):
    """A ticket that was opened before the inactivity of its workspace began; `last_act` is the last one of a person."""

    created_at: datetime
    ticket_id: UUID
    last_act: datetime | None

    @property
    def end(self) -> PageEnd:
        return self.created_at, self.ticket_id


@dataclass(eq=False)
class Retention:
    """Reviews the tickets of workspaces with a retention period; called by a chore of the worker or by hand."""

    database: Database
    periods: StoredRetention
    commands: RetentionCommands
    now: Clock = utc_now

    def run(self) -> None:
        """Announce and execute the erasures that are due."""
        for workspace, days in self.periods.ticket_periods().items():
            verdicts = Counter(self._reviewed(workspace, days))
            if verdicts[Verdict.ANNOUNCE] or verdicts[Verdict.ERASE]:
                logger.info(
                    "retention",
                    workspace=workspace,
                    announced=verdicts[Verdict.ANNOUNCE],
                    erased=verdicts[Verdict.ERASE],
                )

    def due_erasures(
        self, workspace: str, limit: int, after: PageEnd | None = None
    ) -> tuple[list[DueErasure], PageEnd | None]:
        """Return tickets whose erasure is announced or due to be, in the order in which they were opened.

        Return also the end of the page, or None if it is the last one. At most BATCH tickets are looked at, so a page
        may have fewer than `limit` tickets, and others follow.
        """
        days = self.periods.retention(workspace).ticket_days
        if days is None:
            return [], None
        now = self.now()
        before = now - inactivity_before_notice(days)
        old = self._last_acts(workspace, before, after)
        unused = [(ticket, at) for ticket in old if (at := ticket.last_act) and at < before]
        end = old[-1].end if len(old) == BATCH else None
        if len(unused) > limit:
            unused = unused[:limit]
            end = unused[-1][0].end
        due = (self._due_erasure(ticket.ticket_id, days, last_act, now) for ticket, last_act in unused)
        return [erasure for erasure in due if erasure], end

    def _due_erasure(self, ticket: UUID, days: int, last_act: datetime, now: datetime) -> DueErasure | None:
        """Return when a ticket that was not used for long is erased; None if a person used or erased it meanwhile."""
        try:
            return self.commands.due_erasure(ticket, days, last_act, now)
        except NotFoundError:
            return None

    def _reviewed(self, workspace: str, days: int) -> Iterator[Verdict]:
        now = self.now()
        before = now - inactivity_before_notice(days)
        for _, ticket, last_act in self._old(workspace, before):
            if last_act is None or last_act >= before:
                continue
            try:
                yield self.commands.review(ticket, days, last_act, now)
            except UnavailableError:
                raise
            except DomainError as error:
                logger.error("ticket could not be reviewed", ticket=str(ticket), error=type(error).__name__)

    def _old(self, workspace: str, before: datetime) -> Iterator[OldTicket]:
        """Yield the workspace's tickets that were opened before a time."""
        after: PageEnd | None = None
        while True:
            tickets = self._last_acts(workspace, before, after)
            yield from tickets
            if len(tickets) < BATCH:
                return
            after = tickets[-1].end

    def _last_acts(self, workspace: str, before: datetime, after: PageEnd | None) -> list[OldTicket]:
        """Return the next BATCH tickets of the workspace that were opened before a time."""
        at, ticket = after or (None, None)
        page = {"at": at, "after": ticket, "batch": BATCH}
        parameters = {"workspace": workspace, "before": before, "desk": _DESK_TOPICS} | page
        return [OldTicket(*row) for row in self.database.rows(_LAST_ACTS.encode(), parameters)]
