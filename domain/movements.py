"""The movements of one donation's money, as Stripe's objects report them; `domain.gift` folds them."""

from __future__ import annotations

from typing import NamedTuple, TypeVar

from msgspec import Struct

from domain.events import DisputeFundsReinstated, DisputeFundsWithdrawn

K = TypeVar("K")

# The category of the balance transaction that returns the money of a failed refund to us.
REFUND_RETURNED = "refund_failure"
# The categories of the balance transaction that brings the money of a charge.
CHARGE_SETTLED = frozenset({"charge", "payment"})

# A refund's state only moves up: `pending` that arrives after `succeeded` changes nothing, and a failure is final.
REFUND_RANK = {"pending": 0, "requires_action": 1, "succeeded": 2, "canceled": 3, "failed": 4}
PENDING_REFUND_STATES = frozenset({"pending", "requires_action"})
# A refund in one of these states counts as refunded.
LIVE_REFUND_STATES = PENDING_REFUND_STATES | {"succeeded"}

# A dispute's state only moves up too: an inquiry (`warning_…`) may become a dispute, and a closed dispute stays closed.
# If Stripe reports two different outcomes, the order of arrival does not show which is later, so the one that is worse
# for us counts. The empty state means that only movements of the disputed money were reported.
DISPUTE_RANK = {
    "": 0,
    "warning_needs_response": 1,
    "warning_under_review": 2,
    "needs_response": 3,
    "under_review": 4,
    "warning_closed": 5,
    "prevented": 6,
    "won": 7,
    "lost": 8,
}
CLOSED_DISPUTE_STATES = frozenset({"warning_closed", "prevented", "won", "lost"})
# We have to answer a dispute or an inquiry in one of these states, or lose it.
UNANSWERED_DISPUTE_STATES = frozenset({"warning_needs_response", "needs_response"})
OPEN_DISPUTE_STATES = frozenset({"", "needs_response", "under_review"})
# A paid donation with a dispute in one of these states counts as disputed. An inquiry alone does not count.
DISPUTED_STATES = OPEN_DISPUTE_STATES | {"lost"}


class Entry(NamedTuple):
    """One movement of the donors' money, dated by the Stripe object that caused it.

    `part` tells the movements of one object apart: 0, or 1 for the return of a refund that failed. An entry about a
    charge's refund total has the total as its part.
    """

    kind: str
    source_id: str
    part: int
    amount: int
    at: int


# The donation ledger stores the names of the fields of these classes; a change needs a new version of it.


class Capture(Struct):
    """The captured sum of one payment, with the earliest time that a report states and the earliest report's time."""

    amount: int
    at: int
    reported_at: int

    def merged(self, other: Capture) -> Capture:
        """Return what two reports of the same payment say together."""
        earliest = min(self.at, other.at), min(self.reported_at, other.reported_at)
        return Capture(max(self.amount, other.amount), *earliest)


class Refund(Struct):
    """`at` is when Stripe created the refund, `ended_at` when its failure or cancellation was reported first."""

    amount: int
    state: str
    at: int
    charge_id: str | None = None
    payment_intent_id: str | None = None
    ended_at: int | None = None

    @property
    def live(self) -> bool:
        return self.state in LIVE_REFUND_STATES

    def merged(self, other: Refund) -> Refund:
        """Return what two reports of the same refund say together."""
        advanced = max(self, other, key=lambda r: (REFUND_RANK[r.state], r.amount))
        return Refund(
            advanced.amount,
            advanced.state,
            min(self.at, other.at),
            max(filter(None, (self.charge_id, other.charge_id)), default=None),
            max(filter(None, (self.payment_intent_id, other.payment_intent_id)), default=None),
            min((at for at in (self.ended_at, other.ended_at) if at is not None), default=None),
        )


class DisputeMovement(Struct):
    """The sum that a balance transaction withdrew; negative if it reinstated money.

    A time that only a report states gives way to the balance transaction's own time, and an amount of unknown rate to
    one that was converted at the balance transaction's own rate.
    """

    amount: int
    at: int
    dated_by_report: bool
    payment_intent_id: str | None = None
    has_rate: bool = False

    @classmethod
    def of(cls, event: DisputeFundsWithdrawn | DisputeFundsReinstated) -> DisputeMovement:
        return cls(
            event.amount.minor if isinstance(event, DisputeFundsWithdrawn) else -event.amount.minor,
            event.report.at if event.moved_at is None else event.moved_at,
            event.moved_at is None,
            event.payment_intent_id,
            event.exchange_rate is not None,
        )

    def merged(self, other: DisputeMovement) -> DisputeMovement:
        """Return what two reports of the same balance transaction say together."""
        dated = min(self, other, key=lambda m: (m.dated_by_report, m.at))
        converted = max(self, other, key=lambda m: (m.has_rate, m.amount))
        intents = filter(None, (self.payment_intent_id, other.payment_intent_id))
        return DisputeMovement(
            converted.amount, dated.at, dated.dated_by_report, max(intents, default=None), converted.has_rate
        )


class RefundRequest(Struct):
    """A refund requested here: open until Stripe accepted or refused it."""

    amount: int
    payment_intent_id: str
    refund_id: str | None = None
    refused: bool = False


def until(at: float, times: dict[K, int]) -> dict[K, int]:
    """Return the items whose time is not later."""
    return {key: time for key, time in times.items() if time <= at}
