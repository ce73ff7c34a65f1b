"""The rules for one donation's money: facts from Stripe give the same result in every order and with every repetition.

The donation ledger applies events whose personal texts are still encrypted to the same `Gift`, so nothing here may
depend on the content of such a text.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from uuid import UUID

from msgspec import Struct, structs

from domain import donor_reports, events
from domain.donor_reports import DonorReports
from domain.movements import (
    CHARGE_SETTLED,
    DISPUTE_RANK,
    DISPUTED_STATES,
    OPEN_DISPUTE_STATES,
    REFUND_RETURNED,
    Capture,
    DisputeMovement,
    Entry,
    Refund,
    RefundRequest,
    until,
)
from domain.values import DonationStatus, Donor


# The donation ledger stores a gift as the array of these fields; a change needs a new version of that projection.
class Gift(Struct, array_like=True):
    """The state of one donation's money, in the minor unit of its currency; times are Unix seconds."""

    # The capture of each payment intent, or of each charge that has no intent.
    captured: dict[str, Capture] = {}
    # The payment intent of each charge.
    intents: dict[str, str] = {}
    refunds: dict[str, Refund] = {}
    # When the money of each failed refund came back, by the balance transaction.
    returned_at: dict[str, int] = {}
    # When the money of each charge came, by the balance transaction.
    settled_at: dict[str, int] = {}
    # The refunded totals that were reported for each charge, with the time of the earliest report of each.
    refund_totals: dict[str, dict[int, int]] = {}
    requests: dict[UUID, RefundRequest] = {}
    # The reported states of each dispute, with the time of the earliest report of each.
    disputes: dict[str, dict[str, int]] = {}
    # The movement that each balance transaction of a dispute made.
    movements: dict[str, DisputeMovement] = {}
    opened_session: str | None = None
    paid_session: str | None = None
    charge_id: str | None = None
    # The latest failure, and the time of the earliest one.
    failure: tuple[int, str] | None = None
    failed_at: int | None = None
    expired_at: int | None = None
    delayed_at: int | None = None
    donor_from_charge: DonorReports = {}
    donor_from_session: DonorReports = {}

    def apply(self, event: events.DonationEvent) -> bool:
        """Apply one fact. Facts that Stripe reports may come in any order and repeatedly.

        Return False only if the entries are the same as before.
        """
        match event:
            case events.CheckoutRequested():  # The cases are tried in their order, so the commonest ones come first.
                pass
            case events.CheckoutOpened(session_id=session_id):
                self.opened_session = max(session_id, self.opened_session or "")
            case events.PaymentReceived() | events.PaymentConfirmed():
                return self._apply_capture(event)
            case events.FeeCharged(category=category, source_id=source_id, created_at=created_at):
                returned, settled = category == REFUND_RETURNED, category in CHARGE_SETTLED
                if (returned or settled) and source_id is not None and created_at is not None:
                    times = self.returned_at if returned else self.settled_at
                    times[source_id] = _earlier(created_at, times.get(source_id))
                return returned or self.delayed
            case events.CheckoutExpired(report=report):
                self.expired_at = _earlier(report.at, self.expired_at)
            case events.RefundRequested(request_id=request_id, amount=amount, payment_intent_id=intent):
                self.requests[request_id] = RefundRequest(amount.minor, intent)
            case events.RefundAccepted(request_id=request_id, refund_id=refund_id) if request_id in self.requests:
                self.requests[request_id].refund_id = refund_id
            case events.RefundRefused(request_id=request_id) if request_id in self.requests:
                self.requests[request_id].refused = True
            case events.Refunded() | events.RefundFailed():
                self._apply_refund(event)
                return True
            case events.RefundTotalReported(charge_id=charge_id, amount=amount, report=report):
                totals = self.refund_totals.setdefault(charge_id, {})
                totals[amount.minor] = _earlier(report.at, totals.get(amount.minor))
                return True
            case events.PaymentDelayed(report=report):
                self.delayed_at = _earlier(report.at, self.delayed_at)
                return True
            case events.PaymentFailed(reason=reason, report=report):
                self._apply_failure(report.at, reason)
            case events.CheckoutRefused(reason=reason):
                self._apply_failure(0, reason)
            case events.DisputeOpened() | events.DisputeClosed():
                self._apply_dispute_state(event.dispute_id, event.state, event.report.at)
            case events.DisputeFundsWithdrawn() | events.DisputeFundsReinstated():
                self._apply_movement(event)
                return True
            case events.DonorForgetRequested(last_name=last_name, forget_at=forget_at):
                self._forget_donor()
                self.donor_from_charge["last_name"] = forget_at, last_name
            case events.DonorForgotten():
                self._forget_donor()
        return False

    def _apply_failure(self, at: int, reason: str) -> None:
        self.failure = max((at, reason), self.failure or (at, reason))
        self.failed_at = _earlier(at, self.failed_at)

    def _apply_capture(self, event: events.PaymentReceived | events.PaymentConfirmed) -> bool:
        intent, charge_id = event.payment_intent_id, event.charge_id
        previous = self.captured.get(intent)
        at = event.report.at if event.captured_at is None else event.captured_at
        capture = Capture(event.amount.minor, at, event.report.at)
        self.captured[intent] = capture if previous is None else capture.merged(previous)
        if event.session_id is not None:
            self.paid_session = max(event.session_id, self.paid_session or "")
        if charge_id is not None:
            self.charge_id = max(charge_id, self.charge_id or "")
            self.intents[charge_id] = max(intent, self.intents.get(charge_id, ""))
        reports = self.donor_from_session if charge_id is None else self.donor_from_charge
        donor_reports.add(reports, event.donor, event.report.at)
        return self.delayed or self.captured[intent] != previous

    def _forget_donor(self) -> None:
        donor_reports.forget(self.donor_from_charge)
        donor_reports.forget(self.donor_from_session)

    def _apply_refund(self, event: events.Refunded | events.RefundFailed) -> None:
        refund = Refund(event.amount.minor, event.state, event.refunded_at, event.charge_id, event.payment_intent_id)
        if not refund.live:
            refund.ended_at = event.report.at
        self.refunds[event.refund_id] = refund.merged(self.refunds.get(event.refund_id, refund))

    def _apply_dispute_state(self, dispute_id: str, state: str, at: int) -> None:
        states = self.disputes.setdefault(dispute_id, {})
        states[state] = _earlier(at, states.get(state))

    def _apply_movement(self, event: events.DisputeFundsWithdrawn | events.DisputeFundsReinstated) -> None:
        id, movement = event.balance_transaction_id, DisputeMovement.of(event)
        self.movements[id] = movement.merged(self.movements.get(id, movement))
        self._apply_dispute_state(event.dispute_id, "", movement.at)

    # Money.

    @property
    def paid(self) -> int:
        return sum(capture.amount for capture in self.captured.values())

    @property
    def refunded(self) -> int:
        """The live refunds, and the part of each charge's refund total that no recorded refund explains."""
        if not self.refunds and not self.refund_totals:
            return 0
        live = _sum(refund for refund in self.refunds.values() if refund.live)
        return live + sum(entry.amount for entry in self._unexplained_refunds())

    @property
    def disputed(self) -> int:
        return sum(movement.amount for movement in self.movements.values())

    @property
    def net(self) -> int:
        return self.paid - self.refunded - self.disputed

    def entries(self) -> Iterator[Entry]:
        """Yield every movement; those of one kind add up to `paid`, `refunded` or `disputed`."""
        for intent, capture in self.captured.items():
            if capture.amount:
                yield Entry("paid", intent, 0, capture.amount, self.captured_at(intent))
        for id, refund in self.refunds.items():
            if refund.amount:
                yield Entry("refunded", id, 0, refund.amount, refund.at)
                if not refund.live:
                    yield Entry("refunded", id, 1, -refund.amount, self._ended_at(id))
        yield from self._unexplained_refunds()
        for id, movement in self.movements.items():
            yield Entry("disputed", id, 0, movement.amount, movement.at)

    def _unexplained_refunds(self) -> Iterator[Entry]:
        """Yield what each report of a charge's refund total adds to the recorded refunds and the earlier reports."""
        if not self.refund_totals:
            return
        # A refund without a charge id may belong to any of the charges.
        without_charge = _sum(refund for refund in self.refunds.values() if refund.charge_id is None)
        explained = {
            charge_id: _sum(refund for refund in self.refunds.values() if refund.charge_id == charge_id)
            for charge_id in self.refund_totals
        }
        reports = [(at, total, id) for id, totals in self.refund_totals.items() for total, at in totals.items()]
        for at, total, charge_id in sorted(reports):
            amount = total - explained[charge_id]
            if amount > 0:
                explained[charge_id] = total
                covered = min(amount, without_charge)
                without_charge -= covered
                if amount > covered:
                    yield Entry("refunded", charge_id, total, amount - covered, at)

    # Dates.

    def captured_at(self, intent: str) -> int:
        """Return when the money was captured.

        A charge of a delayed payment is created days before its money comes, so then the balance transaction tells the
        time, and until it is known only reports do.
        """
        capture = self.captured[intent]
        if self.delayed_at is None:
            return capture.at
        settled = (at for charge_id, at in self.settled_at.items() if self.intents.get(charge_id) == intent)
        reported_at = capture.at if capture.at > self.delayed_at else capture.reported_at
        return min(settled, default=reported_at)

    @property
    def paid_at(self) -> int | None:
        return min(map(self.captured_at, self.captured), default=None)

    @property
    def payment_reported_at(self) -> int | None:
        """The time of the earliest report of a payment, which may be later than the payment."""
        return min((capture.reported_at for capture in self.captured.values()), default=None)

    @property
    def refunded_at(self) -> int | None:
        """The time of the latest refund that counts."""
        if not self.refunds and not self.refund_totals:
            return None
        live = (refund.at for refund in self.refunds.values() if refund.live)
        return max((*live, *(entry.at for entry in self._unexplained_refunds())), default=None)

    def _ended_at(self, refund_id: str) -> int:
        """Return when the money of a refund that failed or was canceled came back."""
        refund = self.refunds[refund_id]
        ended_at = self.returned_at.get(refund_id, refund.ended_at)
        return refund.at if ended_at is None else max(refund.at, ended_at)

    def as_of(self, at: float) -> Gift:
        """Return the gift as it was at that time: its sums are those of the entries until then."""
        captured = {id: capture for id, capture in self.captured.items() if self.captured_at(id) <= at}
        return structs.replace(
            self,
            captured=captured,
            refunds={id: self._refund_as_of(id, at) for id in self.refunds},
            refund_totals={id: until(at, totals) for id, totals in self.refund_totals.items()},
            disputes={id: known for id, states in self.disputes.items() if (known := until(at, states))},
            movements={id: movement for id, movement in self.movements.items() if movement.at <= at},
            paid_session=self.paid_session if captured else None,
            charge_id=self.charge_id if captured else None,
            failure=self.failure if self.failed_at is not None and self.failed_at <= at else None,
            expired_at=self.expired_at if self.expired_at is not None and self.expired_at <= at else None,
            # The delay counts also if it was reported after the capture, because the date of the capture depends on it.
            delayed_at=self.delayed_at if captured or (self.delayed_at or 0) <= at else None,
            donor_from_charge=self.donor_from_charge if captured else {},
            donor_from_session=self.donor_from_session if captured else {},
        )

    def _refund_as_of(self, refund_id: str, at: float) -> Refund:
        """Return the refund as it was then; one that was made later does not count and still explains refund totals."""
        refund = self.refunds[refund_id]
        if at < refund.at:
            return structs.replace(refund, state="canceled")
        return refund if refund.live or at >= self._ended_at(refund_id) else structs.replace(refund, state="succeeded")

    @property
    def refundable(self) -> int:
        """The sum that may still be refunded: the net minus our requests whose refunds are not recorded yet."""
        return self.net - sum(request.amount for request in self._unanswered_requests())

    def refund_parts(self, amount: int) -> list[tuple[str, int]]:
        """Return the payment intents to refund, and how much of each: never more than is left of it."""
        left = self._left_by_intent()
        parts = []
        for intent in sorted(left, key=lambda intent: (left[intent], intent), reverse=True):
            part = min(amount, left[intent])
            if part > 0:
                parts.append((intent, part))
                amount -= part
        return parts

    def _left_by_intent(self) -> dict[str, int]:
        left = {intent: capture.amount for intent, capture in self.captured.items()}
        unassigned = 0
        for id, amount in self._taken():
            intent = self.intents.get(id or "", id)
            if intent in left:
                left[intent] -= amount
            else:
                unassigned += amount
        # A refund or dispute of an unknown payment is assumed to belong to the largest.
        for intent in sorted(left, key=lambda intent: (left[intent], intent), reverse=True):
            part = min(unassigned, max(0, left[intent]))
            left[intent] -= part
            unassigned -= part
        return left

    def _taken(self) -> Iterator[tuple[str | None, int]]:
        """Yield each sum that was refunded, disputed or requested, with the payment intent or the charge it is of."""
        for refund in self.refunds.values():
            if refund.live:
                yield refund.payment_intent_id or refund.charge_id, refund.amount
        for entry in self._unexplained_refunds():
            yield entry.source_id, entry.amount
        for movement in self.movements.values():
            yield movement.payment_intent_id, movement.amount
        for request in self._unanswered_requests():
            yield request.payment_intent_id, request.amount

    def _unanswered_requests(self) -> Iterator[RefundRequest]:
        for request in self.requests.values():
            if not request.refused and request.refund_id not in self.refunds:
                yield request

    # State.

    @property
    def session_id(self) -> str | None:
        return self.paid_session or self.opened_session

    @property
    def delayed(self) -> bool:
        return self.delayed_at is not None

    @property
    def expired(self) -> bool:
        return self.expired_at is not None

    def dispute_state(self, dispute_id: str) -> str | None:
        """Return the most advanced state that was reported of this dispute, or None if nothing was."""
        return max(self.disputes.get(dispute_id, ()), key=DISPUTE_RANK.__getitem__, default=None)

    @property
    def _dispute_states(self) -> list[str]:
        return [max(states, key=DISPUTE_RANK.__getitem__) for states in self.disputes.values()]

    @property
    def dispute_open(self) -> bool:
        return any(state in OPEN_DISPUTE_STATES for state in self._dispute_states)

    @property
    def dispute_status(self) -> str | None:
        """The state of the most important dispute: one that counts against the gift comes before one that is over."""
        if not self.disputes:
            return None
        state = max(self._dispute_states, key=lambda s: (s in DISPUTED_STATES, DISPUTE_RANK[s]))
        return state or "needs_response"

    @property
    def status(self) -> DonationStatus:
        if self.captured:
            if self.disputes and any(state in DISPUTED_STATES for state in self._dispute_states):
                return DonationStatus.DISPUTED
            return DonationStatus.REFUNDED if 0 < self.paid <= self.refunded else DonationStatus.PAID
        if self.expired_at is not None:
            return DonationStatus.EXPIRED
        return DonationStatus.FAILED if self.failure else DonationStatus.CREATED

    @property
    def pending(self) -> bool:
        """A delayed payment method was chosen, and neither its capture nor its failure was reported."""
        return self.delayed_at is not None and self.status is DonationStatus.CREATED

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
        return donor_reports.reported_donor(self.donor_from_session | self.donor_from_charge)


def _sum(refunds: Iterable[Refund]) -> int:
    return sum(refund.amount for refund in refunds)


def _earlier(at: int, other: int | None) -> int:
    return at if other is None else min(at, other)
