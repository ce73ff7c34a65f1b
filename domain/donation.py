"""One donation: a fold over facts about Stripe's objects, the same for every order and repetition of them.

The rules of money are here and nowhere else; the donation read models fold with the same `Gift`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self
from uuid import UUID, uuid5

from eventsourcing.domain import BaseAggregate

from domain.events import (
    CheckoutExpired,
    CheckoutOpened,
    CheckoutRefused,
    CheckoutRequested,
    DisputeClosed,
    DisputeFundsReinstated,
    DisputeFundsWithdrawn,
    DisputeOpened,
    DonationEvent,
    FeeCharged,
    PaymentConfirmed,
    PaymentDelayed,
    PaymentFailed,
    PaymentReceived,
    Refunded,
    RefundFailed,
    RefundTotalReported,
)
from domain.values import Actor, DonationStatus, Donor, Money

# A refund only moves up: `pending` that arrives after `succeeded` changes nothing, and a failure is final.
REFUND_RANK = {"pending": 0, "requires_action": 1, "succeeded": 2, "canceled": 3, "failed": 4}
LIVE_REFUND = frozenset({"pending", "requires_action", "succeeded"})

# Likewise a dispute: an inquiry may become a dispute, and what is closed stays closed. The last of two different
# outcomes for one dispute cannot be told from the first by order, so the worse one for us counts.
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
CLOSED_DISPUTE = frozenset({"warning_closed", "prevented", "won", "lost"})
DISPUTED_STATES = frozenset({"", "needs_response", "under_review", "lost"})


NOBODY = Donor()


@dataclass
class Refund:
    amount: int
    state: str
    at: int


@dataclass
class Gift:
    """All that is known of one donation's money, in the minor unit of its one currency; times in Unix seconds."""

    captured: dict[str, int] = field(default_factory=dict)
    refunds: dict[str, Refund] = field(default_factory=dict)
    refund_totals: dict[str, int] = field(default_factory=dict)
    disputes: dict[str, str] = field(default_factory=dict)
    movements: dict[str, int] = field(default_factory=dict)
    fees: dict[str, int] = field(default_factory=dict)
    session_id: str | None = None
    charge_id: str | None = None
    paid_at: int | None = None
    failure: tuple[int, str] | None = None
    expired: bool = False
    delayed: bool = False
    charge_donor: Donor = NOBODY
    session_donor: Donor = NOBODY

    def note(self, event: DonationEvent) -> None:
        """Take in one fact; noting it again, or in another order, gives the same gift."""
        match event:
            case CheckoutOpened(session_id=session_id):
                self.session_id = session_id
            case CheckoutRefused(reason=reason):
                self._note_failure(0, reason)
            case CheckoutExpired():
                self.expired = True
            case PaymentDelayed():
                self.delayed = True
            case PaymentFailed(reason=reason, report=report):
                self._note_failure(report.at, reason)
            case PaymentReceived() | PaymentConfirmed():
                self._note_capture(event)
            case Refunded() | RefundFailed():
                known = self.refunds.get(event.refund_id)
                if known is None or REFUND_RANK[event.state] > REFUND_RANK[known.state]:
                    self.refunds[event.refund_id] = Refund(event.amount.minor, event.state, event.refunded_at)
            case RefundTotalReported(charge_id=charge_id, amount=amount):
                self.refund_totals[charge_id] = max(amount.minor, self.refund_totals.get(charge_id, 0))
            case DisputeOpened() | DisputeClosed():
                known_state = self.disputes.get(event.dispute_id, "")
                self.disputes[event.dispute_id] = max(known_state, event.state, key=DISPUTE_RANK.__getitem__)
            case DisputeFundsWithdrawn():
                self.disputes.setdefault(event.dispute_id, "")
                self.movements[event.balance_transaction_id] = event.amount.minor
            case DisputeFundsReinstated():
                self.disputes.setdefault(event.dispute_id, "")
                self.movements[event.balance_transaction_id] = -event.amount.minor
            case FeeCharged():
                self.fees[event.balance_transaction_id] = event.fee.minor
            case _:
                pass

    def _note_failure(self, at: int, reason: str) -> None:
        self.failure = max((at, reason), self.failure or (at, reason))

    def _note_capture(self, event: PaymentReceived | PaymentConfirmed) -> None:
        intent = event.payment_intent_id
        self.captured[intent] = max(event.amount.minor, self.captured.get(intent, 0))
        self.paid_at = event.report.at if self.paid_at is None else min(self.paid_at, event.report.at)
        self.session_id = self.session_id or event.session_id
        if event.charge_id is not None:
            self.charge_id = max(event.charge_id, self.charge_id or "")
            self.charge_donor = _either(self.charge_donor, event.donor)
        else:
            self.session_donor = _either(self.session_donor, event.donor)

    @property
    def paid(self) -> int:
        return sum(self.captured.values())

    @property
    def refunded_live(self) -> int:
        return sum(refund.amount for refund in self.refunds.values() if refund.state in LIVE_REFUND)

    @property
    def refunded(self) -> int:
        """Live refunds, and what the charge says was refunded beyond all refunds we know of."""
        known = sum(refund.amount for refund in self.refunds.values())
        return self.refunded_live + max(0, sum(self.refund_totals.values()) - known)

    @property
    def disputed(self) -> int:
        return sum(self.movements.values())

    @property
    def net(self) -> int:
        return self.paid - self.refunded - self.disputed

    @property
    def refunded_at(self) -> int | None:
        return max((r.at for r in self.refunds.values() if r.state in LIVE_REFUND), default=None)

    @property
    def dispute_status(self) -> str | None:
        """The state of the dispute that matters most: one that weighs on the gift before one that is over."""
        if not self.disputes:
            return None
        state = max(self.disputes.values(), key=lambda s: (s in DISPUTED_STATES, DISPUTE_RANK[s]))
        return state or "needs_response"

    @property
    def status(self) -> DonationStatus:
        if self.captured:
            if any(state in DISPUTED_STATES for state in self.disputes.values()):
                return DonationStatus.DISPUTED
            if self.refunds and self.refunded_live >= self.paid:
                return DonationStatus.REFUNDED
            return DonationStatus.PAID
        if self.expired:
            return DonationStatus.EXPIRED
        return DonationStatus.FAILED if self.failure else DonationStatus.CREATED

    @property
    def pending(self) -> bool:
        """A delayed method was chosen, and neither its money nor its failure has come."""
        return self.delayed and self.status is DonationStatus.CREATED

    @property
    def donor(self) -> Donor:
        """The donor as the charge tells it, else as the checkout did."""
        return _merged(self.charge_donor, self.session_donor)


