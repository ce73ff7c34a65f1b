"""The refunds of all gifts of a ticket as a response."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal
from uuid import UUID

from adapters.payments.refund_runs import RunProgress
from domain.commands.refund_runs import GiftOutcome
from entrypoints.presentation.responses import ResponseBody, Time, utc
from projections.model import Row


class CurrencyBeforeAndNow(ResponseBody):
    """The rest of the gifts in one currency: when the refunds were requested, and now."""

    currency: str
    before_minor: int
    now_minor: int


class SkippedGift(ResponseBody):
    """A gift that was not refunded, and why."""

    donation_id: UUID
    outcome: GiftOutcome


class RefundAllProgress(ResponseBody):
    """How far the refunds are: the gifts that wait, those whose refund was requested, and those that were skipped."""

    ticket_id: UUID
    state: Literal["running", "done"]
    requested_at: Time
    ended_at: Time | None
    waiting: int
    requested: int
    disputed: int
    nothing_left: int
    refused: int
    needs_second_person: int
    totals: list[CurrencyBeforeAndNow]
    skipped: list[SkippedGift]
    next_cursor: str | None

    @property
    def gifts(self) -> int:
        """The number of all gifts of the run."""
        skipped = self.disputed + self.nothing_left + self.refused + self.needs_second_person
        return self.waiting + self.requested + skipped

    @classmethod
    def of(
        cls,
        ticket_id: UUID,
        run: RunProgress,
        total_rows: Sequence[Row],
        skipped: Sequence[tuple[UUID, GiftOutcome]],
        next_cursor: str | None,
    ) -> RefundAllProgress:
        now = {row["currency"]: row["paid"] - row["refunded"] - row["disputed"] for row in total_rows}
        return cls(
            ticket_id=ticket_id,
            state="running" if run.ended_at is None else "done",
            requested_at=utc(run.requested_at),
            ended_at=utc(run.ended_at) if run.ended_at else None,
            waiting=run.waiting,
            requested=run.outcomes.get(GiftOutcome.REQUESTED, 0),
            disputed=run.outcomes.get(GiftOutcome.DISPUTED, 0),
            nothing_left=run.outcomes.get(GiftOutcome.NOTHING_LEFT, 0),
            refused=run.outcomes.get(GiftOutcome.REFUSED, 0),
            needs_second_person=run.outcomes.get(GiftOutcome.NEEDS_SECOND_PERSON, 0),
            totals=[
                CurrencyBeforeAndNow(currency, run.before.get(currency, 0), now.get(currency, 0))
                for currency in sorted(run.before.keys() | now.keys())
            ],
            skipped=[SkippedGift(*gift) for gift in skipped],
            next_cursor=next_cursor,
        )
