"""Commands for refunds: the request is recorded first, then Stripe is asked, then its answer is recorded."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID

from domain.donations import Donation
from domain.errors import FaultCode, InvalidError, RefusedError, UnavailableError
from domain.events import Refunded, RefundFailed
from domain.movements import LIVE_REFUND_STATES
from domain.ports import Donations, RefundOrder, Refunds, ReportedRefund
from domain.values import STRIPE, SYSTEM, Actor, Money, StripeReport, decimals

# Stripe keeps an idempotency key for at least 24 hours. Within this shorter time a repeated call has no second effect.
IDEMPOTENCY_KEY_LIFETIME = timedelta(hours=23)


@dataclass(frozen=True)
class RefundPreview:
    """The effect of a refund: `parts` has the amount of each payment that would go back, and `left` the rest.

    With a `refusal`, which says why it may not be made, it has no parts.
    """

    amount: Money
    refundable: Money
    left: Money
    parts: Sequence[tuple[str, Money]]
    refusal: str | None = None


class SecondPersonNeededError(RefusedError):
    """The refund is above the amount that one person may refund alone."""


@dataclass(frozen=True)
class RefundCommands:
    """A refund that brings what is refunded of a donation above `second_person_over` needs a second person.

    That is an amount in the major unit of whatever currency the donation has; with None, one person is enough.
    """

    donations: Donations
    refunds: Refunds
    second_person_over: Decimal | None = None

    def most_alone(self, currency: str) -> int | None:
        """Return the highest sum that one person may refund of a donation, in the minor unit; None without a limit."""
        limit = self.second_person_over
        return None if limit is None else int(limit.scaleb(decimals(currency)))

    def preview(self, ticket_id: UUID, donation_id: UUID, amount: Money | None) -> RefundPreview:
        """Return what `request` would refund at present."""
        _require_refund(amount)
        donation = self.donations.get(ticket_id, donation_id)
        gift, currency = donation.gift, donation.amount.currency
        refundable = Money(gift.refundable, currency)
        try:
            minor = donation.refund_sum(amount)
        except RefusedError as error:
            return RefundPreview(amount or refundable, refundable, refundable, (), str(error))
        return RefundPreview(
            Money(minor, currency),
            refundable,
            Money(gift.refundable - minor, currency),
            [(intent, Money(part, currency)) for intent, part in gift.refund_parts(minor)],
        )

    def request(
        self,
        actor: Actor,
        ticket_id: UUID,
        donation_id: UUID,
        request_id: UUID,
        amount: Money | None,
        reason: str | None,
    ) -> None:
        """Refund `amount`, or all that is left if it is None; RefusedError if the donation or Stripe does not allow it.

        A donation that was paid more than once is refunded payment by payment.
        While Stripe is unavailable, the request stays open; `retry` completes it later.
        """
        _require_refund(amount)

        def decide(donation: Donation) -> list[UUID]:
            if request_id not in donation.gift.requests:
                self._require_one_person_enough(donation, amount)
            return donation.request_refund(actor, request_id, amount, reason)

        self._complete_all(ticket_id, donation_id, self.donations.change(ticket_id, donation_id, decide))

    def propose(
        self,
        actor: Actor,
        ticket_id: UUID,
        donation_id: UUID,
        proposal_id: UUID,
        amount: Money | None,
        reason: str | None,
    ) -> None:
        """Ask for a refund that another person approves."""
        _require_refund(amount)
        self.donations.change(
            ticket_id, donation_id, lambda donation: donation.propose_refund(actor, proposal_id, amount, reason)
        )

    def approve(self, actor: Actor, ticket_id: UUID, donation_id: UUID, proposal_id: UUID) -> None:
        """Refund what another person asked for; RefusedError for what the actor asked for."""
        request_ids = self.donations.change(
            ticket_id, donation_id, lambda donation: donation.approve_proposal(actor, proposal_id)
        )
        self._complete_all(ticket_id, donation_id, request_ids)

    def decline(self, actor: Actor, ticket_id: UUID, donation_id: UUID, proposal_id: UUID) -> None:
        self.donations.change(ticket_id, donation_id, lambda donation: donation.decline_proposal(actor, proposal_id))

    def _require_one_person_enough(self, donation: Donation, amount: Money | None) -> None:
        gift = donation.gift
        requested = gift.refundable if amount is None else amount.minor
        # Many small refunds are no way around the limit.
        total = Money(max(0, gift.paid - gift.disputed - gift.refundable + requested), donation.amount.currency)
        if self.second_person_over is not None and total.major > self.second_person_over:
            raise SecondPersonNeededError(
                "Such a refund needs a second person. Ask for it, and let another owner or admin approve it."
            )

    def _complete_all(self, ticket_id: UUID, donation_id: UUID, request_ids: list[UUID]) -> None:
        refusals: list[RefusedError | InvalidError] = []
        for id in request_ids:
            try:
                with suppress(UnavailableError):
                    self._complete(ticket_id, donation_id, id, self.refunds.create)
            except (RefusedError, InvalidError) as error:
                refusals.append(error)
        if refusals and len(refusals) < len(request_ids):
            raise RefusedError(f"Only a part was refunded; the rest was refused: {refusals[0]}")
        if refusals:
            raise refusals[0]

    def retry(
        self, ticket_id: UUID, donation_id: UUID, request_id: UUID, *, requested_at: datetime, now: datetime
    ) -> None:
        """Complete a request whose answer is not recorded; a refund that Stripe made already is not made again."""

        def find_or_refund(order: RefundOrder) -> ReportedRefund:
            if (refund := self.refunds.find(order, requested_at)) is not None:
                return refund
            if now - requested_at > IDEMPOTENCY_KEY_LIFETIME:
                raise RefusedError("Stripe never received this request, and it is too old to be sent again.")
            return self.refunds.create(order)

        self._complete(ticket_id, donation_id, request_id, find_or_refund)

    def _complete(
        self, ticket_id: UUID, donation_id: UUID, request_id: UUID, ask_stripe: Callable[[RefundOrder], ReportedRefund]
    ) -> None:
        donation = self.donations.get(ticket_id, donation_id)
        if request_id not in donation.gift.open_requests:
            return
        request = donation.gift.requests[request_id]
        amount = Money(request.amount, donation.amount.currency)
        try:
            refund = ask_stripe(RefundOrder(request_id, ticket_id, donation_id, request.payment_intent_id, amount))
        except (RefusedError, InvalidError) as error:
            reason = str(error)
            self.donations.change(
                ticket_id, donation_id, lambda donation: donation.refuse_refund(SYSTEM, request_id, reason)
            )
            raise
        self.donations.change(ticket_id, donation_id, lambda donation: _record_answer(donation, request_id, refund))


def _record_answer(donation: Donation, request_id: UUID, refund: ReportedRefund) -> None:
    donation.accept_refund(SYSTEM, request_id, refund.refund_id)
    donation.record(
        STRIPE,
        Refunded if refund.state in LIVE_REFUND_STATES else RefundFailed,
        refund_id=refund.refund_id,
        amount=refund.amount,
        state=refund.state,
        refunded_at=refund.refunded_at,
        charge_id=refund.charge_id,
        payment_intent_id=donation.gift.requests[request_id].payment_intent_id,
        report=StripeReport(refund.refund_id, refund.refunded_at),
    )


def _require_refund(amount: Money | None) -> None:
    if amount is not None:
        require_positive(amount.major)
        amount.require_payable()


def require_positive(amount: Decimal) -> None:
    """InvalidError for an amount that cannot be refunded."""
    if amount <= 0:
        raise InvalidError("must be greater than 0", "/amount", FaultCode.OUT_OF_RANGE)