def _merged(first: Donor, second: Donor) -> Donor:
    """What the first tells, and where it is silent what the second tells."""
    return Donor(
        first.last_name or second.last_name,
        first.country or second.country,
        first.email_hash or second.email_hash,
    )


def _either(one: Donor, other: Donor) -> Donor:
    """The same donor whichever of the two came first."""
    return Donor(
        max(one.last_name or "", other.last_name or "") or None,
        max(one.country or "", other.country or "") or None,
        max(one.email_hash or "", other.email_hash or "") or None,
    )


def donation_stream(ticket_id: UUID, donation_id: UUID) -> UUID:
    """The stream that a donation's facts are kept in."""
    return uuid5(ticket_id, donation_id.hex)


class Donation(BaseAggregate[UUID]):
    """One gift under a ticket, from the wish to give to whatever became of the money."""

    TOPIC = "donation"

    def __init__(self, ticket_id: UUID, donation_id: UUID, amount: Money) -> None:
        self.ticket_id = ticket_id
        self.donation_id = donation_id
        self.amount = amount
        self.description: str | None = None
        self.gift = Gift()
        self._told_at: dict[tuple[Any, ...], int] = {}

    # Deciding.

    @classmethod
    def request_checkout(
        cls, actor: Actor, ticket_id: UUID, donation_id: UUID, amount: Money, description: str | None
    ) -> Self:
        return cls._create(
            CheckoutRequested,
            id=donation_stream(ticket_id, donation_id),
            actor=actor,
            ticket_id=ticket_id,
            donation_id=donation_id,
            amount=amount,
            description=description,
        )

    @property
    def awaits_checkout(self) -> bool:
        """The gift is on record, and nobody knows yet whether Stripe opened a checkout for it."""
        return self.gift.session_id is None and self.gift.status is DonationStatus.CREATED

    def open_checkout(self, actor: Actor, session_id: str, expires_at: int, livemode: bool) -> None:
        if self.gift.session_id != session_id:
            self._trigger(CheckoutOpened, actor, session_id=session_id, expires_at=expires_at, livemode=livemode)

    def refuse_checkout(self, actor: Actor, reason: str) -> None:
        if self.awaits_checkout:
            self._trigger(CheckoutRefused, actor, reason=reason)

    def take(self, actor: Actor, fact: type[DonationEvent], **told: Any) -> None:
        """Note a fact that Stripe told; the same fact told again, by another event or later, changes nothing."""
        if fact is PaymentReceived and told["payment_intent_id"] in self.gift.captured:
            fact = PaymentConfirmed
        known_since = self._told_at.get(_fingerprint(fact, told))
        if known_since is None or told["report"].at < known_since:
            self._trigger(fact, actor, **told)

    def _trigger(self, fact: type[DonationEvent], actor: Actor, **told: Any) -> None:
        self.trigger_event(fact, actor=actor, ticket_id=self.ticket_id, donation_id=self.donation_id, **told)

    # Evolving.

    def evolve(self, event: DonationEvent) -> None:
        if isinstance(event, CheckoutRequested):
            self.description = event.description
        if (report := getattr(event, "report", None)) is not None:
            told = {name: value for name, value in vars(event).items() if name not in _NOT_TOLD}
            self._told_at[_fingerprint(type(event), told)] = report.at
        self.gift.note(event)


_NOT_TOLD = frozenset(("originator_id", "originator_version", "timestamp", "actor", "ticket_id", "donation_id"))


def _fingerprint(fact: type[DonationEvent], told: Mapping[str, Any]) -> tuple[Any, ...]:
    """What a fact says, whoever reported it and when; a capture told first and told again are the same fact."""
    kind = PaymentReceived if fact is PaymentConfirmed else fact
    defaults = {name: getattr(kind, name) for name in ("session_id", "charge_id", "donor") if hasattr(kind, name)}
    said = defaults | {name: value for name, value in told.items() if name != "report"}
    return (kind.TOPIC, *sorted(said.items(), key=lambda item: item[0]))
