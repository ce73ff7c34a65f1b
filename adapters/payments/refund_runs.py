"""Refunds all gifts of suspended tickets: slowly enough for Stripe, and on from where an ended process left off."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import structlog
from psycopg import Cursor
from psycopg.rows import TupleRow

from adapters.postgres.background import StepLoop
from adapters.postgres.database import Database
from domain.commands.refund_runs import GiftOutcome, RefundRunCommands
from domain.events import RefundAllRequested, TicketEvent
from projections import donation_ledger

# At most five gifts a second, a twentieth of what Stripe allows.
PAUSE_SECONDS = 0.2
LEASE_SECONDS = 120

_DUE = "FROM refund_runs WHERE ended_at IS NULL AND leased_until <= now()"
_CLAIM = f"""
UPDATE refund_runs SET leased_until = now() + %(seconds)s * interval '1 second'
 WHERE run_id = (SELECT run_id {_DUE} ORDER BY requested_at LIMIT 1 FOR UPDATE SKIP LOCKED)
RETURNING run_id, ticket_id
"""  # noqa: S608
_NEXT_GIFT = """
SELECT donation_id FROM read.donation_ledger d
 WHERE ticket_id = %(ticket)s AND paid > 0
   AND NOT EXISTS (SELECT FROM refund_run_gifts g WHERE g.run_id = %(run)s AND g.donation_id = d.donation_id)
 ORDER BY donation_id LIMIT 1
"""
_PROGRESS = """
SELECT r.run_id, r.requested_at, r.ended_at, r.before,
       (SELECT count(*) FROM read.donation_ledger d
         WHERE d.ticket_id = r.ticket_id AND d.paid > 0 AND r.ended_at IS NULL
           AND NOT EXISTS (SELECT FROM refund_run_gifts g WHERE g.run_id = r.run_id AND g.donation_id = d.donation_id))
  FROM refund_runs r WHERE r.ticket_id = %s ORDER BY r.requested_at DESC LIMIT 1
"""

logger = structlog.get_logger()


@dataclass(frozen=True)
class RunProgress:
    """How far the refunds of a ticket are: `outcomes` counts gifts, and `before` is the net of each currency then."""

    run_id: UUID
    requested_at: datetime
    ended_at: datetime | None
    before: dict[str, int]
    waiting: int
    outcomes: dict[GiftOutcome, int]


def add(cursor: Cursor[TupleRow], _: object, event: TicketEvent) -> None:
    """Begin the run that the event asks for, in its transaction; if another is under way, that refunds the same."""
    assert isinstance(event, RefundAllRequested)
    totals = donation_ledger.totals(cursor, event.ticket)
    before = {row["currency"]: row["paid"] - row["refunded"] - row["disputed"] for row in totals}
    cursor.execute(
        "INSERT INTO refund_runs (run_id, ticket_id, before) VALUES (%s, %s, %s) ON CONFLICT DO NOTHING",
        (event.run_id, event.ticket, json.dumps(before)),
    )


class RefundRuns(StepLoop):
    """Works on the runs, when called or in its own thread between `start` and `stop`, in any number of processes."""

    def __init__(self, database: Database, commands: RefundRunCommands, pause_seconds: float = PAUSE_SECONDS) -> None:
        super().__init__("refund runs", self._work_on_next, f"EXISTS (SELECT {_DUE})")
        self._database = database
        self._commands = commands
        self._pause_seconds = pause_seconds

    def _work_on_next(self) -> bool:
        """Work on a run that no other process has; return True if it came to its end."""
        run = self._database.row(_CLAIM, {"seconds": LEASE_SECONDS})
        return run is not None and self._refund_gifts(*run)

    def _refund_gifts(self, run_id: UUID, ticket_id: UUID) -> bool:
        """Refund the gifts that are left. Return False if the process stops before the end."""
        while (gift := self._database.row(_NEXT_GIFT, {"ticket": ticket_id, "run": run_id})) is not None:
            outcome = self._commands.refund(ticket_id, gift[0], run_id)
            with self._database.transaction() as cursor:
                cursor.execute(
                    "INSERT INTO refund_run_gifts VALUES (%s, %s, %s) ON CONFLICT DO NOTHING",
                    (run_id, gift[0], outcome.value),
                )
                cursor.execute(
                    "UPDATE refund_runs SET leased_until = now() + %s * interval '1 second' WHERE run_id = %s",
                    (LEASE_SECONDS, run_id),
                )
            if self.pause(self._pause_seconds):
                self._database.execute("UPDATE refund_runs SET leased_until = now() WHERE run_id = %s", (run_id,))
                return False
        self._database.execute("UPDATE refund_runs SET ended_at = now() WHERE run_id = %s", (run_id,))
        logger.info("all gifts refunded", ticket=str(ticket_id))
        return True

    def progress(self, ticket_id: UUID) -> RunProgress | None:
        """Return how far the newest run of the ticket is, or None if there was none."""
        row = self._database.row(_PROGRESS, (ticket_id,))
        if row is None:
            return None
        counts = self._database.rows(
            "SELECT outcome, count(*) FROM refund_run_gifts WHERE run_id = %s GROUP BY outcome", (row[0],)
        )
        run_id, requested_at, ended_at, before, waiting = row
        outcomes = {GiftOutcome(outcome): count for outcome, count in counts}
        return RunProgress(run_id, requested_at, ended_at, before, waiting, outcomes)

    def skipped(self, run_id: UUID, limit: int, after: UUID | None) -> Sequence[tuple[UUID, GiftOutcome]]:
        """Return gifts that were not refunded, in the order of their ids, with the reason of each."""
        rows = self._database.rows(
            "SELECT donation_id, outcome FROM refund_run_gifts WHERE run_id = %(run)s AND outcome <> %(requested)s"
            " AND (%(after)s::uuid IS NULL OR donation_id > %(after)s) ORDER BY donation_id LIMIT %(limit)s",
            {"run": run_id, "requested": GiftOutcome.REQUESTED.value, "after": after, "limit": limit},
        )
        return [(donation_id, GiftOutcome(outcome)) for donation_id, outcome in rows]
