"""The rules for one donation's money: facts from Stripe give the same result in every order and with every repetition.

The donation ledger applies events whose personal texts are still encrypted to the same `Gift`, so nothing here may
depend on the content of such a text.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, fields
from uuid import UUID

from domain import events
from domain.values import DonationStatus, Donor

# A refund's state only moves up: `pending` that arrives after `succeeded` changes nothing, and a failure is final.
REFUND_RANK = {"pending": 0, "requires_action": 1, "succeeded": 2, "canceled": 3, "failed": 4}
# A refund in one of these states counts as refunded.
LIVE_REFUND_STATES = frozenset({"pending", "requires_action", "succeeded"})

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
OPEN_DISPUTE_STATES = frozenset({"", "needs_response", "under_review"})
# A paid donation with a dispute in one of these states counts as disputed. An inquiry alone does not count.
DISPUTED_STATES = OPEN_DISPUTE_STATES | {"lost"}

# Only these facts change the paid, refunded or disputed sum.
MOVES_MONEY = (
    events.PaymentReceived,
    events.PaymentConfirmed,
    events.Refunded,
    events.RefundFailed,
    events.RefundTotalReported,
    events.DisputeFundsWithdrawn,
    events.DisputeFundsReinstated,
)

# The earliest report of each part of the donor: its time in Unix seconds and its text.
DonorReports = dict[str, tuple[int, str]]
DONOR_PARTS = tuple(field.name for field in fields(Donor))


# The donation ledger stores the field names of the next two classes; a change needs a new version of that projection.


@dataclass
class Refund:
    amount: int
    state: str
    at: int
    charge_id: str | None = None

    def more_advanced(self, other: Refund) -> Refund:
        """Return whichever of two reports of the same refund has the more advanced state."""
        return max(self, other, key=lambda r: (REFUND_RANK[r.state], r.amount, r.at, r.charge_id or ""))


@dataclass
class RefundRequest:
    """A refund requested here: open until Stripe accepted or refused it."""

    amount: int
    payment_intent_id: str
    refund_id: str | None = None
    refused: bool = False


@dataclass(slots=True)
class Gift:
    """The state of one donation's money, in the minor unit of its currency; times are Unix seconds."""

    # The captured sum of each payment intent, or of each charge that has no intent.
    captured: dict[str, int] = field(default_factory=dict)
    refunds: dict[str, Refund] = field(default_factory=dict)
    # The largest refunded total that was reported for each charge.
    refund_totals: dict[str, int] = field(default_factory=dict)
    requests: dict[UUID, RefundRequest] = field(default_factory=dict)
    # The state of each dispute.
    disputes: dict[str, str] = field(default_factory=dict)
    # The sum that each balance transaction withdrew for a dispute; negative if it reinstated money.
    movements: dict[str, int] = field(default_factory=dict)
    opened_session: str | None = None
    paid_session: str | None = None
    charge_id: str | None = None
    paid_at: int | None = None
    failure: tuple[int, str] | None = None
    expired: bool = False
    delayed: bool = False
    donor_from_charge: DonorReports = field(default_factory=dict)
    donor_from_session: DonorReports = field(default_factory=dict)

    def apply(self, event: events.DonationEvent) -> None:
        """Apply one fact. Facts that Stripe reports may come in any order and repeatedly."""
        match event:
            case events.PaymentReceived() | events.PaymentConfirmed():
                self._apply_capture(event)
            case events.CheckoutOpened(session_id=session_id):
                self.opened_session = max(session_id, self.opened_session or "")
            case events.CheckoutRefused(reason=reason):
                self._apply_failure(0, reason)
            case events.CheckoutExpired():
                self.expired = True
            case events.PaymentDelayed():
                self.delayed = True
            case events.PaymentFailed(reason=reason, report=report):
                self._apply_failure(report.at, reason)
            case events.RefundRequested(request_id=request_id, amount=amount, payment_intent_id=intent):
                self.requests[request_id] = RefundRequest(amount.minor, intent)
            case events.RefundAccepted(request_id=request_id, refund_id=refund_id) if request_id in self.requests:
                self.requests[request_id].refund_id = refund_id
            case events.RefundRefused(request_id=request_id) if request_id in self.requests:
                self.requests[request_id].refused = True
            case events.Refunded() | events.RefundFailed():
                refund = Refund(event.amount.minor, event.state, event.refunded_at, event.charge_id)
                self.refunds[event.refund_id] = refund.more_advanced(self.refunds.get(event.refund_id, refund))
            case events.RefundTotalReported(charge_id=charge_id, amount=amount):
                self.refund_totals[charge_id] = max(amount.minor, self.refund_totals.get(charge_id, 0))
            case events.DisputeOpened() | events.DisputeClosed():
                present = self.disputes.get(event.dispute_id, "")
                self.disputes[event.dispute_id] = max(present, event.state, key=DISPUTE_RANK.__getitem__)
            case events.DisputeFundsWithdrawn() | events.DisputeFundsReinstated():
                self._apply_movement(event)

    def _apply_failure(self, at: int, reason: str) -> None:
        self.failure = max((at, reason), self.failure or (at, reason))

    def _apply_capture(self, event: events.PaymentReceived | events.PaymentConfirmed) -> None:
        intent, at, charge_id, donor = event.payment_intent_id, event.report.at, event.charge_id, event.donor
        self.captured[intent] = max(event.amount.minor, self.captured.get(intent, 0))
        self.paid_at = at if self.paid_at is None else min(self.paid_at, at)
        if event.session_id is not None:
            self.paid_session = max(event.session_id, self.paid_session or "")
        if charge_id is not None:
            self.charge_id = max(charge_id, self.charge_id or "")
        reports = self.donor_from_session if charge_id is None else self.donor_from_charge
        for name in DONOR_PARTS:
            text = getattr(donor, name)
            if text is not None:
                reports[name] = min((at, text), reports.get(name, (at, text)))

    def _apply_movement(self, event: events.DisputeFundsWithdrawn | events.DisputeFundsReinstated) -> None:
        sign = 1 if isinstance(event, events.DisputeFundsWithdrawn) else -1
        moved = sign * event.amount.minor
        self.disputes.setdefault(event.dispute_id, "")
        self.movements[event.balance_transaction_id] = max(
            moved, self.movements.get(event.balance_transaction_id, moved)
        )

    # Money.

    @property
    def paid(self) -> int:
        return sum(self.captured.values())

    @property
    def refunded_live(self) -> int:
        """The sum of the refunds that neither failed nor were canceled."""
        if not self.refunds:
            return 0
        return _sum(refund for refund in self.refunds.values() if refund.state in LIVE_REFUND_STATES)

    @property
    def refunded(self) -> int:
        """The live refunds, and the part of each charge's refund total that no recorded refund explains."""
        if not self.refund_totals:
            return self.refunded_live
        unexplained = sum(
            max(0, total - _sum(refund for refund in self.refunds.values() if refund.charge_id == charge))
            for charge, total in self.refund_totals.items()
        )
        # A refund without a charge id may belong to any of the charges.
        without_charge = _sum(refund for refund in self.refunds.values() if refund.charge_id is None)
        return self.refunded_live + max(0, unexplained - without_charge)

    @property
    def disputed(self) -> int:
        return sum(self.movements.values())

    @property
    def net(self) -> int:
        return self.paid - self.refunded - self.disputed

    @property
    def refundable(self) -> int:
        """The sum that may still be refunded: the net minus our requests whose refunds are not recorded yet."""
        requested = sum(
            request.amount
            for request in self.requests.values()
            if not request.refused and request.refund_id not in self.refunds
        )
        return self.net - requested

    # State.

    @property
    def session_id(self) -> str | None:
        return self.paid_session or self.opened_session

    @property
    def refunded_at(self) -> int | None:
        if not self.refunds:
            return None
        return max((r.at for r in self.refunds.values() if r.state in LIVE_REFUND_STATES), default=None)

    @property
    def dispute_open(self) -> bool:
        return any(state in OPEN_DISPUTE_STATES for state in self.disputes.values())

    @property
    def dispute_status(self) -> str | None:
        """The state of the most important dispute: one that counts against the gift comes before one that is over."""
        if not self.disputes:
            return None
        state = max(self.disputes.values(), key=lambda s: (s in DISPUTED_STATES, DISPUTE_RANK[s]))
        return state or "needs_response"

    @property
    def status(self) -> DonationStatus:
        if self.captured:
            if any(state in DISPUTED_STATES for state in self.disputes.values()):
                return DonationStatus.DISPUTED
            return DonationStatus.REFUNDED if 0 < self.paid <= self.refunded_live else DonationStatus.PAID
        if self.expired:
            return DonationStatus.EXPIRED
        return DonationStatus.FAILED if self.failure else DonationStatus.CREATED

    @property
    def pending(self) -> bool:
        """A delayed payment method was chosen, and neither its capture nor its failure was reported."""
        return self.delayed and self.status is DonationStatus.CREATED

    @property
    def awaits_checkout(self) -> bool:
        """True until an opened or a refused checkout, or any result of the payment, is recorded."""
        return self.session_id is None and self.status is DonationStatus.CREATED

    @property
    def open_requests(self) -> list[UUID]:
        """The ids of the refund requests whose answer from Stripe is not recorded."""
        return [id for id, request in self.requests.items() if not request.refused and request.refund_id is None]

    @property
    def has_pending_call(self) -> bool:
        """True while the result of a call to Stripe, for the checkout or for a refund, is not recorded."""
        return self.awaits_checkout or (bool(self.requests) and bool(self.open_requests))

    @property
    def donor(self) -> Donor:
        """The donor as reported with the charge, and else with the checkout session."""
        reports = self.donor_from_session | self.donor_from_charge
        return Donor(*[reports[name][1] if name in reports else None for name in DONOR_PARTS])


def _sum(refunds: Iterable[Refund]) -> int:
    return sum(refund.amount for refund in refunds)
